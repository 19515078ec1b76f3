package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// news is Cloud App Security's notification of the same with another text.
func news(in incident) string { return strings.Replace(in.mcas(), "msg=", "msg=More. ", 1) }

// TestForwardAfterAll: a suppressed twin that an operator has forwarded is an alert of its own from then on, for its
// targets, its updates, its resends and a rebuilt state.
func TestForwardAfterAll(t *testing.T) {
	t.Parallel()
	c := frontDoor(t)
	g := startTimed(t, c, 0)
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	g.send(ida.mdi())
	g.send(ida.mcas())
	twin := g.until(func(e *stream.Entry) bool { return e.Decision.Action == dedup.Suppress })
	at, err := g.ForwardAfterAll(t.Context(), twin.Match.Alert, twin.Key, "otto", "another machine")
	if err != nil {
		t.Fatal(err)
	}
	g.send(ida.mcas(), news(ida), ida.mdi(" More."), ida.mdi())
	want := []string{
		"notification mdi alert 1 forwarded managed_here",
		"notification mcas alert 1 suppressed twin_forwarded",
		"undo mcas alert 2 forwarded separated",
		"notification mcas alert 2 suppressed resend",
		"notification mcas alert 2 forwarded update",
		"notification mdi alert 1 forwarded update",
		"notification mdi alert 1 suppressed resend",
	}
	g.stop()
	if err := removeState(c); err != nil {
		t.Fatal(err)
	}
	g = startTimed(t, c, 0)
	entries := entriesOf(t, g.stream)
	if diff := cmp.Diff(want, (&story{entries: entries}).tell()); diff != "" {
		t.Fatalf("stream (-want +got):\n%s", diff)
	}
	undo := entries[2]
	if diff := cmp.Diff(&stream.Act{By: "otto", Verb: "forward_after_all", Args: []byte(`{"why":"another machine"}`)}, undo.Act); diff != "" {
		t.Errorf("the act (-want +got):\n%s", diff)
	}
	if undo.At != at || undo.Key != twin.Key || string(undo.Notification.Raw) != string(twin.Notification.Raw) {
		t.Errorf("at %v, %s is forwarded; want at %v %s, whole", undo.At, undo.Key, at, twin.Key)
	}
	for _, key := range []dedup.EventKey{twin.Key, entries[0].Key} {
		if _, err := g.ForwardAfterAll(t.Context(), twin.Match.Alert, key, "otto", ""); !errors.Is(err, dedup.ErrNotSuppressed) {
			t.Errorf("forwarding it again: %v", err)
		}
	}
	balanced(t, g.Gateway)
	retraced(t, c, g.stream)
	g.stop()
	var forwarded []string
	for _, e := range entries {
		if e.Delivered() {
			forwarded = append(forwarded, string(e.Key))
		}
	}
	if diff := cmp.Diff(forwarded, delivered(t, c.Targets[0].Path)); diff != "" || len(forwarded) != 4 {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
}

// nobodys is a key that no notification has.
const nobodys = dedup.EventKey("00000000000000000000000000000000")

// TestForwardAfterAllOrNot is about what is there to be forwarded, whether the state knows it or only the stream.
func TestForwardAfterAllOrNot(t *testing.T) {
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	two := incident{number: 2, user: "jan.stein", host: "WS-18", start: 3 * h}
	silent := func(c *config.Config) { c.Policy.Updates = "suppress" }
	shadow := func(c *config.Config) { c.Policy.Mode = "shadow" }
	tests := []struct {
		name   string
		change func(*config.Config)
		lines  []string
		of     int    // the entry that is to be forwarded, -1 for one that there isn't
		as     int    // the entry whose alert is named
		want   string // what is recorded
		err    error
		forgot error // where the state knows nothing; err where that is nil
	}{
		{"a twin", nil, []string{ida.mdi(), ida.mcas()}, 1, 1, "undo mcas alert 2 forwarded separated", nil, nil},
		{"a late twin", func(c *config.Config) { *c.Policy.Hold = 0 }, []string{ida.mcas(), ida.mdi()}, 1, 1, "undo mdi alert 2 forwarded separated", nil, nil},
		{"a twin that was held", nil, []string{ida.mcas(), ida.mdi()}, 0, 0, "undo mcas alert 2 forwarded separated", nil, nil},
		{"what was forwarded", nil, []string{ida.mdi(), ida.mcas()}, 0, 0, "", dedup.ErrNotSuppressed, nil},
		{"what is held", nil, []string{ida.mcas()}, 0, 0, "", dedup.ErrNotSuppressed, nil},
		{"a resend", nil, []string{ida.mdi(), ida.mdi()}, 1, 1, "", dedup.ErrResend, nil},
		{"a resend of a twin", nil, []string{ida.mdi(), ida.mcas(), ida.mcas()}, 2, 1, "", dedup.ErrResend, nil},
		{"an update that is suppressed", silent, []string{ida.mdi(), ida.mdi(" More.")}, 1, 0, "undo mdi alert 1 forwarded update", nil, nil},
		{"an update that is forwarded", nil, []string{ida.mdi(), ida.mdi(" More.")}, 1, 0, "", dedup.ErrNotSuppressed, nil},
		{"another alert's", nil, []string{ida.mdi(), ida.mcas(), two.mdi()}, 1, 2, "", dedup.ErrNoNotification, nil},
		{"nobody's", nil, []string{ida.mdi()}, -1, 0, "", dedup.ErrNoNotification, dedup.ErrNoAlert},
		{"no alert", nil, []string{activity(1), activity(1)}, 1, 0, "", dedup.ErrNoNotification, nil},
		{"no such alert", nil, []string{ida.mdi()}, -1, -1, "", dedup.ErrNoAlert, nil},
		{"in shadow mode", shadow, []string{ida.mdi(), ida.mcas()}, 1, 1, "undo mcas alert 2 suppressed (would be forwarded) separated", nil, nil},
		{"an update in shadow mode", func(c *config.Config) { silent(c); shadow(c) }, []string{ida.mdi(), ida.mdi(" More.")}, 1, 1, "", dedup.ErrNotSuppressed, nil},
	}
	for _, forgotten := range []bool{false, true} {
		for _, tt := range tests {
			name, want := tt.name, tt.err
			if forgotten {
				name += ", forgotten"
				if tt.forgot != nil {
					want = tt.forgot
				}
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := with()
				if tt.change != nil {
					tt.change(&c)
				}
				dir := t.TempDir()
				p := runPipeline(t, dir, c)
				p.receive(tt.lines...)
				if forgotten {
					p.stop()
					forget(t, dir, c)
					p = runPipeline(t, dir, c)
				}
				before := entriesOf(t, p.stream)
				alert, key := dedup.AlertID(nobodys), nobodys
				if tt.as >= 0 {
					alert = before[tt.as].Match.Alert
				}
				if tt.of >= 0 {
					key = before[tt.of].Key
				}
				g := &Gateway{pipeline: p.pipeline}
				at, err := g.ForwardAfterAll(t.Context(), alert, key, "otto", "")
				if !errors.Is(err, want) {
					t.Fatalf("ForwardAfterAll = %v, want %v", err, want)
				}
				after := entriesOf(t, p.stream)
				if want != nil {
					if len(after) != len(before) {
						t.Errorf("%q is recorded", (&story{entries: after}).tell()[len(before):])
					}
					return
				}
				if told := (&story{entries: after}).tell(); at != after[len(after)-1].At || !cmp.Equal(told[len(before):], []string{tt.want}) {
					t.Errorf("at %v, the stream ends with %q, want %q", at, told[len(before):], tt.want)
				}
				if _, err := g.ForwardAfterAll(t.Context(), alert, key, "otto", ""); !errors.Is(err, dedup.ErrNotSuppressed) {
					t.Errorf("once more = %v, want %v", err, dedup.ErrNotSuppressed)
				}
				retraced(t, c, p.stream)
			})
		}
	}
}

