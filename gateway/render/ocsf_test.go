package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

func FuzzAppendOCSF(f *testing.F) {
	fuzzJSON(f, []string{"ocsf"}, func(_ string, doc map[string]any) map[string]any {
		return map[string]any{
			"event key": at(doc, "metadata uid"), "alert id": at(doc, "metadata correlation_uid"), "notification id": at(doc, "unmapped notification_id"),
			"url": at(doc, "unmapped url"), "reason": at(doc, "unmapped reason"), "managed in": at(doc, "unmapped managed_in"),
		}
	})
}

// activity is the message of an activity.
func activity(class, title, extension string) []byte {
	return []byte("2031-05-06T07:05:00.000Z A CEF:0|MCAS|SIEM_Agent|0.1|" + class + "|" + title + "|0|externalId=1_a start=1935817500000 end=1935817500000 " + extension)
}

func TestActivitiesFindTheirClass(t *testing.T) {
	s := schemas(t)
	tests := []struct {
		class, title, extension string
		ocsf                    int64 // type_uid
		asim, event             string
	}{
		{"EVENT_CATEGORY_LOGIN", "Log on", "suser=a@b.example destinationServiceName=Box dvc=10.0.0.1", 300201, "Authentication", "Logon"},
		{"EVENT_CATEGORY_FAILED_LOGIN", "Failed log on", "suser=a@b.example destinationServiceName=Box", 300201, "Authentication", "Logon"},
		{"EVENT_CATEGORY_LOGOUT", "Log off", "suser=a@b.example destinationServiceName=Box", 300202, "Authentication", "Logoff"},
		{"EVENT_CATEGORY_LOGIN", "Log on", "destinationServiceName=Box", 99, "AuditEvent", "Other"},
		{"EVENT_CATEGORY_DOWNLOAD_FILE", "Download file", "msg=Download file: file plan.xlsx suser=a destinationServiceName=Box dvc=2001:db8::1", 600602, "AuditEvent", "Read"},
		{"EVENT_CATEGORY_DOWNLOAD_FILE", "Download file", "msg=Download suser=a destinationServiceName=Box dvc=10.0.0.1", 600302, "AuditEvent", "Read"},
		{"EVENT_CATEGORY_DOWNLOAD_FILE", "Download file", "msg=Download file: file plan.xlsx suser=a dvc=none", 99, "AuditEvent", "Read"},
		{"EVENT_CATEGORY_CREATE_USER", "Create user", "suser=a cs3Label=targetObjects cs3=,b", 300101, "AuditEvent", "Create"},
		{"EVENT_CATEGORY_DELETE_USER", "Delete user", "suser=a dvc=10.0.0.1 cs3Label=targetObjects cs3=b,c", 600304, "AuditEvent", "Delete"},
		{"EVENT_CATEGORY_RUN_COMMAND", "Run command", "suser=S-1-5-21-1 dvc=10.0.0.1", 600399, "AuditEvent", "Execute"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			e := received(activity(tt.class, tt.title, tt.extension))
			for format, want := range map[string]any{"ocsf": float64(tt.ocsf), "asim": tt.asim + " " + tt.event} {
				text, err := rendered(format, nil, &e, 0)
				if err != nil {
					t.Fatal(err)
				}
				check(t, s[format], text)
				var doc map[string]any
				if err := json.Unmarshal(text, &doc); err != nil {
					t.Fatal(err)
				}
				got := doc["type_uid"]
				if format == "asim" {
					got, _ = doc["EventSchema"].(string)
					got = got.(string) + " " + doc["EventType"].(string)
				}
				if got != want {
					t.Errorf("%s: %v, want %v: %s", format, got, want, text)
				}
			}
		})
	}
}

