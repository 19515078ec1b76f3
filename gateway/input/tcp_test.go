package input

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestTCPTellsFramingsApart(t *testing.T) {
	const one, two = "<36>1 2031-02-03T04:05:06Z sensor CEF 1 X 0|Microsoft|Azure ATP|", "<13>Feb  3 04:05:07 h t: two"
	tests := []struct {
		name, sent string
		want       []string
	}{
		{"newline", one + "\n" + two + "\n", []string{one, two}},
		{"NUL", one + "\x00" + two + "\x00", []string{one, two}},
		{"octet counted", fmt.Sprintf("%d %s%d %s", len(one), one, len(two), two), []string{one, two}},
		{"mixed", fmt.Sprintf("%d %s%s\n", len(one), one, two), []string{one, two}},
		{"no end before the close", one + "\n" + two, []string{one, two}},
		{"count that is never reached", fmt.Sprintf("%d %s", len(one)+9, one), []string{one + "~"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBox()
			addr, _ := start(t, settings("tcp://127.0.0.1:0"), b.accept, NewMetrics(nil))
			conn := dial(t, "tcp", addr)
			write(t, conn, tt.sent)
			conn.Close()
			if diff := cmp.Diff(tt.want, b.wait(len(tt.want))); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTCPCutsLongMessagesAndKeepsTheFraming(t *testing.T) {
	cfg := settings("tcp://127.0.0.1:0")
	cfg.MaxMessage = 32
	m := NewMetrics(nil)
	b := newBox()
	addr, _ := start(t, cfg, b.accept, m)
	long := "<13>" + strings.Repeat("x", 100_000)
	conn := dial(t, "tcp", addr)
	write(t, conn, long+"\n<13>short\n")
	write(t, conn, fmt.Sprintf("%d %s", len(long), long)+"10 <13>second")
	want := []string{long[:32] + "~", "<13>short", long[:32] + "~", "<13>second"}
	if diff := cmp.Diff(want, b.wait(4)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if got := testutil.ToFloat64(m.of("front").truncated); got != 2 {
		t.Errorf("truncated = %v, want 2", got)
	}
}

func TestTCPHandsOverWhatWasReadInOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newTCP(&server{name: "front", max: 100, idle: time.Hour, log: quiet(), count: NewMetrics(nil).of("front")})
		var sizes []int
		near, far := net.Pipe()
		go func() {
			write(t, far, "<13>a\n<13>b\n<13>c\n<13>begin")
			write(t, far, "s\n")
			far.Close()
		}()
		in.serve(t.Context(), near, func(_ context.Context, batch []Message) Receipt {
			sizes = append(sizes, len(batch))
			return replied(nil)
		})
		if diff := cmp.Diff([]int{3, 1}, sizes); diff != "" {
			t.Errorf("batch sizes (-want +got):\n%s", diff)
		}
	})
}

func TestTCPBoundsBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newTCP(&server{name: "front", max: 1 << 20, idle: time.Hour, log: quiet(), count: NewMetrics(nil).of("front")})
		near, far := net.Pipe()
		sent := strings.Repeat("<13>x\n", 1000) + strings.Repeat("<13>"+strings.Repeat("y", 60_000)+"\n", 12)
		go func() {
			write(t, far, sent)
			far.Close()
		}()
		total := 0
		in.serve(t.Context(), near, func(_ context.Context, batch []Message) Receipt {
			bytes := 0
			for _, m := range batch[:len(batch)-1] {
				bytes += len(m.Raw)
			}
			if len(batch) > batchMessages || bytes >= batchBytes {
				t.Errorf("a batch has %d messages and %d bytes before its last", len(batch), bytes)
			}
			total += len(batch)
			return replied(nil)
		})
		if total != 1012 {
			t.Errorf("%d messages, want 1012", total)
		}
	})
}

