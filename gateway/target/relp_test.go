package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/relp"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

func newRELPTarget(t *testing.T, cfg config.Target) *RELP {
	t.Helper()
	if cfg.Format == "" {
		cfg.Format = "json"
	}
	r, err := NewRELP(cfg, "gate.example", slog.New(slog.DiscardHandler), NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func newRELPReceiver(t *testing.T, wrap func(net.Conn) net.Conn, stays bool) *siem.RELP {
	t.Helper()
	s, err := siem.NewRELP(wrap, stays)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRELPContract(t *testing.T) {
	for _, stays := range []bool{false, true} {
		t.Run(fmt.Sprintf("receiver stays after a refusal %t", stays), func(t *testing.T) {
			contract{
				open: func(t *testing.T) (deliverer, *siem.Record) {
					s := newRELPReceiver(t, nil, stays)
					r := newRELPTarget(t, config.Target{Address: "relp://" + s.Addr(), Batch: config.Batch{Entries: 3}})
					r.patience = time.Minute
					return r, &s.Record
				},
				faults: []siem.Fault{siem.Refuse, siem.Reset, siem.Lie, siem.Stall},
				unsure: []siem.Fault{siem.Stall}, // the answer to what was before may be on its way when the test gives up
				poison: true,
			}.run(t)
		})
	}
}

// scripted is a receiver that opens sessions as it should, and then does to each frame what a test says.
func scripted(t *testing.T, do func(conn net.Conn, session int, f relp.Frame)) *receiver {
	return newSIEM(t, "127.0.0.1:0", nil, func(s *receiver, number int, conn net.Conn) {
		in := relp.NewReader(conn, 1<<20)
		for {
			f, err := in.Next()
			if err != nil {
				return
			}
			if f.Command == "open" && number > 0 {
				rsp(conn, f.Number, "200 OK\nrelp_version=0\nrelp_software=x\ncommands=eventlog,syslog")
				continue
			}
			do(conn, number, f)
		}
	})
}

func rsp(w io.Writer, number int, text string) { _, _ = w.Write(relp.Append(nil, number, "rsp", text)) }

func TestRELPOnTheWire(t *testing.T) {
	var got []byte
	done := make(chan struct{})
	s := newSIEM(t, "127.0.0.1:0", nil, func(_ *receiver, _ int, conn net.Conn) {
		defer close(done)
		in := relp.NewReader(io.TeeReader(conn, writer{&got}), 1<<20)
		for {
			f, err := in.Next()
			if err != nil {
				return
			}
			switch f.Command {
			case "open":
				rsp(conn, f.Number, "200 OK\nrelp_version=0\ncommands=syslog")
			case "syslog":
				rsp(conn, f.Number, "200 OK")
			case "close":
				rsp(conn, f.Number, "")
				return
			}
		}
	})
	r := newRELPTarget(t, config.Target{Address: "relp://" + s.listener.Addr().String(), Format: "cef", Header: "rfc3164"})
	deliver(t, r, numbered(1, 2))
	r.Close()
	<-done
	want := "1 open 51 relp_version=0\nrelp_software=sluice\ncommands=syslog\n"
	v, err := newEnvelope("cef", "rfc3164", "gate.example")
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range numbered(1, 2) {
		message, err := v.pack(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("%d syslog %d %s\n", i+2, len(message), message)
	}
	want += "4 close 0\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("on the wire (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(got), "<134>May  6 07:08:09 gate.example CEF:0|") {
		t.Errorf("on the wire %q, want the header of RFC 3164", got)
	}
}

type writer struct{ to *[]byte }

func (w writer) Write(b []byte) (int, error) {
	*w.to = append(*w.to, b...)
	return len(b), nil
}

// What a receiver answers to the first of three frames decides what becomes of it, and of all.
func TestRELPAnswers(t *testing.T) {
	const r, d = Retry, Delivered
	tests := []struct {
		name   string
		answer func(conn net.Conn, f relp.Frame) // to frame 2, the first with a message; the others get 200
		want   []Result
		words  string // of the error
	}{
		{"200 OK", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "200 OK") }, []Result{d, d, d}, ""},
		{"200 without words", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "200") }, []Result{d, d, d}, ""},
		{"200 with other words", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "200 queued\nmore=1") }, []Result{d, d, d}, ""},
		{"500", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "500 no space") }, []Result{r, d, d}, "answers 500 no space"},
		{"a code of another kind", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "403 no") }, []Result{r, d, d}, "answers 403 no"},
		{"no answer and serverclose", func(c net.Conn, _ relp.Frame) { _, _ = io.WriteString(c, "0 serverclose 0\n") }, []Result{r, r, r}, "closes the session"},
		{"no answer and the end", func(c net.Conn, _ relp.Frame) { c.Close() }, []Result{r, r, r}, "EOF"},
		{"an answer of nothing", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "") }, []Result{r, r, r}, "not what RELP has"},
		{"no code", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "OK") }, []Result{r, r, r}, "not what RELP has"},
		{"a number nobody asked for", func(c net.Conn, _ relp.Frame) { rsp(c, 77, "200 OK") }, []Result{r, r, r}, "transaction 77"},
		{"the number of the hint", func(c net.Conn, _ relp.Frame) { rsp(c, 0, "200 OK") }, []Result{r, r, r}, "transaction 0"},
		{"answered twice", func(c net.Conn, f relp.Frame) {
			rsp(c, f.Number, "200 OK")
			rsp(c, f.Number, "200 OK")
		}, []Result{d, r, r}, "transaction 2"},
		{"a command", func(c net.Conn, f relp.Frame) { _, _ = c.Write(relp.Append(nil, f.Number, "syslog", "200 OK")) }, []Result{r, r, r}, "not what RELP has"},
		{"HTTP", func(c net.Conn, _ relp.Frame) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, []Result{r, r, r}, "no RELP frame"},
		{"a frame without an end", func(c net.Conn, _ relp.Frame) {
			_, _ = io.WriteString(c, "2 rsp 999999999 "+strings.Repeat("x", 1<<20))
		}, []Result{r, r, r}, "no answer for"},
		{"many words", func(c net.Conn, f relp.Frame) { rsp(c, f.Number, "500 "+strings.Repeat("\x1b[31mx", 100_000)) }, []Result{r, d, d}, "500 [31mx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := scripted(t, func(conn net.Conn, _ int, f relp.Frame) {
				if f.Number == 2 {
					tt.answer(conn, f)
				} else {
					rsp(conn, f.Number, "200 OK")
				}
			})
			target := newRELPTarget(t, config.Target{Address: "relp://" + s.listener.Addr().String()})
			target.patience = 200 * time.Millisecond
			results, err := target.Deliver(t.Context(), numbered(1, 3))
			if diff := cmp.Diff(tt.want, results); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if err == nil && tt.words != "" || err != nil && (tt.words == "" || !strings.Contains(err.Error(), tt.words)) {
				t.Errorf("Deliver() = %v, want %q", err, tt.words)
			}
			if err != nil && (len(err.Error()) > 1000 || strings.ContainsRune(err.Error(), 0x1b) || PauseOf(err).Blocked) {
				t.Errorf("Deliver() = %v", err)
			}
		})
	}
}