// TestForwardAfterAllOnce: of many operators who want the same at once one gets it.
func TestForwardAfterAllOnce(t *testing.T) {
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	for name, lines := range map[string][]string{"a twin": {ida.mdi(), ida.mcas()}, "an update": {ida.mdi(), ida.mdi(" More.")}} {
		t.Run(name, func(t *testing.T) {
			p := runPipeline(t, t.TempDir(), with(func(c *config.Config) { c.Policy.Updates = "suppress" }))
			p.receive(lines...)
			e := entriesOf(t, p.stream)[1]
			g := &Gateway{pipeline: p.pipeline}
			var mu sync.Mutex
			done := 0
			var asking sync.WaitGroup
			for range 16 {
				asking.Go(func() {
					_, err := g.ForwardAfterAll(t.Context(), e.Match.Alert, e.Key, "otto", "")
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						done++
					} else if !errors.Is(err, dedup.ErrNotSuppressed) {
						t.Error(err)
					}
				})
			}
			asking.Wait()
			if n := len(entriesOf(t, p.stream)) - 2; done != 1 || n != 1 {
				t.Errorf("%d got it, %d are recorded, want one", done, n)
			}
		})
	}
}

// TestForgotten: neither the state nor the stream has it whole.
func TestForgotten(t *testing.T) {
	p := runPipeline(t, t.TempDir(), with(func(c *config.Config) { c.Policy.Updates = "suppress" }))
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	p.receive(ida.mdi(), ida.mdi(" More."))
	e := entriesOf(t, p.stream)[1]
	p.receive("noise")
	_, last := p.stream.Bounds()
	if err := p.stream.Retain(t.Context(), time.Now().Add(time.Hour), last); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{pipeline: p.pipeline}
	_, err := g.ForwardAfterAll(t.Context(), e.Match.Alert, e.Key, "otto", "")
	if !errors.Is(err, dedup.ErrForgotten) {
		t.Errorf("ForwardAfterAll = %v, want %v", err, dedup.ErrForgotten)
	}
	_, err = g.ForwardAfterAll(t.Context(), e.Match.Alert, e.Key, "otto", strings.Repeat("x", maxWhy+1))
	if !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("ForwardAfterAll = %v, want %v", err, stream.ErrTooLarge)
	}
}