func TestTCPClosesIdleConnections(t *testing.T) {
	tests := []struct {
		name  string
		send  func(far net.Conn)
		want  []string
		lives time.Duration
	}{
		{"silent", func(net.Conn) {}, nil, 15 * time.Minute},
		{"a byte a minute", func(far net.Conn) {
			for {
				if _, err := far.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(61 * time.Second) // the bubble's clock
			}
		}, []string{strings.Repeat("x", 15) + "~"}, 15 * time.Minute},
		{"a message every ten minutes, thrice", func(far net.Conn) {
			for range 3 {
				time.Sleep(10 * time.Minute)
				if _, err := far.Write([]byte("<13>m\n")); err != nil {
					return
				}
			}
		}, []string{"<13>m", "<13>m", "<13>m"}, 45 * time.Minute},
		{"an endless message", func(far net.Conn) {
			for {
				if _, err := far.Write([]byte(strings.Repeat("z", 50))); err != nil {
					return
				}
				time.Sleep(61 * time.Second)
			}
		}, []string{strings.Repeat("z", 100) + "~"}, 15*time.Minute + 122*time.Second}, // the part up to the cut is a message
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := newTCP(&server{name: "front", max: 100, idle: 15 * time.Minute, log: quiet(), count: NewMetrics(nil).of("front")})
				b := newBox()
				near, far := net.Pipe()
				begun := time.Now()
				var sender sync.WaitGroup
				defer sender.Wait()
				defer far.Close()
				sender.Go(func() { tt.send(far) })
				in.serve(t.Context(), near, b.accept)
				if lived := time.Since(begun); lived != tt.lives {
					t.Errorf("the connection lived %v, want %v", lived, tt.lives)
				}
				if got := b.texts(); !slices.Equal(got, tt.want) {
					t.Errorf("messages %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestTCPDoesNotCountBackPressureAsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newTCP(&server{name: "front", max: 100, idle: time.Minute, log: quiet(), count: NewMetrics(nil).of("front")})
		b := newBox()
		near, far := net.Pipe()
		go func() {
			write(t, far, "<13>first\n")
			write(t, far, "<13>second\n")
			far.Close()
		}()
		in.serve(t.Context(), near, func(ctx context.Context, batch []Message) Receipt {
			time.Sleep(time.Hour) // durable only then, by the bubble's clock
			return b.accept(ctx, batch)
		})
		if diff := cmp.Diff([]string{"<13>first", "<13>second"}, b.texts()); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
}

func TestTCPRefusesConnectionsOverTheLimit(t *testing.T) {
	cfg := settings("tcp://127.0.0.1:0")
	cfg.MaxConnections = 2
	m := NewMetrics(nil)
	b := newBox()
	addr, _ := start(t, cfg, b.accept, m)
	first, second := dial(t, "tcp", addr), dial(t, "tcp", addr)
	write(t, first, "<13>1\n")
	write(t, second, "<13>2\n")
	b.wait(2)
	third := dial(t, "tcp", addr)
	if n, err := third.Read(make([]byte, 1)); err == nil {
		t.Fatalf("the third connection read %d bytes, want it closed", n)
	}
	if got := testutil.ToFloat64(m.of("front").refused); got != 1 {
		t.Errorf("refused = %v, want 1", got)
	}
	write(t, first, "<13>3\n") // the others live on
	b.wait(3)
}

func TestTCPServesManyConnectionsAtOnce(t *testing.T) {
	const peers, each = 60, 50
	b := newBox()
	addr, stop := start(t, settings("tcp://127.0.0.1:0"), b.accept, NewMetrics(nil))
	var senders sync.WaitGroup
	for p := range peers {
		conn := dial(t, "tcp", addr)
		senders.Go(func() {
			for i := range each {
				fmt.Fprintf(conn, "<13>%d.%d\n", p, i)
			}
			conn.Close()
		})
	}
	senders.Wait()
	next := make(map[int]int, peers)
	for _, text := range b.wait(peers * each) {
		var p, i int
		if _, err := fmt.Sscanf(text, "<13>%d.%d", &p, &i); err != nil || i != next[p] {
			t.Fatalf("message %q out of order, want number %d", text, next[p])
		}
		next[p]++
	}
	if err := stop(); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func TestTCPHandsOverWhatPeersSentBeforeTheStop(t *testing.T) {
	b := newBox()
	addr, stop := start(t, settings("tcp://127.0.0.1:0"), b.accept, NewMetrics(nil))
	conn := dial(t, "tcp", addr)
	write(t, conn, "<13>first\n")
	b.wait(1)
	write(t, conn, "<13>second\n<13>never finis")
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	if n, err := conn.Read(make([]byte, 1)); err == nil { // we are told, by the half-close
		t.Fatalf("read %d bytes, want the end", n)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	want := []string{"<13>first", "<13>second", "<13>never finis~"}
	if diff := cmp.Diff(want, b.texts()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestStopInterruptsAnAcceptThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in := newTCP(&server{name: "front", max: 100, idle: time.Hour, log: quiet(), count: NewMetrics(nil).of("front")})
		near, far := net.Pipe()
		defer far.Close()
		go write(t, far, "<13>stuck\n")
		s := &Socket{run: untilRefused(func(ctx context.Context, accept Accept) error {
			in.serve(ctx, near, accept)
			return nil
		})}
		begun := time.Now()
		time.AfterFunc(time.Minute, cancel)
		err := s.Run(ctx, func(ctx context.Context, _ []Message) Receipt {
			<-ctx.Done()
			return replied(ctx.Err())
		})
		if took := time.Since(begun); err != nil || took != time.Minute+handover {
			t.Errorf("Run() = %v after %v, want nil after %v", err, took, time.Minute+handover)
		}
	})
}