// TestRELPRefusesEverything: a receiver in trouble refuses whatever is in its window, and the log has one line of it.
func TestRELPRefusesEverything(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(conn net.Conn, _ int, f relp.Frame) { rsp(conn, f.Number, "500 no space") })
	target := newRELPTarget(t, config.Target{Address: "relp://" + s.listener.Addr().String()})
	results, err := target.Deliver(t.Context(), numbered(1, 50))
	if diff := cmp.Diff(repeat(Retry, 50), results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if err == nil || strings.Count(err.Error(), "answers 500 no space") != 1 {
		t.Errorf("Deliver() = %v, want \"answers 500 no space\" once", err)
	}
}

// What a receiver answers to open.
func TestRELPOffers(t *testing.T) {
	tests := []struct {
		name, answer string
		blocked      bool
		words        string
	}{
		{"refused", "500 required command not supported by client", false, "it refuses: 500 required command"},
		{"no version", "200 OK\ncommands=syslog", true, "no relp_version"},
		{"no offers", "200 OK", true, "no relp_version"},
		{"no syslog", "200 OK\nrelp_version=0\ncommands=eventlog", true, "takes no syslog"},
		{"no answer", "", false, "not what RELP has"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSIEM(t, "127.0.0.1:0", nil, func(_ *receiver, _ int, conn net.Conn) {
				in := relp.NewReader(conn, 1<<20)
				for f, err := in.Next(); err == nil; f, err = in.Next() {
					rsp(conn, f.Number, tt.answer)
				}
			})
			results, err := newRELPTarget(t, config.Target{Address: "relp://" + s.listener.Addr().String()}).Deliver(t.Context(), numbered(1, 2))
			if diff := cmp.Diff(repeat(Retry, 2), results); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if err == nil || !strings.Contains(err.Error(), tt.words) || PauseOf(err).Blocked != tt.blocked {
				t.Errorf("Deliver() = %v, blocked: %t; want %q, %t", err, PauseOf(err).Blocked, tt.words, tt.blocked)
			}
		})
	}
}

