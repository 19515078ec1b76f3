package model_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// queue is four alerts that differ in everything.
func queue(t *testing.T) *story {
	s := newStory(t)
	s.whole = true
	own := said(defender, "d1")
	own.Message = "Suspicious DNS activity was observed, originating from HB-WS-117."
	s.hears("a", dedup.First, own)
	s.hears("a", dedup.Twin, said(cloud, "c1"))
	file := formats.Notification{
		Service: cloud, Kind: formats.Alert, Channel: "syslog", Origin: cloud, ID: "c2", Type: "ALERT_CABINET_EVENT_MATCH_FILE", Class: "ALERT_CABINET_EVENT_MATCH_FILE",
		Title: "Größe überschritten", Severity: formats.High, App: "Box", Addresses: []string{"10.1.2.3"}, Raw: []byte("x"),
	}
	s.hears("b", dedup.First, file, func(e *stream.Entry) { e.Match.Type, e.Decision.ManagedIn = "", cloud })
	risky := said(protection, "r1")
	risky.Origin, risky.Title, risky.App, risky.Severity = protection, "Anonymous IP address", "Microsoft Entra ID", formats.NoSeverity
	risky.Type, risky.Class, risky.Devices, risky.Accounts = "anonymizedIPAddress", "", nil, []formats.Entity{{Name: "kai@harbour.example"}}
	risky.Addresses = []string{"::ffff:198.51.100.7"}
	s.hears("c", dedup.First, risky, func(e *stream.Entry) { e.Match.Type, e.Decision.ManagedIn = "", protection })
	s.hears("d", dedup.First, said(defender, "d2"), func(e *stream.Entry) { e.Notification.Severity = formats.Low })
	s.ends()
	s.whole = false
	s.does("ida", model.Close{Alerts: []string{"a"}, In: cloud, Why: "benign"})
	s.does("ida", model.Close{Alerts: []string{"d"}, Why: "benign"})
	s.does("ida", model.Assign{Alerts: []string{"b"}, To: "Olaf"})
	return s
}

// filters of the queue, by the alerts of queue that fit.
func filters() map[string]string {
	return map[string]string{
		`id = A`: "A", `id = a, b`: "AB", `id != A`: "BCD", `id starts with c`: "C", `id matches "*"`: "ABCD",
		`status = open`: "ABC", `status = closed`: "D", `status != closed`: "ABC", `status matches o*, c*`: "ABCD", `status is not set`: "",
		`title = "größe Überschritten"`: "B", `title contains "mapping"`: "AD", `title not contains mapping`: "BC", `title starts with network, anonymous`: "ACD",
		`title matches "*dns*"`: "AD", `title contains "%"`: "", `title matches "N_twork*"`: "",
		`type = 2007`: "AD", `type = DnsReconnaissanceSecurityAlert`: "AD", `type starts with alert_external`: "A", `type != 2007`: "BC",
		`category = "threat detection"`: "ACD", `category is not set`: "B", `category is set`: "ACD", `category != "Threat detection"`: "B",
		`severity = medium`: "A", `severity >= medium`: "AB", `severity < medium`: "CD", `severity != medium`: "BCD", `severity is set`: "ABD",
		`severity is not set`: "C", `severity = unknown, low`: "CD", `severity matches "*m*"`: "A",
		`application = "active directory"`: "AD", `app != box`: "ACD", `application contains entra`: "C",
		`service = cloud_app_security`: "AB", `service != cloud_app_security`: "CD", `service = cloud_app_security and service = defender_for_identity`: "A",
		`device = hb-ws-117`: "AD", `device is not set`: "BC", `device is set`: "AD", `device not contains ws`: "BC",
		`ip = 192.0.2.14`: "A", `ip = 192.0.2.0/24, 10.0.0.0/8`: "AB", `ip != 192.0.2.0/24`: "BCD", `ip starts with "192.0"`: "A", `ip = 198.51.100.0/24`: "C", `ip is not set`: "D",
		`policy = 63f0a1`: "A", `policy is set`: "A", `policy is not set`: "BCD",
		`managed_in = defender_for_identity`: "AD", `managed_in != defender_for_identity`: "BC",
		`drift = yes`: "A", `drift = no`: "BCD", `drift != yes`: "BCD",
		`assigned = olaf`: "B", `assigned is set`: "B", `assigned is not set`: "ACD",
		`read = yes`: "AD", `read = no`: "BC",
		`tactic = discovery`: "AD", `technique = T1046`: "AD", `technique is not set`: "BC",
		`first_seen >= -1d`: "ABCD", `first_seen < -1d`: "", `time >= -1d`: "ABCD", `time <= "2020-01-01"`: "", `time is set`: "ABCD",
		`time = 2020-01-01`: "", `time != 2020-01-01, 2020-01-02`: "ABCD", `first_seen = 2020-01-01`: "", `first_seen != 2020-01-01`: "ABCD",
		`severity contains di`: "A", `severity not contains di`: "BCD", `severity starts with h, l`: "BD", `status starts with op`: "ABC", `status not contains lose`: "ABC",
		`service contains cloud`: "AB", `managed_in starts with identity`: "C", `managed_in not contains defender`: "BC",
		`text contains observed`: "A", `text contains "dns activity"`: "A", `text contains "activity dns"`: "", `text not contains observed`: "BCD",
		`text contains "größe", kai@harbour.example`: "BC", `text contains "HB-WS-117."`: "AD",
		`user = ines.abreu@harbour.example`: "A", `user contains abreu, KAI`: "ACD", `user not contains abreu`: "BC", `user starts with iab`: "AD",
		`user_domain = harbour.example`: "AC", `user_domain is not set`: "BD", `user_domain is set`: "AC",
		`user is not set`: "B", `user is set`: "ACD",
		`status = open and severity >= medium and title contains dns`: "A",
	}
}

