package model_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// day is when the tests' activities begin.
func day() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }

// activity is an entry for a CEF event of Cloud App Security.
func activity(t testing.TB, number int, event string) *stream.Entry {
	t.Helper()
	e, err := cef.Parse(event)
	if err != nil {
		t.Fatal(err)
	}
	n, err := mcas.Normalize(e)
	if err != nil {
		t.Fatal(err)
	}
	n.Channel, n.Raw = "syslog", []byte(event)
	n.Arrived = day().Add(time.Duration(number) * time.Second)
	return &stream.Entry{
		Kind: stream.Notification, Key: dedup.EventKey(fmt.Sprintf("%032x", number)), Time: n.Arrived, Input: "cas",
		Notification: n, Match: dedup.Match{Relation: dedup.First}, Decision: policy.Decision{Action: dedup.Forward},
	}
}

// event is a CEF event at so many seconds after day.
func event(second int, class, name, rest string) string {
	ms := day().Add(time.Duration(second) * time.Second).UnixMilli()
	return fmt.Sprintf("CEF:0|MCAS|SIEM_Agent|0.271.3|%s|%s|0|externalId=%d_id%d rt=%d start=%d end=%d %s", class, name, second, second, ms, ms, ms, rest)
}

func (w *world) activities(text string) []model.Activity {
	w.t.Helper()
	f, err := filter.Activities().Parse(text)
	if text != "" && err != nil {
		w.t.Fatal(err)
	}
	p, err := w.model.Activities(w.t.Context(), model.Query{Filter: f})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Items
}