func TestRELPTakesAnswersInAnyOrderAndBoundsTheWindow(t *testing.T) {
	var held []int
	most := 0
	s := scripted(t, func(conn net.Conn, _ int, f relp.Frame) {
		held = append(held, f.Number)
		most = max(most, len(held))
		if len(held) == relpWindow || f.Number == 401 { // 400 messages behind open
			for _, n := range slices.Backward(held) {
				rsp(conn, n, "200 OK")
			}
			held = nil
		}
	})
	r := newRELPTarget(t, config.Target{Address: "relp://" + s.listener.Addr().String(), Batch: config.Batch{Entries: 512}})
	deliver(t, r, numbered(1, 400))
	if most != relpWindow {
		t.Errorf("%d frames without an answer, want %d", most, relpWindow)
	}
}

func TestRELPCountsFromOneAgain(t *testing.T) {
	var got []int
	s := scripted(t, func(conn net.Conn, _ int, f relp.Frame) {
		got = append(got, f.Number)
		rsp(conn, f.Number, "200 OK")
	})
	r := newRELPTarget(t, config.Target{Address: "relp://" + s.listener.Addr().String()})
	deliver(t, r, numbered(1, 1))
	r.session.number = maxNumber - 2
	deliver(t, r, numbered(2, 5))
	if diff := cmp.Diff([]int{2, maxNumber - 1, maxNumber, 1, 2}, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}

// A receiver that refuses everything is in trouble: nothing is a dead letter, and all arrives in order.
func TestRELPWaitsForAReceiverInTrouble(t *testing.T) {
	for _, n := range []int{2, 10, 100} {
		s := newRELPReceiver(t, nil, true)
		r := newRELPTarget(t, config.Target{Address: "relp://" + s.Addr()})
		batch := numbered(1, n)
		for range 30 {
			s.Next(slices.Repeat([]siem.Fault{siem.Refuse}, 16)...)
			results, err := r.Deliver(t.Context(), batch)
			if diff := cmp.Diff(repeat(Retry, n), results); diff != "" || err == nil || errors.Is(err, ErrRejected) {
				t.Fatalf("Deliver() = %v, results (-want +got):\n%s", err, diff)
			}
			for s.Fault() != siem.None {
			}
		}
		deliver(t, r, batch)
		if diff := cmp.Diff(keys(batch), s.Keys()); diff != "" {
			t.Errorf("the receiver has (-want +got):\n%s", diff)
		}
	}
}

// poisoned makes an entry that the receiver refuses for good.
func poisoned(e *stream.Entry) *stream.Entry {
	bad := *e
	bad.Notification.Raw = append(slices.Clone(bad.Notification.Raw), (" " + siem.Poison)...)
	return &bad
}

// Several that are refused, side by side and at the end, keep none of the others from the receiver.
func TestRELPFindsWhatIsRefused(t *testing.T) {
	for _, stays := range []bool{false, true} {
		s := newRELPReceiver(t, nil, stays)
		r := newRELPTarget(t, config.Target{Address: "relp://" + s.Addr()})
		batch := numbered(1, 40)
		bad := []int{0, 1, 5, 6, 7, 8, 9, 10, 30, 39}
		for _, i := range bad {
			batch[i] = poisoned(batch[i])
		}
		fresh := numbered(41, 42) // what comes later shows that the receiver is well
		var rejected []string
		var left []*stream.Entry
		for tries := 0; len(batch) > 0; tries++ {
			if tries > 40 {
				t.Fatalf("%d entries are left: %v", len(batch), keys(batch))
			}
			results, err := r.DeliverMore(t.Context(), batch, func() []*stream.Entry {
				more := fresh
				fresh = nil
				batch = append(batch, more...)
				return more
			})
			left = nil
			for i, result := range results {
				switch result {
				case Retry:
					left = append(left, batch[i])
				case Rejected:
					rejected = append(rejected, string(batch[i].Key))
					if got := Reply(err, batch[i].Key); got != "the receiver answers 500 this is not for me" {
						t.Errorf("reply %q", got)
					}
				case Delivered:
				}
			}
			batch = left
		}
		slices.Sort(rejected)
		if diff := cmp.Diff([]string{"k0001", "k0002", "k0006", "k0007", "k0008", "k0009", "k0010", "k0011", "k0031", "k0040"}, rejected); diff != "" {
			t.Errorf("rejected (-want +got):\n%s", diff)
		}
		got := s.Keys()
		slices.Sort(got)
		if len(slices.Compact(got)) != 32 {
			t.Errorf("the receiver has %v", got)
		}
	}
}

// While the last answers are awaited, what comes is sent.
func TestRELPSendsOn(t *testing.T) {
	s := newRELPReceiver(t, nil, false)
	r := newRELPTarget(t, config.Target{Address: "relp://" + s.Addr()})
	rest := [][]*stream.Entry{numbered(3, 3), numbered(4, 300)}
	results, err := r.DeliverMore(t.Context(), numbered(1, 2), func() []*stream.Entry {
		if len(rest) == 0 {
			return nil
		}
		next := rest[0]
		rest = rest[1:]
		return next
	})
	if diff := cmp.Diff(repeat(Delivered, 300), results); diff != "" || err != nil {
		t.Errorf("DeliverMore() = %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(keys(numbered(1, 300)), s.Keys()); diff != "" {
		t.Errorf("the receiver has (-want +got):\n%s", diff)
	}
}

func TestRELPOpensAnotherSessionWhenOneIsOver(t *testing.T) {
	s := newRELPReceiver(t, nil, false)
	r := newRELPTarget(t, config.Target{Address: "relp://" + s.Addr()})
	deliver(t, r, numbered(1, 2))
	first := r.session
	if err := r.session.conn.(*counted).Conn.(*net.TCPConn).CloseWrite(); err != nil { // the receiver then closes
		t.Fatal(err)
	}
	for range first.answers {
	}
	deliver(t, r, numbered(3, 4))
	if r.session == first {
		t.Error("the session that is over is used")
	}
	if diff := cmp.Diff(keys(numbered(1, 4)), s.Keys()); diff != "" {
		t.Errorf("the receiver has (-want +got):\n%s", diff)
	}
}

func TestRELPOverTLS(t *testing.T) {
	server, client, stranger := newCerts(t, "siem.example"), newCerts(t, "gate.example"), newCerts(t, "siem.example")
	good := config.TLS{CA: server.ca, Cert: client.cert, Key: client.key, ServerName: "siem.example"}
	tests := []struct {
		name   string
		change func(c *config.TLS)
		words  string // "": it works
	}{
		{"both are known", func(*config.TLS) {}, ""},
		{"another name", func(c *config.TLS) { c.ServerName = "other.example" }, "other.example"},
		{"the name of the address", func(c *config.TLS) { c.ServerName = "" }, "127.0.0.1"},
		{"another authority", func(c *config.TLS) { c.CA = stranger.ca }, "unknown authority"},
		{"no certificate of ours", func(c *config.TLS) { c.Cert, c.Key = "", "" }, "certificate"},
		{"a stranger's certificate", func(c *config.TLS) { c.Cert, c.Key = stranger.cert, stranger.key }, "certificate"},
		{"a file that is missing", func(c *config.TLS) { c.CA += ".no" }, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newRELPReceiver(t, server.server(&client), false)
			cfg := config.Target{Address: "relp+tls://" + s.Addr(), TLS: good}
			tt.change(&cfg.TLS)
			r := newRELPTarget(t, cfg)
			results, err := r.Deliver(t.Context(), numbered(1, 2))
			if tt.words == "" {
				if diff := cmp.Diff(keys(numbered(1, 2)), s.Keys()); diff != "" || err != nil {
					t.Errorf("Deliver() = %v, the receiver has (-want +got):\n%s", err, diff)
				}
				return
			}
			if diff := cmp.Diff(repeat(Retry, 2), results); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if err == nil || !strings.Contains(err.Error(), tt.words) || !PauseOf(err).Blocked {
				t.Errorf("Deliver() = %v, blocked: %t; want %q, blocked", err, PauseOf(err).Blocked, tt.words)
			}
		})
	}
	t.Run("the certificate is replaced", func(t *testing.T) {
		s := newRELPReceiver(t, func(c net.Conn) net.Conn {
			return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: client.pool})
		}, false)
		cfg := config.Target{Address: "relp+tls://" + s.Addr(), TLS: good}
		cfg.TLS.Cert, cfg.TLS.Key = stranger.cert, stranger.key
		r := newRELPTarget(t, cfg)
		if _, err := r.Deliver(t.Context(), numbered(1, 1)); err == nil {
			t.Fatal("a stranger is let in")
		}
		put(t, stranger.cert, read(t, client.cert))
		put(t, stranger.key, read(t, client.key))
		deliver(t, r, numbered(1, 1))
	})
}