func TestFiltersOfTheQueue(t *testing.T) {
	t.Parallel()
	s := queue(t)
	for text, want := range filters() {
		want = strings.ToLower(want)
		if got := strings.Join(s.ids(text), ""); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		f, err := filter.Alerts().Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		total, err := s.model.AlertTotal(t.Context(), f)
		if err != nil || total.Count != int64(len(want)) {
			t.Errorf("%s: total %+v %v", text, total, err)
		}
		var paged []string
		for a := range s.pages(t.Context(), model.Query{Filter: f, Limit: 1, Sort: "-severity"}) {
			paged = append(paged, a.ID)
		}
		slices.Sort(paged)
		if got := strings.Join(paged, ""); got != want {
			t.Errorf("%s: pages with %s, want %s", text, got, want)
		}
	}
}

// pages goes through all pages.
func (s *story) pages(ctx context.Context, q model.Query) func(func(model.Alert) bool) {
	return func(yield func(model.Alert) bool) {
		for {
			page, err := s.model.Alerts(ctx, q)
			if err != nil {
				s.t.Errorf("Alerts(%+v) = %v", q, err)
				return
			}
			for _, a := range page.Items {
				if !yield(a) {
					return
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return
			}
		}
	}
}

// TestPlans: no filter of the queue walks through all alerts, but for negations and for what most alerts fit, which
// walk in the order of the list until the page is full. The dictionary and the names are looked through, as they are
// small.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := queue(t)
	const driven = "SEARCH a USING INTEGER PRIMARY KEY (rowid=?)"
	db, err := sql.Open("sqlite", "file:"+s.model.Path()+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	parse := func(text string) filter.Filter {
		f, err := filter.Alerts().Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for text := range filters() {
		for _, sort := range []string{"", "time", "-severity", "first_seen"} {
			plan := explain(t, s, db, model.Query{Filter: parse(text), Sort: sort}, 1000)
			looked := slices.ContainsFunc(parse(text), func(c filter.Condition) bool {
				_, negated := c.Op.Negative()
				if c.Field == "user_domain" && c.Op == filter.NotSet {
					return false // a negation as the names have it
				}
				always := slices.Contains([]string{"time", "first_seen", "status"}, c.Field) && (c.Op == filter.Set || c.Op == filter.NotSet)
				column := slices.Contains([]string{"status", "read", "drift", "severity"}, c.Field)
				return !always && (!negated || column || c.Op == filter.NotSet)
			})
			if looked && !slices.Contains(plan, driven) {
				t.Errorf("%s by %s isn't driven by what it looks up: %s", text, sort, plan)
			}
			for _, line := range plan {
				if strings.HasPrefix(line, "SCAN terms") || strings.HasPrefix(line, "SCAN alert_terms") || strings.HasPrefix(line, "SCAN alert_names") || line == "SCAN a" {
					t.Errorf("%s by %s: %s", text, sort, line)
				}
			}
		}
	}
	for _, tt := range []struct{ text, sort, want string }{ // of many alerts
		{"", "", "SCAN a USING INDEX alerts_last"},
		{"", "-severity", "SCAN a USING INDEX alerts_severity"},
		{"", "first_seen", "SCAN a USING INDEX alerts_first"},
		{"status = open", "", "SEARCH a USING INDEX alerts_closed (closed=?)"},
		{"status = open", "-severity", "SCAN a USING INDEX alerts_severity"},
		{"read = no", "", "SEARCH a USING INDEX alerts_seen (seen=?)"},
		{"severity = high", "", "SEARCH a USING INDEX alerts_severity (severity=?)"},
		{"severity >= medium", "", "SCAN a USING INDEX alerts_last"},
		{"severity >= medium", "-severity", "SEARCH a USING INDEX alerts_severity (severity=?)"},
		{"time >= -7d", "", "SEARCH a USING INDEX alerts_last (last>?)"},
		{"first_seen >= -7d", "", "SEARCH a USING INDEX alerts_last (last>?)"},
		{"first_seen >= -7d", "-first_seen", "SEARCH a USING INDEX alerts_first (first>?)"},
		{"title not contains dns", "", "SCAN a USING INDEX alerts_last"},
		{"assigned is not set and status = open", "", driven},
	} {
		plan := explain(t, s, db, model.Query{Filter: parse(tt.text), Sort: tt.sort}, 0)
		if !slices.Contains(plan, tt.want) {
			t.Errorf("%s by %s: %s, want %s", tt.text, tt.sort, plan, tt.want)
		}
		if tt.text != "" {
			continue
		}
		page, err := s.model.Alerts(t.Context(), model.Query{Sort: tt.sort, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if plan := explain(t, s, db, model.Query{Sort: tt.sort, Cursor: page.Next}, 0); len(plan) != 1 || !strings.HasPrefix(plan[0], "SEARCH a USING INDEX") {
			t.Errorf("the next page by %s: %s", tt.sort, plan)
		}
	}
}

func explain(t *testing.T, s *story, db *sql.DB, q model.Query, few int) []string {
	t.Helper()
	query, args, err := s.model.AlertsSQL(t.Context(), q, few)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		out = append(out, line)
	}
	return out
}

// TestPagesAreStable: what is added meanwhile neither shifts nor doubles anything.
func TestPagesAreStable(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.whole = true
	var want []string
	for i := range 20 {
		id := fmt.Sprintf("A%02d", i)
		s.hears(id, dedup.First, said(defender, id))
		want = append(want, id)
	}
	s.ends()
	slices.Reverse(want)
	var got []string
	added := 0
	for a := range s.pages(t.Context(), model.Query{Limit: 3}) {
		got = append(got, a.ID)
		if len(got)%3 == 0 {
			added++
			s.hears(fmt.Sprintf("new%d", added), dedup.First, said(defender, fmt.Sprintf("new%d", added)))
			s.ends()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	page, err := s.model.Alerts(t.Context(), model.Query{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []model.Query{{Cursor: "x"}, {Cursor: page.Next, Sort: "time"}, {Cursor: "e30"}} {
		if _, err := s.model.Alerts(t.Context(), q); !errors.Is(err, model.ErrCursor) {
			t.Errorf("Alerts(%+v) = %v, want no cursor of ours", q, err)
		}
	}
	if _, err := s.model.Alerts(t.Context(), model.Query{Sort: "colour"}); !errors.Is(err, model.ErrSort) {
		t.Errorf("sorted by colour: %v", err)
	}
	if page, err := s.model.Alerts(t.Context(), model.Query{Limit: 10_000}); err != nil || len(page.Items) != 20+added {
		t.Errorf("a page of %d, %v", len(page.Items), err)
	}
}

func TestAlertFacets(t *testing.T) {
	t.Parallel()
	s := queue(t)
	f, err := filter.Alerts().Parse("title contains dns or" + "")
	if err == nil {
		t.Fatal(f)
	}
	got, err := s.model.AlertFacets(t.Context(), nil, []string{"service", "type", "severity", "status", "assigned", "drift", "read"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]model.ValueCount{
		"service":  {{Value: "cloud_app_security", Count: 2}, {Value: "defender_for_identity", Count: 2}, {Value: "identity_protection", Count: 1}},
		"type":     {{Value: "2007", Count: 2}, {Value: "ALERT_CABINET_EVENT_MATCH_FILE", Count: 1}, {Value: "anonymizedIPAddress", Count: 1}},
		"severity": {{Value: "unknown", Count: 1}, {Value: "low", Count: 1}, {Value: "medium", Count: 1}, {Value: "high", Count: 1}},
		"status":   {{Value: "open", Count: 3}, {Value: "closed", Count: 1}},
		"assigned": {{Value: "", Count: 3}, {Value: "Olaf", Count: 1}},
		"drift":    {{Value: "no", Count: 3}, {Value: "yes", Count: 1}},
		"read":     {{Value: "no", Count: 2}, {Value: "yes", Count: 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if f, err = filter.Alerts().Parse("severity >= medium and service = cloud_app_security"); err != nil {
		t.Fatal(err)
	}
	if got, err = s.model.AlertFacets(t.Context(), f, []string{"application", "status"}); err != nil {
		t.Fatal(err)
	}
	want = map[string][]model.ValueCount{
		"application": {{Value: "Active Directory", Count: 1}, {Value: "Box", Count: 1}}, "status": {{Value: "open", Count: 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of some (-want +got):\n%s", diff)
	}
	if _, err := s.model.AlertFacets(t.Context(), nil, []string{"colour"}); !errors.Is(err, model.ErrFacet) {
		t.Errorf("by colour: %v", err)
	}
}
