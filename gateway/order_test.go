package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// frontDoor is the configuration of a gateway with an input, and with a file as its only target.
func frontDoor(t *testing.T, change ...func(*config.Config)) config.Config {
	t.Helper()
	return with(append([]func(*config.Config){func(c *config.Config) {
		c.DataDir = t.TempDir()
		c.Inputs = c.Inputs[:1:1]
		c.Inputs[0].Listen = "tcp://127.0.0.1:0"
		c.Targets = []config.Target{{Name: "file", Type: "file", Path: filepath.Join(c.DataDir, "out.jsonl"), Format: "json"}}
		c.HTTP.Listen = ""
	}}, change...)...)
}

// balanced fails where an equation doesn't hold.
func balanced(t *testing.T, g *Gateway) {
	t.Helper()
	if r, err := g.reconcile(t.Context()); err != nil || len(r.Unequal) > 0 {
		t.Errorf("the equations: %+v, %v", r.Unequal, err)
	}
}

// retraced fails where the stream isn't what is decided once more.
func retraced(t *testing.T, c config.Config, s *stream.Stream) {
	t.Helper()
	r, err := NewRetrace(c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for m, err := range s.Scan(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		found, err := r.Message(m)
		if err != nil || len(found) > 0 {
			t.Errorf("batch %d: %+v, %v", m.Sequence, found, err)
		}
	}
}

// TestActsAreRecorded: what operators do is in the stream, in its place among the notifications, goes to no target,
// changes nothing that is known of alerts, and is accounted for.
func TestActsAreRecorded(t *testing.T) {
	t.Parallel()
	c := frontDoor(t)
	g := startTimed(t, c, 0)
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	g.send(ida.mcas())
	g.until(func(e *stream.Entry) bool { return e.Kind == stream.Notification })
	before := dump(t, g.index)
	act := stream.Act{By: "otto", Verb: "close", Args: []byte(`{"why":"benign"}`)}
	at, err := g.Record(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	act.Args[2] = 'x' // the caller's own again
	again, err := g.Record(t.Context(), stream.Act{By: "otto", Verb: "read"})
	if err != nil || !at.Less(again) {
		t.Fatalf("recorded at %v, then at %v, %v", at, again, err)
	}
	for key, value := range dump(t, g.index) {
		if key != `"m"` && before[key] != value {
			t.Errorf("key %s of the state changed", key)
		}
	}
	g.send(ida.mdi())
	g.until(func(e *stream.Entry) bool { return e.Kind == stream.Release })
	want := []string{
		"notification mcas alert 1 held waiting",
		"act sluice - dropped operated",
		"act sluice - dropped operated",
		"notification mdi alert 1 forwarded managed_here",
		"release mcas alert 1 suppressed twin_forwarded",
	}
	entries := entriesOf(t, g.stream)
	if diff := cmp.Diff(want, (&story{entries: entries}).tell()); diff != "" {
		t.Fatalf("stream (-want +got):\n%s", diff)
	}
	first := entries[1]
	if diff := cmp.Diff(&stream.Act{By: "otto", Verb: "close", Args: []byte(`{"why":"benign"}`)}, first.Act); diff != "" || first.At != at {
		t.Errorf("recorded at %v, want %v (-want +got):\n%s", first.At, at, diff)
	}
	if n := first.Notification; n.Kind != "act" || n.Service != "sluice" || n.Type != "close" || first.Key == entries[2].Key {
		t.Errorf("recorded as %+v", n)
	}
	balanced(t, g.Gateway)
	retraced(t, c, g.stream)
	g.stop()
	if got := delivered(t, c.Targets[0].Path); len(got) != 1 || got[0] != string(entries[3].Key) {
		t.Errorf("the target got %q, want the one that is forwarded", got)
	}

	// The whole of it is what an export has, and what a rebuild passes over.
	var out bytes.Buffer
	if _, err := ExportStore(t.Context(), c, g.log, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"act":{"by":"otto","verb":"close","args":"{\"why\":\"benign\"}"}`) {
		t.Errorf("the export has no word of the act:\n%s", out.String())
	}
	if findings, err := CheckStore(t.Context(), c, g.log); err != nil || strings.Contains(fmt.Sprint(findings), "true") {
		t.Errorf("the store: %v, %v", findings, err)
	}
	g = startTimed(t, c, 0)
	if got := entriesOf(t, g.stream); len(got) != len(want) {
		t.Errorf("%d entries after a restart, want %d", len(got), len(want))
	}
}

// TestActsAmongMessages: acts that many operators give at once, among messages, are all recorded, each once, and
// share appends.
func TestActsAmongMessages(t *testing.T) {
	p := openPipeline(t, t.TempDir(), with())
	g := &Gateway{pipeline: p}
	const operators, each = 16, 20
	var mu sync.Mutex
	at := map[stream.Position]string{}
	var working sync.WaitGroup
	for i := range operators {
		working.Go(func() {
			for j := range each {
				verb := fmt.Sprintf("verb-%d-%d", i, j)
				pos, err := g.Record(t.Context(), stream.Act{By: "otto", Verb: verb})
				mu.Lock()
				if err != nil || at[pos] != "" {
					t.Errorf("%s is recorded at %v beside %q, %v", verb, pos, at[pos], err)
				}
				at[pos] = verb
				mu.Unlock()
				if err := p.accept(t.Context(), []input.Message{{Input: "test", Received: monday, Raw: fmt.Appendf(nil, "noise %s", verb)}}).Wait(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	acts, messages := 0, 0
	for _, e := range entriesOf(t, p.stream) {
		if e.Kind != stream.Acted {
			messages++
			continue
		}
		acts++
		if at[e.At] != e.Act.Verb {
			t.Errorf("at %v is %s, want %s", e.At, e.Act.Verb, at[e.At])
		}
	}
	if acts != operators*each || messages != operators*each {
		t.Errorf("%d acts and %d messages, want %d of each", acts, messages, operators*each)
	}
}

func TestActsThatAreNotRecorded(t *testing.T) {
	p := openPipeline(t, t.TempDir(), with())
	g := &Gateway{pipeline: p}
	tests := []struct {
		name string
		act  stream.Act
		want string
	}{
		{"says nothing", stream.Act{By: "otto"}, "an act without a verb says nothing"},
		{"too many arguments", stream.Act{Verb: "close", Args: make([]byte, maxArgs+1)}, "the arguments of close have 262145 bytes, more than 262144: entry is too large for the stream"},
		{"a long verb", stream.Act{Verb: strings.Repeat("x", 129)}, "the verb of an act has 129 bytes, more than 128: entry is too large for the stream"},
		{"a long name", stream.Act{By: strings.Repeat("x", 513), Verb: "close"}, "the operator's name has 513 bytes, more than 512: entry is too large for the stream"},
		{"as much as there may be", stream.Act{By: strings.Repeat("x", 512), Verb: "close", Args: make([]byte, maxArgs)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := g.Record(t.Context(), tt.act)
			if fmt.Sprint(err) != tt.want && (err != nil || tt.want != "") {
				t.Errorf("Record = %v, want %q", err, tt.want)
			}
		})
	}
	if got := len(entriesOf(t, p.stream)); got != 1 {
		t.Errorf("%d entries, want one", got)
	}
}

// TestNoRoomForAnAct: an operator is told at once that nothing is recorded, while senders wait; with room it goes on.
func TestNoRoomForAnAct(t *testing.T) {
	dir := t.TempDir()
	p, _ := newPipelineIn(t, dir, with(), slog.New(slog.DiscardHandler), time.Now())
	p.space.dirs = []string{filepath.Join(dir, "gone")}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	over := make(chan error, 1)
	go func() { over <- p.run(ctx) }()
	g := &Gateway{pipeline: p}
	waiting := p.accept(t.Context(), []input.Message{{Input: "test", Received: monday, Raw: []byte("noise")}})
	for range 3 {
		if _, err := g.Record(t.Context(), stream.Act{Verb: "close"}); !errors.Is(err, stream.ErrNotStored) {
			t.Errorf("Record = %v, want %v", err, stream.ErrNotStored)
		}
	}
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if _, err := g.Record(t.Context(), stream.Act{Verb: "close"}); !errors.Is(err, ErrStopping) {
		t.Errorf("Record = %v, want %v", err, ErrStopping)
	}
	if err := waiting.Wait(); !errors.Is(err, ErrStopping) {
		t.Errorf("accept = %v, want %v", err, ErrStopping)
	}
	if got := entriesOf(t, p.stream); len(got) > 0 {
		t.Errorf("%d entries, want none", len(got))
	}
}

// TestNobodyWaitsForEverWithAnAct: where the context ends before the decider has taken the act, it is not recorded;
// after that nobody knows.
func TestNobodyWaitsForEverWithAnAct(t *testing.T) {
	p := &pipeline{orders: make(chan *request)}
	g := &Gateway{pipeline: p}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-p.orders; cancel() }() // it is in the decider's hands
	if _, err := g.Record(ctx, stream.Act{Verb: "close"}); !errors.Is(err, ErrUndecided) || !errors.Is(err, context.Canceled) {
		t.Errorf("Record = %v, want %v", err, ErrUndecided)
	}
	if _, err := g.Record(ctx, stream.Act{Verb: "close"}); errors.Is(err, ErrUndecided) || !errors.Is(err, context.Canceled) {
		t.Errorf("Record = %v, want that nothing is recorded", err)
	}
}

// TestAnOrderThatIsRefusedLeavesNothing: nor does it keep the messages around it from being taken.
func TestAnOrderThatIsRefusedLeavesNothing(t *testing.T) {
	p := openPipeline(t, t.TempDir(), with())
	no := errors.New("no")
	refused := func(*dedup.Batch, *stream.Entry, time.Time) ([]*stream.Entry, error) { return nil, &refusalError{no} }
	if _, err := p.give(t.Context(), &incoming{order: refused}); !errors.Is(err, no) {
		t.Errorf("give = %v, want %v", err, no)
	}
	if err := p.accept(t.Context(), []input.Message{{Input: "test", Received: monday, Raw: []byte("noise")}}).Wait(); err != nil {
		t.Error(err)
	}
	if got := (&story{entries: entriesOf(t, p.stream)}).tell(); !cmp.Equal(got, []string{"notification unknown - forwarded " + string(policy.ByKind)}) {
		t.Errorf("the stream is %q", got)
	}
}
