package target

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

// contract is what holds for every target; each type of target runs it against a server of its kind.
type contract struct {
	// open makes a server and a target of it. The target's requests hold three entries at most, and don't give up
	// before a test does, however busy the machine is. It closes both with the test.
	open func(t *testing.T) (deliverer, *siem.Record)
	// faults are those that the protocol can show.
	faults []siem.Fault
	// exact says that the server knows an entry again by its key and takes it once, whatever happens.
	exact bool
	// unsure are the faults, beside a lie, after which nobody may know what became of a request.
	unsure []siem.Fault
	// patient says that the target gives up by itself when a request stalls, as its clock is the test's.
	patient bool
	// poison says that the server can refuse one event for good.
	poison bool
}

func (c contract) run(t *testing.T) {
	t.Run("order", func(t *testing.T) {
		target, server := c.open(t)
		for from := 1; from <= 21; from += 7 {
			deliver(t, target, numbered(from, from+6))
		}
		if diff := cmp.Diff(keys(numbered(1, 21)), server.Keys()); diff != "" {
			t.Errorf("the server has (-want +got):\n%s", diff)
		}
	})
	for _, f := range c.faults {
		t.Run(f.String(), func(t *testing.T) { c.fault(t, f) })
	}
	if c.poison {
		t.Run("poison", c.poisoned)
	}
}

// fault injects one at each of the first requests, and delivers until everything is.
func (c contract) fault(t *testing.T, f siem.Fault) {
	for at := range 4 {
		target, server := c.open(t)
		server.Next(slices.Repeat([]siem.Fault{siem.None}, at)...)
		server.Next(f)
		batch := numbered(1, 10) // four requests
		for tries := 0; len(batch) > 0; tries++ {
			results, err := c.attempt(t, target, server, batch)
			if tries > 0 && err != nil {
				t.Fatalf("%v at request %d: the server is well again, and Deliver() = %v", f, at, err)
			}
			var left []*stream.Entry
			for i, r := range results {
				switch r {
				case Retry:
					left = append(left, batch[i])
				case Rejected:
					t.Errorf("%v at request %d: entry %s is rejected: %v", f, at, batch[i].Key, err)
				case Delivered:
				}
			}
			if len(left) > 0 && err == nil {
				t.Errorf("%v at request %d: entries are left, and nobody says why", f, at)
			}
			if p := PauseOf(err); p.Blocked {
				t.Errorf("%v at request %d: blocked: %v", f, at, err)
			} else if f == siem.Throttle && tries == 0 && (p.After < time.Second || p.After > 2*time.Second) {
				t.Errorf("%v at request %d: wait %v, want the second that the server asked for", f, at, p.After)
			}
			batch = left
		}
		c.complete(t, f, server, 10)
	}
}