// TestActivity: a line has what the service said.
func TestActivity(t *testing.T) {
	w := newWorld(t)
	w.append(activity(t, 1, event(1, "EVENT_CATEGORY_DOWNLOAD_FILE", "Download file", "msg=Download file: file plan.xlsx suser=ines.abreu@harbour.example "+
		"destinationServiceName=Box dvc=198.51.100.23 requestClientApplication=Mozilla/5.0 (X11) cs1Label=portalURL cs1=https://x.example/a "+
		"cs2Label=uniqueServiceAppIds cs2=APPID_BOX cs3Label=targetObjects cs3=,plan.xlsx,ines.abreu,PLAN.xlsx cs4Label=policyIDs cs4=p1,p2 c6a1Label=Device IPv6 Address c6a1=2001:db8::1")))
	want := []model.Activity{{
		Key: "eax6gto1sd1c", Event: "00000000000000000000000000000001", ID: "1_id1", Kind: formats.Activity, Time: day().Add(time.Second), Service: formats.CloudAppSecurity,
		Source: "cas", App: "Box", Type: "EVENT_CATEGORY_DOWNLOAD_FILE", Action: "download", Title: "Download file",
		User:      &model.Named{Spelling: "ines.abreu@harbour.example", User: "6f8fac3f90e8ece75b950ba4df66ba33", Display: "ines.abreu@harbour.example"},
		Addresses: []string{"198.51.100.23", "2001:db8::1"}, Devices: []string{}, Agent: "Mozilla/5.0 (X11)",
		Objects: []string{"plan.xlsx", "ines.abreu"}, Policies: []string{"p1", "p2"}, Severity: formats.Informational,
		Message: "Download file: file plan.xlsx", URL: "https://x.example/a",
		Extra: map[string]string{"rt": fmt.Sprint(day().Add(time.Second).UnixMilli()), "uniqueServiceAppIds": "APPID_BOX"},
		At:    stream.Position{Sequence: 1},
	}}
	if diff := cmp.Diff(want, w.activities("")); diff != "" {
		t.Error(diff)
	}
	one, err := w.model.Activity(t.Context(), want[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[0], one); diff != "" {
		t.Error(diff)
	}
	for _, key := range []string{"2", "", `"`, "-1", want[0].Key + " ", strings.ToUpper(want[0].Key)} {
		if _, err := w.model.Activity(t.Context(), key); !errors.Is(err, model.ErrNotFound) {
			t.Errorf("Activity(%q) = %v, want %v", key, err, model.ErrNotFound)
		}
	}
}

// TestActivityAgain: what came again is one line; what is told anew is the line.
func TestActivityAgain(t *testing.T) {
	w := newWorld(t)
	first := activity(t, 1, event(1, "EVENT_CATEGORY_LOGIN", "Log on", "msg=Log on suser=a destinationServiceName=Box"))
	again := activity(t, 2, event(1, "EVENT_CATEGORY_LOGIN", "Log on", "msg=Log on suser=a destinationServiceName=Box"))
	again.Match = dedup.Match{Relation: dedup.Resend, Of: first.Key}
	anew := activity(t, 3, event(1, "EVENT_CATEGORY_LOGIN", "Log on", "msg=Log on suser=b destinationServiceName=Box"))
	anew.Match = dedup.Match{Relation: dedup.Update, Of: first.Key}
	once := activity(t, 4, event(1, "EVENT_CATEGORY_LOGIN", "Log on", "msg=Log on suser=c destinationServiceName=Box"))
	once.Match = dedup.Match{Relation: dedup.Update, Of: first.Key}
	health := activity(t, 5, event(1, "EVENT_CATEGORY_LOGIN", "Log on", "msg=Log on suser=c destinationServiceName=Box"))
	health.Notification.Kind = formats.Health
	w.append(first, again, anew, health)
	check := func(user string) {
		t.Helper()
		if got := w.activities(""); len(got) != 1 || got[0].Event != first.Key || got[0].User.Spelling != user {
			t.Errorf("got %v, want one line of %s", got, user)
		}
		total, err := w.model.ActivityTotal(t.Context(), nil)
		if err != nil || total != (model.Total{Count: 1}) {
			t.Errorf("ActivityTotal() = %v, %v", total, err)
		}
	}
	check("b")
	w.append(once)
	check("c")
}

// TestActivityFilters asks for one of three lines by each field.
func TestActivityFilters(t *testing.T) {
	w := newWorld(t)
	alike := "destinationServiceName=Office requestClientApplication=curl/8 dvc=10.1.2.3 cs3Label=targetObjects cs3=a.txt cs4Label=policyIDs cs4=p1"
	odd := activity(t, 2, event(2, "EVENT_CATEGORY_RESET_USER_PASSWORD", "Reset password",
		"msg=Reset the password of Ümit Östürk suser=w7$ destinationServiceName=Box requestClientApplication=Mozilla dvc=192.0.2.7 src=2001:db8::7 cs3Label=targetObjects cs3=b.txt,c.txt"))
	odd.Input = "other"
	odd.Notification.Severity = formats.High
	w.append(
		activity(t, 1, event(1, "EVENT_CATEGORY_LOGIN", "Log on", "msg=Log on: dear diary suser=alice@x.example "+alike)),
		odd,
		activity(t, 3, event(3, "EVENT_CATEGORY_FAILED_LOGIN", "Log on", "msg=Log on suser=alice@x.example "+alike)),
	)
	for _, tt := range []struct {
		filter string
		want   string // numbers
	}{
		{"", "321"},
		{`id = 2_ID2`, "2"},
		{`id != 2_id2`, "31"},
		{`id contains D2`, "2"},
		{`id starts with 2_`, "2"},
		{`id matches *_id3`, "3"},
		{`id is set`, "321"},
		{`type = event_category_login`, "1"},
		{`type contains login`, "31"},
		{`type not contains login`, "2"},
		{`type starts with EVENT_CATEGORY_F`, "3"},
		{`type matches *_CATEGORY_*_LOGIN`, "3"},
		{`type not matches *login`, "2"},
		{`action = login`, "31"},
		{`action = update, download`, "2"},
		{`action is not set`, ""},
		{`failed = yes`, "3"},
		{`failed = no`, "21"},
		{`administrative = yes`, "2"},
		{`application = box`, "2"},
		{`application != box`, "31"},
		{`application contains o`, "321"},
		{`service = cloud_app_security`, "321"},
		{`service != cloud_app_security`, ""},
		{`source = other`, "2"},
		{`ip = 192.0.2.7`, "2"},
		{`ip = 10.0.0.0/8`, "31"},
		{`ip = 0.0.0.0/0`, "321"},
		{`ip = ::/0`, "2"},
		{`ip = 2001:db8::/32`, "2"},
		{`ip != 10.0.0.0/8`, "2"},
		{`ip starts with 192.`, "2"},
		{`ip is not set`, ""},
		{`device = W7$`, "2"},
		{`device is set`, "2"},
		{`device is not set`, "31"},
		{`user_agent contains curl`, "31"},
		{`object = c.txt`, "2"},
		{`object != c.txt`, "31"},
		{`object contains txt`, "321"},
		{`policy is set`, "31"},
		{`policy is not set`, "2"},
		{`policy != p1`, "2"},
		{`severity = high`, "2"},
		{`severity >= low`, "2"},
		{`severity < low`, "31"},
		{`title = "log on"`, "31"},
		{`title is set`, "321"},
		{`text contains "ümit öSTÜRK"`, "2"},
		{`text contains "the ümit"`, ""},
		{`text contains "log on"`, "31"},
		{`text contains "log diary"`, ""},
		{`text contains diary, password`, "21"},
		{`text not contains diary`, "32"},
		{`text not contains diary and action = login`, "3"},
		{`kind = activity`, "321"},
		{`kind = alert`, ""},
		{`time > 2026-11-23T08:00:02Z`, "3"},
		{`time >= 2026-11-23T08:00:02Z`, "32"},
		{`time >= 2026-11-23T08:00:01.0000001Z`, "32"},
		{`time < 2026-11-23T08:00:02.0000001Z`, "21"},
		{`time < 2026-11-23T08:00:02Z`, "1"},
		{`time <= 2026-11-23T08:00:02Z`, "21"},
		{`time is not set`, ""},
		{`time = 2026-11-23`, "321"},
		{`time = 2026-11-24`, ""},
		{`time = 2026-11-23T08:00:02Z`, "2"},
		{`time = 2026-11-23T08:00:01Z, 2026-11-23T08:00:03Z`, "31"},
		{`time = 2026-11-23T08:00:01Z, 2026-11-23T08:00:03Z and action = login`, "31"},
		{`time != 2026-11-23T08:00:02Z`, "31"},
		{`time != 2026-11-23T08:00:01Z, 2026-11-23T08:00:03Z`, "2"},
		{`severity contains igh`, "2"},
		{`severity not contains igh`, "31"},
		{`severity starts with info, h`, "321"},
		{`kind contains act`, "321"},
		{`kind not starts with act`, ""},
		{`service contains cloud`, "321"},
		{`application = Office and action = login and ip = 10.1.0.0/16 and text contains diary`, "1"},
	} {
		var got strings.Builder
		for _, a := range w.activities(tt.filter) {
			got.WriteString(a.ID[:1])
		}
		if got.String() != tt.want {
			t.Errorf("%s: got %q, want %q", tt.filter, got.String(), tt.want)
		}
	}
}

// TestActivityPages: pages neither leave out nor repeat, while others are added.
func TestActivityPages(t *testing.T) {
	w := newWorld(t)
	var all []*stream.Entry
	for i := range 25 {
		all = append(all, activity(t, i, event(i/2, "EVENT_CATEGORY_LOGIN", "Log on", "msg=Log on suser=alice@x.example")))
	}
	w.append(all[:20]...)
	for _, sort := range []string{"time", "-time", ""} {
		got := map[string]bool{}
		var cursor string
		var last time.Time
		for pages := 0; ; pages++ {
			p, err := w.model.Activities(t.Context(), model.Query{Limit: 7, Sort: sort, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range p.Items {
				if got[a.Key] {
					t.Errorf("%s comes twice", a.Key)
				}
				if before := a.Time.Before(last); !last.IsZero() && !a.Time.Equal(last) && before != (sort != "time") {
					t.Errorf("sorted by %q %v is after %v", sort, a.Time, last)
				}
				got[a.Key], last = true, a.Time
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if len(got) != 20 {
			t.Errorf("sorted by %q there are %d, want 20", sort, len(got))
		}
	}
	for _, q := range []model.Query{{Cursor: "x"}, {Cursor: "a1"}, {Cursor: "d"}, {Cursor: "d-1z", Sort: "time"}} {
		if _, err := w.model.Activities(t.Context(), q); !errors.Is(err, model.ErrCursor) {
			t.Errorf("Activities(%v) = %v, want %v", q, err, model.ErrCursor)
		}
	}
	if _, err := w.model.Activities(t.Context(), model.Query{Sort: "user"}); !errors.Is(err, model.ErrSort) {
		t.Errorf("sorted by user: %v, want %v", err, model.ErrSort)
	}
}

// TestActivityFacets counts the values of what fits.
func TestActivityFacets(t *testing.T) {
	w := newWorld(t)
	w.append(
		activity(t, 1, event(1, "EVENT_CATEGORY_LOGIN", "Log on", "msg=x suser=a dvc=10.0.0.1 src=10.0.0.2")),
		activity(t, 2, event(2, "EVENT_CATEGORY_FAILED_LOGIN", "Log on", "msg=x suser=a dvc=10.0.0.1")),
		activity(t, 3, event(3, "EVENT_CATEGORY_DOWNLOAD_FILE", "Download", "msg=x suser=a")),
	)
	for text, want := range map[string]map[string][]model.ValueCount{
		"": {
			"action":   {{Value: "login", Count: 2}, {Value: "download", Count: 1}},
			"ip":       {{Value: "10.0.0.1", Count: 2}, {Value: "", Count: 1}, {Value: "10.0.0.2", Count: 1}},
			"failed":   {{Value: "no", Count: 2}, {Value: "yes", Count: 1}},
			"kind":     {{Value: "activity", Count: 3}},
			"severity": {{Value: "informational", Count: 3}},
		},
		"action = login": {
			"action":   {{Value: "login", Count: 2}},
			"ip":       {{Value: "10.0.0.1", Count: 2}, {Value: "10.0.0.2", Count: 1}},
			"failed":   {{Value: "no", Count: 1}, {Value: "yes", Count: 1}},
			"severity": {{Value: "informational", Count: 2}},
		},
	} {
		var f filter.Filter
		if text != "" {
			f, _ = filter.Activities().Parse(text)
		}
		var fields []string
		for field := range want {
			fields = append(fields, field)
		}
		got, err := w.model.ActivityFacets(t.Context(), f, fields)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	if _, err := w.model.ActivityFacets(t.Context(), nil, []string{"text"}); !errors.Is(err, model.ErrFacet) {
		t.Errorf("by text: %v, want %v", err, model.ErrFacet)
	}
}