// TestSchemasRefuse: the hand-written schemas do find what is wrong.
func TestSchemasRefuse(t *testing.T) {
	all := schemas(t)
	e := paired(received(activity("EVENT_CATEGORY_LOGIN", "Log on", "suser=a@b.example destinationServiceName=Box dvc=10.0.0.1")))
	for format, changes := range map[string][][2]string{
		"ecs":  {{`"ip":"10.0.0.1"`, `"ip":"10.0.0.x"`}, {`"ip":"10.0.0.1"`, `"ip":""`}, {`"kind":"event"`, `"kind":"teapot"`}, {`"start"]`, `"creation"]`}, {`"event":{`, `"teapot":1,"event":{`}},
		"ocsf": {{`"ip":"10.0.0.1"`, `"ip":"10.0.0.x"`}, {`"type_uid":300201`, `"type_uid":300301`}, {`"service":{"name":"Box"},"user"`, `"user"`}, {`"time":`, `"time":0.5,"teapot":`}},
	} {
		text, err := rendered(format, nil, &e, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			wrong := bytes.Replace(text, []byte(c[0]), []byte(c[1]), 1)
			if bytes.Equal(wrong, text) {
				t.Errorf("%s: no %s in %s", format, c[0], text)
				continue
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(wrong))
			if err != nil {
				t.Fatal(err)
			}
			if all[format].Validate(v) == nil {
				t.Errorf("%s: %s in place of %s is valid", format, c[1], c[0])
			}
		}
	}
}

// detected is the message of a detection that says all of its user.
func detected() []byte {
	return []byte(`{"id":"d1","riskEventType":"unfamiliarFeatures","userId":"b8a3c1de-0000-4000-8000-00000000a001","userPrincipalName":"ida@hill.example","userDisplayName":"Ida Brook"}`)
}

// TestOCSFOfAnAlert: what the class has of whose alert it is, when it was changed, and where the event has what it lists.
func TestOCSFOfAnAlert(t *testing.T) {
	fits := schemas(t)["ocsf"]
	const sensor = "<36>1 2031-05-06T07:08:09.5+00:00 S CEF 1 X 0|Microsoft|Azure ATP|2.1|XSecurityAlert|T|5|suser=a shost=WS-1 externalId=2009 cs2Label=trigger cs2="
	agent := strings.Replace(string(activity("ALERT_CABINET_EVENT_MATCH_AUDIT", "T", "suser=a")), "1_a", "5a5b5c5d5e5f606162636465", 1)
	changed := received([]byte(agent))
	changed.Match.Relation = dedup.Update
	for name, tt := range map[string]struct {
		entry stream.Entry
		path  string
		want  any
	}{
		"a tenant":              {received([]byte(`{"category":"UserRiskEvents","tenantId":"t1","properties":{"id":"d1","riskEventType":"leakedCredentials"}}`)), "metadata tenant_uid", "t1"},
		"a version":             {received([]byte(sensor + "new")), "metadata product version", "2.1"},
		"new":                   {received([]byte(sensor + "new")), "finding_info modified_time", nil},
		"an update":             {received([]byte(sensor + "update")), "finding_info modified_time", 1935817689500.0},
		"an update of an agent": {changed, "finding_info modified_time", float64(arrived.UnixMilli())},
		"an update that says when": {
			received([]byte(`{"id":"d1","riskEventType":"unfamiliarFeatures","detectedDateTime":"2031-05-06T07:00:00Z","lastUpdatedDateTime":"2031-05-06T07:01:00.5Z"}`)),
			"finding_info modified_time", 1935817260500.0,
		},
		"an object ID":           {received(detected()), "evidences 0 actor user uid", "b8a3c1de-0000-4000-8000-00000000a001"},
		"a name beside its ID":   {received(detected()), "evidences 0 actor user name", "ida@hill.example"},
		"a display name":         {received(detected()), "evidences 0 actor user full_name", "Ida Brook"},
		"a country":              {received(located("pt")), "evidences 0 src_endpoint location country", "PT"},
		"a country without code": {received(located("Portugal")), "evidences 0 src_endpoint location country", nil},
		"where the device is":    {received([]byte(sensor + "new")), "observables 0 name", "evidences[0].src_endpoint.hostname"},
		"where the address is":   {received(located("PT")), "observables 0 name", "evidences[0].src_endpoint.ip"},
		"where who logs in is":   {received(activity("EVENT_CATEGORY_LOGIN", "Log on", "suser=a destinationServiceName=Box")), "observables 0 name", "user.name"},
		"where a SID is":         {received(activity("EVENT_CATEGORY_LOGIN", "Log on", "suser=S-1-5-21-1 destinationServiceName=Box")), "observables 0 name", "user.uid"},
		"what is nowhere else":   {received(activity("EVENT_CATEGORY_RUN_COMMAND", "Run command", "suser=a")), "observables 0 name", "user_name"},
	} {
		text, err := rendered("ocsf", nil, &tt.entry, 0)
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