// attempt delivers, and gives up when a request stalls.
func (c contract) attempt(t *testing.T, target deliverer, server *siem.Record, batch []*stream.Entry) ([]Result, error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if stalls := server.Stalls(); !c.patient {
		go func() {
			select {
			case <-stalls:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return target.Deliver(ctx, batch)
}

// complete wants every key from k0001 to that of n, in order, and none twice unless the protocol can't tell.
func (c contract) complete(t *testing.T, f siem.Fault, server *siem.Record, n int) {
	t.Helper()
	got := server.Keys()
	var first []string
	for _, k := range got {
		if !slices.Contains(first, k) {
			first = append(first, k)
		}
	}
	if diff := cmp.Diff(keys(numbered(1, n)), first); diff != "" {
		t.Errorf("after %v the server has (-want +got):\n%s", f, diff)
	}
	if twice := len(got) - len(first); twice > 0 && (c.exact || f != siem.Lie && !slices.Contains(c.unsure, f)) || twice > 3 {
		t.Errorf("after %v %d entries came twice: %v", f, twice, got)
	}
}

// poisoned sends one entry among others that the server refuses for good.
func (c contract) poisoned(t *testing.T) {
	for _, at := range []int{0, 1, 2, 5, 9} {
		target, server := c.open(t)
		batch := numbered(1, 10)
		bad := *batch[at]
		bad.Notification.Title, bad.Notification.Message = siem.Poison, siem.Poison
		bad.Notification.Raw = append(slices.Clone(bad.Notification.Raw), (" " + siem.Poison)...)
		batch[at] = &bad
		want := slices.Delete(keys(batch), at, at+1)
		state := make([]Result, len(batch))
		var reply error
		for tries := 0; slices.Contains(state, Retry) && tries < 10; tries++ {
			var left []*stream.Entry
			var of []int
			for i, r := range state {
				if r == Retry {
					left, of = append(left, batch[i]), append(of, i)
				}
			}
			results, err := target.Deliver(t.Context(), left)
			for i, r := range results {
				state[of[i]] = r
				if r == Rejected {
					reply = err
				}
			}
		}
		for i, r := range state {
			if i == at && r != Rejected || i != at && r != Delivered {
				t.Errorf("poison at %d: entry %d is %v", at, i, r)
			}
		}
		if text := Reply(reply, bad.Key); reply == nil || strings.Contains(text, "no reason") {
			t.Errorf("poison at %d: rejected without the server's words: %v", at, reply)
		}
		if diff := cmp.Diff(want, server.Keys()); diff != "" {
			t.Errorf("poison at %d: the server has (-want +got):\n%s", at, diff)
		}
	}
}

// written is a target that writes lines of CEF to somewhere a test can read.
type written struct {
	deliverer
	record *siem.Record
	read   func() string
	seen   int
}

// Deliver delivers, and notes what is there then.
func (w *written) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	results, err := w.deliverer.Deliver(ctx, batch)
	lines := strings.Split(strings.TrimSuffix(w.read(), "\n"), "\n")
	for _, line := range lines[w.seen:] {
		w.record.Take(siem.Event{Key: keyOf(line), Body: []byte(line)})
	}
	w.seen = len(lines)
	return results, err
}

// TestLinesKeepTheContract: where nobody answers, order is what there is to keep. What a reset costs over TCP and
// TLS, and what a full disk does to a file, are stories of their own.
func TestLinesKeepTheContract(t *testing.T) {
	overSyslog := func(network, framing string) func(t *testing.T) (deliverer, *siem.Record) {
		return func(t *testing.T) (deliverer, *siem.Record) {
			server, err := siem.ListenSyslog(network)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			cfg := config.Target{Name: "siem", Address: server.Address(), Format: "cef", Framing: framing}
			var target deliverer
			if network == "udp" {
				d, err := NewDatagrams(cfg, "gw1", NewMetrics(nil))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { d.Close() })
				target = d
			} else {
				target = newTarget(t, cfg)
			}
			return &arriving{target, &server.Record, 0}, &server.Record
		}
	}
	for name, open := range map[string]func(t *testing.T) (deliverer, *siem.Record){
		"tcp, octet counting": overSyslog("tcp", "octet"),
		"tcp, newlines":       overSyslog("tcp", "newline"),
		"udp":                 overSyslog("udp", ""),
		"file": func(t *testing.T) (deliverer, *siem.Record) {
			name, record := filepath.Join(t.TempDir(), "out"), &siem.Record{}
			read := func() string {
				b, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			return &written{newFile(t, name), record, read, 0}, record
		},
		"stdout": func(t *testing.T) (deliverer, *siem.Record) {
			var out bytes.Buffer
			record := &siem.Record{}
			s, err := NewStdout(config.Target{Format: "cef"}, &out)
			if err != nil {
				t.Fatal(err)
			}
			return &written{s, record, out.String, 0}, record
		},
	} {
		t.Run(name, contract{open: open}.run)
	}
}

// arriving waits until what was delivered has been read.
type arriving struct {
	deliverer
	record *siem.Record
	sent   int
}

// Deliver delivers, and waits.
func (a *arriving) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	results, err := a.deliverer.Deliver(ctx, batch)
	for _, r := range results {
		if r == Delivered {
			a.sent++
		}
	}
	for {
		more := a.record.More()
		if len(a.record.Events()) >= a.sent {
			return results, err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return results, ctx.Err()
		}
	}
}
