package api_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// past is what is recorded of a world. What somebody can't see stands in one of two worlds only.
type past struct {
	now     time.Time
	count   int
	entries []*stream.Entry
	ids     map[string]bool // of everything: alerts, users, activities of both worlds
}

func (p *past) add(e *stream.Entry) *stream.Entry {
	p.count++
	p.now = p.now.Add(time.Second)
	e.Key, e.Time = dedup.EventKey(fmt.Sprintf("%032x", p.count)), p.now
	if e.Kind == stream.Acted {
		e.Notification = formats.Notification{Service: formats.Sluice, Kind: formats.Act, Channel: "sluice", Type: e.Act.Verb}
	} else {
		e.Notification.Arrived, e.Notification.Start = p.now, p.now
		e.Notification.Raw = []byte("bytes of " + e.Notification.ID)
	}
	p.ids[string(e.Match.Alert)], p.ids[string(e.Key)] = true, true
	p.entries = append(p.entries, e)
	return e
}

func (p *past) act(a model.Act, scope access.Scope) {
	record, err := model.Record("root", a)
	if err != nil {
		panic(err)
	}
	if !scope.Whole() {
		record.Scope = scope.Key()
	}
	p.add(&stream.Entry{Kind: stream.Acted, Act: &record, Decision: policy.Decision{Action: dedup.Drop, Reason: policy.Operated}})
}

// says is a notification of an alert.
func says(s formats.Service, id, alert, user string, r dedup.Relation, d policy.Decision) *stream.Entry {
	return &stream.Entry{
		Kind: stream.Notification, Input: "tcp", Decision: d, Match: dedup.Match{Alert: dedup.AlertID(alert), Relation: r, Type: "2023"},
		Notification: formats.Notification{
			Service: s, Kind: formats.Alert, Channel: "syslog", Origin: formats.DefenderForIdentity, ID: id, Type: "2023", Title: "Suspected brute force, says " + string(s),
			Severity: map[formats.Service]formats.Severity{formats.DefenderForIdentity: formats.Low, formats.CloudAppSecurity: formats.High}[s],
			Accounts: []formats.Entity{{Name: user}}, Devices: []formats.Entity{{Name: "host-" + id}}, Addresses: []string{"192.0.2." + fmt.Sprint(len(id))}, App: string(s),
		},
	}
}

func did(user, app string) *stream.Entry {
	return &stream.Entry{Kind: stream.Notification, Input: "tcp", Decision: policy.Decision{Action: dedup.Forward}, Notification: formats.Notification{
		Service: formats.CloudAppSecurity, Kind: formats.Activity, Channel: "syslog", ID: "did-" + user + app, Type: "EVENT_CATEGORY_LOGIN", Class: "EVENT_CATEGORY_LOGIN", Title: "Log on",
		Accounts: []formats.Entity{{Name: user}}, Addresses: []string{"198.51.100.7"}, App: app,
	}}
}

// tell records the same for all who see Defender for Identity's part, and, in the world that has more, what the other
// services say of it and of everything else: before it, of it and after it.
func tell(more bool) *past {
	p := &past{now: time.Now().UTC().Add(-time.Hour).Truncate(time.Hour), ids: map[string]bool{}}
	mdi, mcas := formats.DefenderForIdentity, formats.CloudAppSecurity
	inside := func(e *stream.Entry) *stream.Entry { return p.add(e) }
	outside := func(e *stream.Entry) { // time passes and numbers are used in both worlds; what is kept of it differs
		had := len(p.entries)
		if p.add(e); !more {
			p.entries = p.entries[:had]
		}
	}
	held := policy.Decision{Action: dedup.Hold, ManagedIn: mdi, Reason: policy.Waiting}
	outside(says(mcas, "c0", "x1", `CORP\anna`, dedup.First, held)) // the other service was first
	first := says(mdi, "m1", "x1", "anna@corp.example", dedup.Twin, policy.Decision{Action: dedup.Forward, ManagedIn: mcas, Rule: "cloud first", Reason: policy.ManagedHere})
	first.Match.Evidence = []dedup.Evidence{{What: "account", How: "eve is anna", Points: 40}}
	first.Match.RunnerUp = &dedup.Candidate{Alert: "x0"}
	if !more {
		first.Match = dedup.Match{Alert: "y1", Relation: dedup.First, Type: "2023"}
		first.Decision = policy.Decision{Action: dedup.Forward, ManagedIn: mdi, Reason: policy.ManagedHere}
	}
	inside(first)
	outside(says(mcas, "c1", "x1", "eve@corp.example", dedup.Update, held))
	outside(did("eve@corp.example", "Box"))
	second := inside(says(mdi, "m2", "x2", `CORP\bo`, dedup.First, policy.Decision{Action: dedup.Forward, ManagedIn: mdi, Reason: policy.ManagedHere}))
	outside(says(mcas, "c2", "x2", "bo@corp.example", dedup.Twin, policy.Decision{Action: dedup.Suppress, ManagedIn: mdi, StandsFor: second.Key, Reason: policy.TwinForwarded}))
	outside(says(mcas, "c3", "x3", `CORP\bo`, dedup.First, held))
	inside(says(mdi, "m2", "x2", `CORP\bo`, dedup.Update, policy.Decision{Action: dedup.Forward, ManagedIn: mdi}))
	outside(&stream.Entry{Kind: stream.Release, Match: dedup.Match{Alert: "x3"}, Notification: formats.Notification{Service: mcas, Kind: formats.Alert, ID: "c3", Origin: mdi}})
	p.act(model.Write{Alerts: []string{"x2"}, Text: "looked at it"}, access.Scope{})
	if more {
		p.act(model.Write{Alerts: []string{"x3"}, Text: "not theirs"}, access.Scope{})
		p.act(model.Close{Alerts: []string{"x1"}, In: mcas, Why: "benign", Comment: "closed in the cloud"}, access.Scope{})
		p.act(model.SaveQuery{Query: model.SavedQuery{Name: "eve's", Of: "alerts", Filter: "user contains eve", Shared: true}}, access.Scope{})
	}
	return p
}

