package input

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestUDPTakesOneMessageFromEachDatagram(t *testing.T) {
	m := NewMetrics(nil)
	b := newBox()
	addr, stop := start(t, settings("udp://127.0.0.1:0"), b.accept, m)
	conn := dial(t, "udp", addr)
	long := "<13>" + strings.Repeat("l", 65_000)
	for _, text := range []string{"<13>plain", "<13>with an end\r\n", "\n", "<13>two\nlines\n", long} {
		write(t, conn, text)
	}
	want := []string{"<13>plain", "<13>with an end", "<13>two\nlines", long[:4096] + "~"}
	if diff := cmp.Diff(want, b.wait(4)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if got := testutil.ToFloat64(m.of("front").truncated); got != 1 {
		t.Errorf("truncated = %v, want 1", got)
	}
	if err := stop(); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func TestUDPHandsOverWhatArrivedBeforeTheStop(t *testing.T) {
	b := newBox()
	held := make(chan struct{})
	addr, stop := start(t, settings("udp://127.0.0.1:0"), func(ctx context.Context, batch []Message) Receipt {
		<-held
		return b.accept(ctx, batch)
	}, NewMetrics(nil))
	conn := dial(t, "udp", addr)
	for range 500 {
		write(t, conn, "<13>x")
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(held)
	if err := <-stopped; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	if got := len(b.texts()); got != 500 {
		t.Errorf("%d messages, want 500", got)
	}
}

// TestUDPCountsWhatTheKernelDrops: also while nothing is taken, so that an alarm can tell of it.
func TestUDPCountsWhatTheKernelDrops(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	m := NewMetrics(nil)
	in, err := ListenSyslog(settings("udp://127.0.0.1:0"), quiet(), m)
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, "udp", in.Addr().String())
	sent := 0
	for filler := strings.Repeat("f", 60_000); sent < 800; sent++ { // 48 MB, more than the kernel and we take
		write(t, conn, filler)
	}
	b := newBox()
	ctx, cancel := context.WithCancel(t.Context())
	done, room := make(chan error, 1), make(chan struct{})
	go func() {
		done <- in.Run(ctx, func(ctx context.Context, batch []Message) Receipt {
			<-room
			return b.accept(ctx, batch)
		})
	}()
	dropped := m.of("front").dropped
	for tick := time.NewTicker(10 * time.Millisecond); testutil.ToFloat64(dropped) == 0; <-tick.C {
		if t.Context().Err() != nil {
			t.Fatal("nothing is counted while nothing is taken")
		}
	}
	close(room)
	write(t, conn, "<13>after")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	if got, lost := testutil.ToFloat64(dropped), float64(sent+1-len(b.texts())); got != lost {
		t.Errorf("dropped = %v, want %v", got, lost)
	}
}

func TestQueueWaitsForRoomAndKeepsOrder(t *testing.T) {
	q := newQueue(10 * (overhead + 1))
	go func() {
		for i := range 1000 {
			q.put(Message{Raw: []byte{byte(i)}})
		}
		q.close()
	}()
	n := 0
	for batch := q.take(); batch != nil; batch = q.take() {
		if len(batch) > 10 {
			t.Fatalf("%d messages in a queue for 10", len(batch))
		}
		for _, m := range batch {
			if m.Raw[0] != byte(n) {
				t.Fatalf("message %d is %d", n, m.Raw[0])
			}
			n++
		}
	}
	if n != 1000 || q.size != 0 {
		t.Errorf("%d messages, %d bytes left; want 1000 and 0", n, q.size)
	}
	if q.put(Message{}) {
		t.Error("a closed queue took a message")
	}
}
