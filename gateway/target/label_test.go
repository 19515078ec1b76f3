package target

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

// original is an event of Cloud App Security as it wrote it, with a twin.
func original() (e *stream.Entry, event string) {
	event = "CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_X|Log on|0|externalId=abc rt=1678093152044 msg=Log on suser=ines@harbour.example"
	one := received([]byte("2023-03-06T08:59:12.044Z hb-agent " + event))
	one.Match.Alert, one.Decision.ManagedIn = "a1", formats.DefenderForIdentity
	one.Notification.Service, one.Notification.ID = formats.CloudAppSecurity, "abc"
	one.Notification.URL = "https://harbour.portal.example/#/alerts/abc"
	one.Twins = []dedup.Sighting{{Service: formats.DefenderForIdentity, ID: "9", URL: "https://harbour.example/9"}}
	return &one, event
}

// TestOriginalEventsHaveOurKeysBesideThem: where the event has nothing of ours, its transport's headers have it.
func TestOriginalEventsHaveOurKeysBesideThem(t *testing.T) {
	asOriginal := func(c *config.Target) { c.Format = "cef_original" }
	e, event := original()
	labels := map[string]string{
		"alert_id": "a1", "event_key": string(e.Key), "service": "cloud_app_security", "notification_id": "abc",
		"url": "https://harbour.portal.example/#/alerts/abc", "severity": "informational", "managed_in": "defender_for_identity",
		"reason": "by_kind", "twin": "defender_for_identity:9", "twin_url": "https://harbour.example/9",
	}
	// beside wants of what stands beside the event that it has the labels, and of the event that it is as it was.
	beside := func(t *testing.T, body []byte, name func(string) string, headers map[string]string) {
		t.Helper()
		want := map[string]string{}
		for n, v := range labels {
			want[name(n)] = v
		}
		maps.DeleteFunc(headers, func(n, _ string) bool { return want[n] == "" })
		if diff := cmp.Diff(want, headers); diff != "" {
			t.Errorf("beside the event (-want +got):\n%s", diff)
		}
		if string(body) != event {
			t.Errorf("the event is %q, want %q", body, event)
		}
	}
	t.Run("kafka", func(t *testing.T) {
		s := newKafka(t, siem.KafkaOptions{Topic: topic})
		deliver(t, toKafka(t, s, asOriginal), []*stream.Entry{e})
		got, r := map[string]string{}, s.Records()[0]
		for _, h := range r.Headers {
			if got[h.Key] != "" {
				t.Errorf("header %s is there twice", h.Key)
			}
			got[h.Key] = string(h.Value)
		}
		beside(t, r.Value, func(n string) string { return n }, got)
	})
	t.Run("nats", func(t *testing.T) {
		s := newNATS(t, nil)
		st := alerts(t, s, nil)
		deliver(t, toNATS(t, s, asOriginal), []*stream.Entry{e})
		m, err := st.GetMsg(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for n := range m.Header {
			got[n] = m.Header.Get(n)
		}
		beside(t, m.Data, headerOf, got)
	})
	t.Run("http", func(t *testing.T) {
		got := map[string]string{}
		var body []byte
		cfg := webhookConfig(serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
			for n := range r.Header {
				got[n] = r.Header.Get(n)
			}
		})))
		asOriginal(&cfg)
		deliver(t, openWebhook(t, cfg, time.Now), []*stream.Entry{e})
		beside(t, body, headerOf, got)
	})
	t.Run("splunk", func(t *testing.T) {
		var body []byte
		cfg := splunkConfig("http://hec")
		cfg.Compression = "none"
		asOriginal(&cfg)
		deliver(t, newSplunk(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
			_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
		}), io.Discard), []*stream.Entry{e})
		var sent struct {
			Event  string
			Fields map[string]string
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatal(err)
		}
		beside(t, []byte(sent.Event), func(n string) string { return n }, sent.Fields)
		if strings.Count(string(body), `"severity"`) != 1 {
			t.Errorf("a field is there twice: %s", body)
		}
	})
}