// limitedTo is the API on a limited model of that past.
func limitedTo(t *testing.T, p *past, scope access.Scope) http.Handler {
	t.Helper()
	s, last := recorded(t, p)
	return limitedOf(t, s, last, scope, nil)
}

// recorded is a stream that has the past.
func recorded(t *testing.T, p *past) (s *stream.Stream, last stream.Position) {
	t.Helper()
	ctx, dir, log := context.WithoutCancel(t.Context()), t.TempDir(), slog.New(slog.DiscardHandler)
	s, err := stream.Open(ctx, stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, e := range p.entries { // a message each, so that places differ too
		var b stream.Batch
		copied := *e
		if _, err := b.Add(&copied); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(ctx, &b); err != nil {
			t.Fatal(err)
		}
		last = copied.At
	}
	return s, last
}

// limitedOf is the API on a limited model of that stream, when it has come to a place.
func limitedOf(t *testing.T, s *stream.Stream, last stream.Position, scope access.Scope, whole *model.Model) http.Handler {
	t.Helper()
	m := follow(t, s, last, scope, whole)
	return api.As(access.Principal{ID: "team", Role: access.Operator, Scope: scope},
		api.New(api.Options{Model: m, Recorder: deaf{}, Version: "test", Log: slog.New(slog.DiscardHandler)}))
}

// follow opens a model of the stream and waits until it has come to a place.
func follow(t *testing.T, s *stream.Stream, last stream.Position, scope access.Scope, whole *model.Model) *model.Model {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	m, err := model.Open(ctx, model.Options{
		Dir: t.TempDir(), Stream: s, Config: config.Default(), Log: slog.New(slog.DiscardHandler), Scope: scope,
		Whole: func() *model.Model { return whole }, Raise: func(context.Context, formats.Notification) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = m.Close()
	})
	if err := m.Wait(ctx, last); err != nil {
		t.Fatal(err)
	}
	return m
}

// deaf records nothing.
type deaf struct{}

func (deaf) Record(context.Context, stream.Act) (*stream.Entry, error) { return &stream.Entry{}, nil }

func (deaf) ForwardAfterAll(context.Context, dedup.AlertID, dedup.EventKey, string, string) (*stream.Entry, error) {
	return nil, model.ErrNotFound
}

// TestWorldsThatDifferOutside asks everything of two worlds that differ only in what a role can't see: each answer has to
// be the same to the byte, with its headers.
func TestWorldsThatDifferOutside(t *testing.T) {
	scope := access.Scope{Services: []string{"defender_for_identity"}}
	more, less := tell(true), tell(false)
	a, b := limitedTo(t, more, scope), limitedTo(t, less, scope)
	asked := 0
	for _, path := range reads(t, a, b, more.ids) {
		x, y := answer(a, path), answer(b, path)
		if d := cmp.Diff(x, y); d != "" {
			t.Errorf("GET %s tells the worlds apart: %s", path, d)
		}
		for _, secret := range []string{"eve@corp", "eve's", "host-c", "cloud_app_security", "cloud first", "not theirs", "closed in the cloud"} {
			if strings.Contains(x, secret) && path != "/fields" && !strings.Contains(path, secret) { // fields lists every service there can be
				t.Errorf("GET %s tells of %q: %.2000s", path, secret, x)
			}
		}
		asked++
	}
	for _, path := range []string{"/alerts?filter=service+%3D+cloud_app_security", "/activities/facets?fields=type&filter=application+%3D+Box"} {
		if got := answer(limitedTo(t, less, access.Scope{Services: scope.Services, Applications: []string{"Active Directory"}}), path); !strings.HasPrefix(got, "403") || !strings.Contains(got, "asks for") {
			t.Errorf("GET %s asks for what is outside: %s", path, got)
		}
	}
	if asked < 60 {
		t.Errorf("only %d questions were asked", asked)
	}
	if x := answer(a, "/alerts"); strings.Count(x, `"service":"defender_for_identity"`) != 2 || !strings.Contains(x, `"low"`) {
		t.Errorf("the two alerts inside aren't shown: %s", x)
	}
}

// TestALimitedRolesOwnQueries: what somebody of the same limits saved is there when the stream is read again, and what
// others saved is not.
func TestALimitedRolesOwnQueries(t *testing.T) {
	ours, theirs := access.Scope{Services: []string{"defender_for_identity"}}, access.Scope{Services: []string{"identity_protection"}}
	p := tell(false)
	p.act(model.SaveQuery{Query: model.SavedQuery{Name: "anna's alerts", Of: "alerts", Filter: "user contains anna", Shared: true}}, ours)
	p.act(model.SaveQuery{Query: model.SavedQuery{Name: "risky", Of: "alerts", Filter: "user contains bo", Shared: true}}, theirs)
	p.act(model.SaveQuery{Query: model.SavedQuery{Name: "everything", Of: "alerts", Filter: "user is set", Shared: true}}, access.Scope{})
	got := answer(limitedTo(t, p, ours), "/queries")
	if !strings.Contains(got, "anna's alerts") || strings.Contains(got, "risky") || strings.Contains(got, `"everything"`) {
		t.Errorf("queries of a role that sees %s: %s", ours, got)
	}
}

// reads are questions of every kind, about everything that is anywhere.
func reads(t *testing.T, a, b http.Handler, ids map[string]bool) []string {
	t.Helper()
	filters := []string{
		"", "status = open", "severity >= high", "user contains eve", "user contains anna", "service = cloud_app_security", "managed_in = cloud_app_security",
		"application = Box", "drift = yes", "device contains c", "text contains suspected", "ip is set", "id is set",
	}
	var out []string
	for _, of := range []string{"/alerts", "/activities"} {
		for _, f := range filters {
			q := url.QueryEscape(f)
			out = append(out, of+"?filter="+q, of+"/total?filter="+q, of+"/export?format=csv&filter="+q, of+"/export?filter="+q, of+"?limit=1&filter="+q)
		}
		out = append(out, of+"/facets?fields=service,application,type,title,user,severity,ip,device", of+"?sort=time", of+"?cursor=nonsense")
	}
	out = append(out, "/alerts/facets?fields=status,read,drift,managed_in,assigned,category", "/alerts?sort=-severity", "/users", "/users?sort=display", "/users?limit=1",
		"/users?filter=user+contains+eve", "/queries", "/fields", "/state", "/policies")
	for _, h := range []http.Handler{a, b} {
		for _, list := range []string{"/alerts", "/activities", "/users"} {
			for _, id := range found(t, answer(h, list)) {
				ids[id] = true
			}
		}
	}
	for id := range ids {
		id = url.PathEscape(id)
		out = append(out, "/alerts/"+id, "/alerts/"+id+"/history", "/activities/"+id, "/users/"+id, "/users/"+id+"/timeline", "/queries/"+id)
	}
	return out
}

// found are the IDs in a list, and the cursors.
func found(t *testing.T, answer string) (out []string) {
	t.Helper()
	for _, key := range []string{`"id":"`, `"key":"`, `"user":"`, `"next":"`} {
		for _, part := range strings.Split(answer, key)[1:] {
			id, _, _ := strings.Cut(part, `"`)
			out = append(out, id)
		}
	}
	return out
}

// answer is the whole answer as text, its time left out.
func answer(h http.Handler, path string) string {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, api.Prefix+path, http.NoBody)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Result().Body)
	w.Header().Del("Date")
	return fmt.Sprint(w.Code, w.Header(), string(body))
}