// Every wait ends with the context: for a connection, for an answer to open, for one to a message, and for
// room to write.
func TestRELPEndsWithItsContext(t *testing.T) {
	silent := newSIEM(t, "127.0.0.1:0", nil, func(_ *receiver, _ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	deaf := newSIEM(t, "127.0.0.1:0", nil, func(_ *receiver, _ int, conn net.Conn) {
		if f, err := relp.NewReader(conn, 100).Next(); err == nil {
			rsp(conn, f.Number, "200 OK\nrelp_version=0\ncommands=syslog")
		}
		<-t.Context().Done()
	})
	mute := scripted(t, func(net.Conn, int, relp.Frame) {})
	long := numbered(1, 128)
	for _, e := range long {
		e.Notification.Raw = append(e.Notification.Raw, strings.Repeat("x", 100_000)...)
	}
	tests := []struct {
		name  string
		s     *receiver
		batch []*stream.Entry
	}{{"open", silent, numbered(1, 1)}, {"message", mute, numbered(1, 1)}, {"write", deaf, long}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, own := range []bool{false, true} { // patience, or ctx
				r := newRELPTarget(t, config.Target{Address: "relp://" + tt.s.listener.Addr().String()})
				ctx := t.Context()
				if own {
					r.patience = 100 * time.Millisecond
				} else {
					c, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
					ctx = c
				}
				begun := time.Now()
				results, err := r.Deliver(ctx, tt.batch)
				if took := time.Since(begun); err == nil || took > 10*time.Second {
					t.Errorf("Deliver() = %v after %v, want an error soon", err, took)
				}
				if slices.Contains(results, Delivered) || slices.Contains(results, Rejected) {
					t.Errorf("results %v", results)
				}
			}
		})
	}
}

func TestRELPShortensWhatNoFrameHolds(t *testing.T) {
	s := newRELPReceiver(t, nil, false)
	r := newRELPTarget(t, config.Target{Address: "relp://" + s.Addr()})
	batch := numbered(1, 3)
	batch[1].Notification.Raw = append(batch[1].Notification.Raw, strings.Repeat("long ", 60_000)...)
	deliver(t, r, batch)
	if diff := cmp.Diff(keys(batch), s.Keys()); diff != "" {
		t.Errorf("the receiver has (-want +got):\n%s", diff)
	}
}

func TestRELPKnowsItsAddresses(t *testing.T) {
	for _, address := range []string{"tcp://h:1", "relp+tcp://h:1", "h:1"} {
		if _, err := NewRELP(config.Target{Address: address, Format: "json"}, "h", slog.New(slog.DiscardHandler), NewMetrics(nil)); err == nil {
			t.Errorf("address %s is taken", address)
		}
	}
}
