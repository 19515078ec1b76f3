package render

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// fuzzJSON fuzzes a format of JSON: it is valid, in any length, and find gives from it the values that
// must be there, by what they are.
func fuzzJSON(f *testing.F, formats []string, find func(format string, doc map[string]any) map[string]any) {
	f.Helper()
	seeds(f)
	s := schemas(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, e := range entries(raw) {
			l := lineOf(t, &e)
			for _, format := range formats {
				text, err := rendered(format, nil, &e, 0)
				if err != nil {
					t.Fatal(err)
				}
				check(t, s[format], text)
				var doc map[string]any
				if err := json.Unmarshal(text, &doc); err != nil {
					t.Fatal(err)
				}
				got := find(format, doc)
				for what, want := range map[string]string{
					"event key": string(l.EventKey), "alert id": l.AlertID, "notification id": l.NotificationID,
					"url": l.URL, "reason": string(l.Reason), "managed in": l.ManagedIn,
				} {
					if v, _ := got[what].(string); v != everyByte(func(s string) string { return s }, want) {
						t.Errorf("%s: %s is %q, want %q in %s", format, what, v, want, text)
					}
				}
			}
		}
	})
}

// at finds what stands at a path of keys, with 0 for the first of a list; nil if there is nothing.
func at(doc any, path string) any {
	for key := range strings.SplitSeq(path, " ") {
		if list, ok := doc.([]any); ok && key == "0" && len(list) > 0 {
			doc = list[0]
			continue
		}
		object, _ := doc.(map[string]any)
		doc = object[key]
	}
	return doc
}

func FuzzAppendECS(f *testing.F) {
	fuzzJSON(f, []string{"ecs"}, func(_ string, doc map[string]any) map[string]any {
		return map[string]any{
			"event key": at(doc, "sluice event_key"), "alert id": at(doc, "sluice alert_id"), "notification id": at(doc, "sluice notification_id"),
			"url": at(doc, "event url"), "reason": at(doc, "sluice reason"), "managed in": at(doc, "sluice managed_in"),
		}
	})
}

func FuzzAppendSentinel(f *testing.F) {
	fuzzJSON(f, []string{"asim", "common_security_log", "sentinel_table"}, func(format string, doc map[string]any) map[string]any {
		switch format {
		case "asim":
			return map[string]any{
				"event key": doc["EventUid"], "alert id": at(doc, "AdditionalFields AlertKey"), "notification id": doc["EventOriginalUid"],
				"url": doc["EventReportUrl"], "reason": at(doc, "AdditionalFields Reason"), "managed in": at(doc, "AdditionalFields ManagedIn"),
			}
		case "common_security_log":
			rest, _ := doc["AdditionalExtensions"].(string)
			_, managed, _ := strings.Cut(";"+rest, ";sluiceManagedIn=")
			managed, _, _ = strings.Cut(managed, ";")
			return map[string]any{
				"event key": doc["DeviceCustomString2"], "alert id": doc["DeviceCustomString5"], "notification id": doc["FlexString1"],
				"url": doc["DeviceCustomString1"], "reason": doc["Reason"], "managed in": managed,
			}
		}
		return map[string]any{
			"event key": doc["EventKey"], "alert id": doc["AlertKey"], "notification id": doc["NotificationId"],
			"url": doc["Url"], "reason": doc["Reason"], "managed in": doc["ManagedIn"],
		}
	})
}

func TestAddresses(t *testing.T) {
	ips, others := addresses([]string{"10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "2001:DB8::1", "", "10.0.0.1:80", "none", "010.0.0.1"})
	want := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")}
	if !slices.Equal(ips, want) || !slices.Equal(others, []string{"fe80::1%eth0", "", "10.0.0.1:80", "none", "010.0.0.1"}) {
		t.Errorf("addresses = %v, %q", ips, others)
	}
}

func TestAccountOf(t *testing.T) {
	for _, want := range []account{
		{Spelling: `BREWERY\hopkins`, Domain: "BREWERY", Name: "hopkins"},
		{Spelling: "hopkins@brewery.example", Name: "hopkins", Domain: "brewery.example", UPN: "hopkins@brewery.example"},
		{Spelling: "S-1-5-21-1-2-3-500", ID: "S-1-5-21-1-2-3-500"},
		{Spelling: "11111111-2222-4333-8444-55555555555F", ID: "11111111-2222-4333-8444-55555555555F"},
		{Spelling: "Ida Hopkins", Full: "Ida Hopkins"},
		{Spelling: "hopkins", Name: "hopkins"},
		{Spelling: "a@b", Name: "a@b"},
		{Spelling: "", Name: ""},
	} {
		if got := accountOf(want.Spelling); got != want {
			t.Errorf("accountOf(%q) = %+v", want.Spelling, got)
		}
	}
}
