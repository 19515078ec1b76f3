package portal

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
)

func TestToggled(t *testing.T) {
	for _, tt := range []struct {
		filter, field, value, want string
		was                        bool
	}{
		{"", "status", "open", "status = open", false},
		{"status = open", "status", "open", "", true},
		{"status = open", "status", "closed", "status = open, closed", false},
		{"status = open, closed", "status", "Open", "status = closed", true},
		{"severity >= medium", "severity", "high", "severity >= medium and severity = high", false},
		{"", "assigned", "", "assigned is not set", false},
		{"assigned is not set and read = no", "assigned", "", "read = no", true},
		{"", "user", `a "b", c`, `user = "a \"b\", c"`, false},
	} {
		f, err := filter.Alerts().Parse(tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		next, was := toggled(f, tt.field, tt.value)
		if next.String() != tt.want || was != tt.was {
			t.Errorf("toggled(%q, %s, %q) = %q, %v, want %q, %v", tt.filter, tt.field, tt.value, next, was, tt.want, tt.was)
		}
		if f.String() != tt.filter {
			t.Errorf("toggled(%q, %s, %q) changed the filter to %q", tt.filter, tt.field, tt.value, f)
		}
	}
}

func TestAdded(t *testing.T) {
	for _, tt := range []struct{ field, op, value, want, wrong string }{
		{"user", "contains", "alice, bob", "read = no and user contains alice, bob", ""},
		{"assigned", "is set", "whatever", "read = no and assigned is set", ""},
		{"app", "=", "Active Directory", `read = no and application = "Active Directory"`, ""},
		{"status", ">=", "open", "", `found ">="`},
		{"nonsense", "=", "x", "", "nonsense"},
		{"user", "= x and status =", "open", "", "found operator"},
	} {
		f := filter.Filter{{Field: "read", Op: filter.Equals, Values: []string{"no"}}}
		got, err := added(f, filter.Alerts(), tt.field, tt.op, tt.value)
		switch {
		case tt.wrong != "":
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("added %s %s %s: %v, want an error with %q", tt.field, tt.op, tt.value, err, tt.wrong)
			}
		case err != nil || got.String() != tt.want:
			t.Errorf("added %s %s %s = %q, %v, want %q", tt.field, tt.op, tt.value, got, err, tt.want)
		}
	}
}

func TestANoticeStandsInTheAddress(t *testing.T) {
	from, err := url.Parse("/alerts?filter=status+%3D+open&open=a1&did=mark&acted=old&on=7")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		done     done
		to, text string
		act      string
	}{
		{done{Act: "x1", Alerts: new(3), CanUndo: true, did: "close"}, "/alerts?acted=x1&did=close&filter=status+%3D+open&on=3&open=a1", "Closed 3 alerts.", "x1"},
		{done{Act: "x1", Alerts: new(1), CanUndo: true, did: "close"}, "/alerts?acted=x1&did=close&filter=status+%3D+open&on=1&open=a1", "Closed the alert.", "x1"},
		{done{Act: "x1", Alerts: new(0), did: "mark"}, "/alerts?did=mark&filter=status+%3D+open&on=0&open=a1", "Nothing has changed: it was so already.", ""},
		{done{Act: "x2", CanUndo: true, did: "undo"}, "/alerts?acted=x2&did=undo&filter=status+%3D+open&open=a1", "Took it back.", ""},
		{done{Act: "x3", Alerts: new(2), CanUndo: true, did: "undo"}, "/alerts?acted=x3&did=undo&filter=status+%3D+open&on=2&open=a1", "Took it back on 2 alerts.", ""},
		{done{did: "save", to: "/policies"}, "/policies?did=save", "Saved.", ""},
	} {
		got := tt.done.back(from)
		if got != tt.to {
			t.Errorf("%+v leads to %s, want %s", tt.done, got, tt.to)
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		if n := noticeOf(u.Query()); n == nil || n.Text != tt.text || n.Act != tt.act {
			t.Errorf("%s tells %+v, want %q and %q", got, n, tt.text, tt.act)
		}
	}
	if n := noticeOf(url.Values{"did": {"Your password has expired: call 555"}}); n != nil {
		t.Errorf("an address tells words of its own: %+v", n)
	}
}

func TestWords(t *testing.T) {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ got, want string }{
		{since(at, at.Add(42*time.Second)), "42 s"},
		{since(at.Add(5*time.Minute+3*time.Second), at), "5 min 3 s"},
		{since(at, at.Add(26*time.Hour)), "1 d 2 h"},
		{lasts(time.Hour), "1h"},
		{lasts(90 * time.Minute), "1h30m"},
		{lasts(45 * time.Second), "45s"},
		{lasts(10*time.Minute + 10*time.Second), "10m10s"},
		{lasts(100 * time.Hour), "100h"},
		{count(1234567), "1\u202f234\u202f567"},
		{count(999), "999"},
		{count(-1234), "-1\u202f234"},
		{cut(5, "שלוםשלום"), "שלום…"},
		{cut(5, "short"), "short"},
		{shortName("cloud_app_security"), "Cloud"},
		{shortName("sluice"), "Sluice"},
		{shortName("something_new"), ""},
		{serviceName("something_new"), "something_new"},
		{fieldName("managed_in"), "Managed in"},
		{fieldName("device"), "Device"},
		{moment(at), "2026-11-24 08:00:00Z"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func FuzzWeb(f *testing.F) {
	for _, s := range []string{"https://security.microsoft.com/alerts/aa1", "javascript:alert(1)", " https://x", "//evil.example", "data:text/html,x", "http://", "HTTPS://X/\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		link := web(s)
		if link == "" {
			return
		}
		if u, err := url.Parse(link); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q is followed", s)
		}
	})
}
