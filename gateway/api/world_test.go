package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// world is a model of one alert that both services report, and of what some people did, behind the API.
type world struct {
	t       *testing.T
	stream  *stream.Stream
	model   *model.Model
	api     http.Handler // for whoever asks
	handler http.Handler // for otto, who may everything
	door    *access.Door
	ids     map[string]string

	mu    sync.Mutex // guards now, count: of the recorder
	now   time.Time
	count int
}

func newWorld(t *testing.T, change ...func(*config.Config)) *world {
	t.Helper()
	c := config.Default()
	for _, do := range change {
		do(&c)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	s, err := stream.Open(ctx, stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, stream: s, now: time.Now().UTC().Add(-time.Hour), ids: map[string]string{}}
	w.model, err = model.Open(ctx, model.Options{
		Dir: dir + "/model", Stream: s, Config: c, Log: log,
		Raise: func(context.Context, formats.Notification) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.model.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := w.model.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w.door, err = access.Open(access.Options{Access: config.Default().Access, DataDir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	w.api = api.New(api.Options{Model: w.model, Recorder: w, Version: "test", Log: log, Door: w.door})
	w.handler = api.As(access.Principal{ID: "otto", Role: access.Admin}, w.api)
	w.fillStream()
	return w
}

// key is of a new entry, and moves the clock.
func (w *world) key() dedup.EventKey {
	w.count++
	w.now = w.now.Add(time.Second)
	return dedup.EventKey(fmt.Sprintf("%032x", w.count))
}

// alert is a service's notification of one.
func (w *world) alert(alert dedup.AlertID, s formats.Service, id, user string, d policy.Decision, r dedup.Relation) *stream.Entry {
	e := &stream.Entry{Kind: stream.Notification, Key: w.key(), Input: "tcp", Decision: d, Notification: formats.Notification{
		Service: s, Kind: formats.Alert, Channel: "syslog", Origin: formats.DefenderForIdentity, ID: id, Type: "2023", Title: "Suspected Brute Force attack",
		Severity: formats.Medium, Accounts: []formats.Entity{{Name: user}}, App: "Active Directory", Start: w.now, Arrived: w.now, Raw: []byte("bytes of " + id),
	}}
	e.Time, e.Match = w.now, dedup.Match{Alert: alert, Relation: r, Type: "2023"}
	return e
}

// activity is what somebody did, the class of which says what.
func (w *world) activity(user, class string) *stream.Entry {
	e := &stream.Entry{Kind: stream.Notification, Key: w.key(), Input: "tcp", Decision: policy.Decision{Action: dedup.Forward}, Notification: formats.Notification{
		Service: formats.CloudAppSecurity, Kind: formats.Activity, Channel: "syslog", ID: fmt.Sprint("act", w.count), Type: class, Class: class, Title: "Log on",
		Accounts: []formats.Entity{{Name: user}}, Addresses: []string{"192.0.2.7"}, App: "Box", Start: w.now, Arrived: w.now, Raw: []byte("x"),
	}}
	e.Time = w.now
	return e
}

// fillStream records the world's past.
func (w *world) fillStream() {
	w.t.Helper()
	first := w.alert("a1", formats.DefenderForIdentity, "m1", `CORP\anna`, policy.Decision{Action: dedup.Forward, ManagedIn: formats.DefenderForIdentity, Reason: policy.ManagedHere}, dedup.First)
	twin := w.alert("a1", formats.CloudAppSecurity, "c1", "anna@corp.example",
		policy.Decision{Action: dedup.Suppress, ManagedIn: formats.DefenderForIdentity, Reason: policy.TwinForwarded, StandsFor: first.Key}, dedup.Twin)
	did := w.activity("bo@corp.example", "EVENT_CATEGORY_LOGIN")
	w.append(first, twin, did, w.activity("anna@corp.example", "EVENT_CATEGORY_DELETE_FILE"))
	w.ids["A"], w.ids["N"], w.ids["K"] = "a1", string(twin.Key), w.keyOf(did.Notification.ID)
	w.ids["U"] = w.userOf("anna@corp.example")
	w.ids["V"] = w.userOf("bo@corp.example")
	w.ids["L"] = string(w.do(model.Write{Alerts: []string{"a1"}, Text: "looked at it"}).Key)
	w.ids["Q"] = string(w.do(model.SaveQuery{Query: model.SavedQuery{Name: "open", Of: "alerts", Filter: "status = open", Owner: "otto"}}).Key)
	token, _, err := w.door.Create(access.Principal{ID: "otto", Role: access.Admin}, "backup", access.Viewer, access.Scope{}, time.Now().Add(time.Hour))
	if err != nil {
		w.t.Fatal(err)
	}
	w.ids["X"] = token.ID
	w.ids["P"] = string(w.do(model.SavePolicy{Policy: model.ActivityPolicy{Name: "log-ins", Severity: formats.Low, Filter: "action = login", Times: 100, Within: time.Hour}}).Key)
}

func (w *world) keyOf(id string) string {
	w.t.Helper()
	f, err := filter.Activities().Parse("id = " + id)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.model.Activities(w.t.Context(), model.Query{Filter: f})
	if err != nil || len(p.Items) != 1 {
		w.t.Fatalf("activities %s: %v, %v", id, p.Items, err)
	}
	return p.Items[0].Key
}

func (w *world) userOf(spelling string) string {
	w.t.Helper()
	f, err := model.UserFields().Parse("user = " + spelling)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.model.Users(w.t.Context(), model.Query{Filter: f})
	if err != nil || len(p.Items) != 1 {
		w.t.Fatalf("users called %s: %v, %v", spelling, p.Items, err)
	}
	return p.Items[0].ID
}

// do records an act and waits for it.
func (w *world) do(a model.Act) *stream.Entry {
	w.t.Helper()
	act, err := model.Record("otto", a)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := w.Record(w.t.Context(), act)
	if err == nil {
		err = w.model.Wait(w.t.Context(), e.At)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) append(entries ...*stream.Entry) {
	w.t.Helper()
	var b stream.Batch
	for _, e := range entries {
		if _, err := b.Add(e); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.stream.Append(w.t.Context(), &b); err != nil {
		w.t.Fatal(err)
	}
	if err := w.model.Wait(w.t.Context(), entries[len(entries)-1].At); err != nil {
		w.t.Fatal(err)
	}
}

// Record stands in for the gateway's.
func (w *world) Record(ctx context.Context, a stream.Act) (*stream.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &stream.Entry{
		Kind: stream.Acted, Key: w.key(), Act: &a, Decision: policy.Decision{Action: dedup.Drop, Reason: policy.Operated},
		Notification: formats.Notification{Service: formats.Sluice, Kind: formats.Act, Channel: "sluice", Type: a.Verb},
	}
	e.Time = w.now
	var b stream.Batch
	if _, err := b.Add(e); err != nil {
		return nil, err
	}
	_, err := w.stream.Append(ctx, &b)
	return e, err
}

// ForwardAfterAll stands in for the gateway's, and knows one notification.
func (w *world) ForwardAfterAll(ctx context.Context, alert dedup.AlertID, key dedup.EventKey, by, _ string) (*stream.Entry, error) {
	if string(alert) != w.ids["A"] || string(key) != w.ids["N"] {
		return nil, fmt.Errorf("no such notification: %w", model.ErrNotFound)
	}
	return w.Record(ctx, stream.Act{By: by, Verb: "forward_after_all"})
}

// fill puts the world's IDs into a request.
func (w *world) fill(t *testing.T, s string) string {
	t.Helper()
	for name, id := range w.ids {
		s = strings.ReplaceAll(s, "%"+name, id)
	}
	return s
}