// TestApartForGood: what was suppressed for a notification that is still held doesn't pair with it again when the
// hold ends.
func TestApartForGood(t *testing.T) {
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	st := newStory(t, with(manageIn("cloud_app_security")))
	st.at(20*s, ida.mdi())
	st.decider = newStory(t, with()).decider // the rule has changed, so that the twin is suppressed for what is held
	now := st.clock.next(monday.Add(m))
	b := st.index.Begin()
	defer b.Discard()
	twin := entryOf("test", normalize([]byte(ida.mcas()), now))
	entries, err := st.decider.notification(b, &twin, now) // without what follows, as after a crash
	if err == nil {
		err = b.Commit(dedup.Mark{})
	}
	if err != nil {
		t.Fatal(err)
	}
	st.entries = append(st.entries, entries...)
	now = st.clock.next(now)
	st.step(now, func(b *dedup.Batch) ([]*stream.Entry, error) {
		a := &afterAll{pipeline: &pipeline{decider: st.decider}, alert: twin.Match.Alert, key: twin.Key, act: &stream.Act{Verb: "x"}}
		return a.byState(b, new(stream.Entry), now)
	})
	st.at(h)
	want := []string{
		"notification mdi alert 1 held waiting",
		"notification mcas alert 1 suppressed twin_held",
		"undo mcas alert 2 forwarded separated",
		"release mdi alert 1 forwarded managed_here",
	}
	if diff := cmp.Diff(want, st.tell()); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

// running is a pipeline that runs until it is stopped.
type running struct {
	*pipeline
	t    *testing.T
	stop func()
}

func runPipeline(t *testing.T, dir string, c config.Config) *running {
	t.Helper()
	p, closes := newPipelineIn(t, dir, c, slog.New(slog.DiscardHandler), time.Now())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		closes()
	})
	t.Cleanup(stop)
	return &running{p, t, stop}
}

// receive takes lines, one after the other.
func (r *running) receive(lines ...string) {
	r.t.Helper()
	for _, l := range lines {
		if err := r.accept(r.t.Context(), []input.Message{{Input: "test", Received: monday, Raw: []byte(l)}}).Wait(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// removeState removes the state, so that it is rebuilt.
func removeState(c config.Config) error { return os.RemoveAll(filepath.Join(c.DataDir, "state")) }

// forget makes the state in dir one that has seen the whole stream and remembers nothing of it.
func forget(t *testing.T, dir string, c config.Config) {
	t.Helper()
	c.DataDir = dir
	if err := removeState(c); err != nil {
		t.Fatal(err)
	}
	s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(dir, "stream")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, last := s.Bounds()
	m, err := s.Read(t.Context(), last)
	if err != nil {
		t.Fatal(err)
	}
	x, err := dedup.Open(filepath.Join(dir, "state"), c)
	if err != nil {
		t.Fatal(err)
	}
	b := x.Begin()
	defer b.Discard()
	err = b.Commit(dedup.Mark{Sequence: m.Sequence, Hash: m.Hash, Time: m.Entries[len(m.Entries)-1].Time})
	if err := errors.Join(err, x.Close()); err != nil {
		t.Fatal(fmt.Errorf("forget: %w", err))
	}
}
