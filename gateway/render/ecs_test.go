package render

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestECSOfAnAlert: what the schema has of whose alert it is, what raised it, in whose tenant, and how long it took.
func TestECSOfAnAlert(t *testing.T) {
	alert := func(change func(e *stream.Entry)) stream.Entry {
		e := raised()
		change(&e)
		return e
	}
	enveloped := received([]byte("CEF:0|Microsoft|Azure ATP|2.1|XSecurityAlert|T|5|externalId=2009"))
	enveloped.Notification.Raw = []byte(`{"ids":"a|b|c|9|d","message":"` + string(enveloped.Notification.Raw) + `"}`)
	fits := schemas(t)["ecs"]
	for name, tt := range map[string]struct {
		entry stream.Entry
		path  string
		want  any
	}{
		"the ID of the alert":  {raised(), "event id", string(raised().Match.Alert)},
		"none that is known":   {alert(func(e *stream.Entry) { e.Match.Alert = "" }), "event id", string(raised().Key)},
		"one policy":           {alert(func(e *stream.Entry) { e.Notification.Extra = map[string]string{"policyIDs": "p7"} }), "rule id", "p7"},
		"several policies":     {alert(func(e *stream.Entry) { e.Notification.Extra = map[string]string{"policyIDs": "p7,p8"} }), "rule id", "activity_policy"},
		"a detector":           {alert(func(e *stream.Entry) { e.Notification.Extra = map[string]string{"detectorId": "d1"} }), "rule id", "d1"},
		"a tenant":             {alert(func(e *stream.Entry) { e.Notification.Extra = map[string]string{"tenantId": "t1"} }), "cloud account id", "t1"},
		"a tenant's cloud":     {alert(func(e *stream.Entry) { e.Notification.Extra = map[string]string{"tenantId": "t1"} }), "cloud provider", "azure"},
		"no tenant":            {raised(), "cloud provider", nil},
		"a part of Azure":      {received(located("PT")), "cloud provider", "azure"},
		"an object ID":         {received(detected()), "user id", "b8a3c1de-0000-4000-8000-00000000a001"},
		"a program":            {received([]byte(`{"id":"d1","riskEventType":"unfamiliarFeatures","additionalInfo":"[{\"Key\":\"userAgent\",\"Value\":\"curl/8\"}]"}`)), "user_agent original", "curl/8"},
		"a display name":       {received(detected()), "user full_name", "Ida Brook"},
		"a country's code":     {received(located("pt")), "source geo country_iso_code", "PT"},
		"a country's name":     {received(located("Portugal")), "source geo country_name", "Portugal"},
		"a city":               {received(located("PT")), "source geo city_name", "Porto"},
		"a device's name":      {raised(), "host ip", nil},
		"a device's address":   {alert(func(e *stream.Entry) { e.Notification.Devices[0].Name = "2001:db8::7" }), "host ip 0", "2001:db8::7"},
		"a moment":             {alert(func(e *stream.Entry) { e.Notification.End = e.Notification.Start }), "event duration", 0.0},
		"a second":             {alert(func(e *stream.Entry) { e.Notification.End = e.Notification.Start.Add(time.Second) }), "event duration", 1e9},
		"backwards":            {alert(func(e *stream.Entry) { e.Notification.End = e.Notification.Start.Add(-time.Second) }), "event duration", nil},
		"no version is known":  {raised(), "observer version", nil},
		"a version is escaped": {received([]byte(`CEF:0|Microsoft|Azure ATP|2\|1|XSecurityAlert|T|5|externalId=2009`)), "observer version", nil},
		"a version":            {received([]byte("CEF:0|Microsoft|Azure ATP|2.1|XSecurityAlert|T|5|externalId=2009")), "observer version", "2.1"},
		"an enveloped version": {enveloped, "observer version", "2.1"},
	} {
		text, err := rendered("ecs", nil, &tt.entry, 0)
		if err != nil {
			t.Fatal(err)
		}
		check(t, fits, text)
		var doc any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if got := at(doc, tt.path); got != tt.want {
			t.Errorf("%s: %s is %v, want %v", name, tt.path, got, tt.want)
		}
	}
}

// located is the message of a detection that says where its address is.
func located(country string) []byte {
	return []byte(`{"id":"d1","riskEventType":"unfamiliarFeatures","ipAddress":"203.0.113.7","location":{"city":"Porto","countryOrRegion":"` + country + `"}}`)
}
