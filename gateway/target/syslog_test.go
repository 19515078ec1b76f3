package target

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/syslog"
	"github.com/sluice-siem/sluice/gateway/stream"
)

func TestSyslogFramesAndHeaders(t *testing.T) {
	e := received([]byte("CEF:0|Brew|Kettle|1|c|Boil over|9|msg=hot"))
	e.Notification.Severity = formats.High
	const body = "CEF:0|Brew|Kettle|1|c|Boil over|9|msg=hot sluiceReason=by_kind sluiceEventKey=e5f60718293a4b5c6d7e8f9011223344"
	const modern = "<130>1 2031-05-06T07:08:09.123456Z gate.example sluice - unknown - " + body
	const old = "<130>May  6 07:08:09 gate.example " + body
	tests := []struct{ header, framing, want string }{
		{"rfc5424", "octet", "177 " + modern},
		{"", "", "177 " + modern},
		{"rfc5424", "newline", modern + "\n"},
		{"rfc3164", "newline", old + "\n"},
		{"rfc3164", "octet", "144 " + old},
	}
	for _, tt := range tests {
		t.Run(tt.header+" "+tt.framing, func(t *testing.T) {
			text := make(chan string, 1)
			s := newSIEM(t, "127.0.0.1:0", nil, func(_ *receiver, _ int, conn net.Conn) {
				b, _ := io.ReadAll(conn)
				text <- string(b)
			})
			target := newTarget(t, config.Target{Address: s.url(), Header: tt.header, Framing: tt.framing})
			deliver(t, target, []*stream.Entry{&e})
			target.Close()
			got := <-text
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("wire (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSyslogTags: behind an old header readers look for CEF: and LEEF: where the tag stands, and for ours before all else.
func TestSyslogTags(t *testing.T) {
	e := received([]byte("CEF:0|Microsoft|Azure ATP|2.1|XSecurityAlert|T|5|externalId=2009"))
	for format, want := range map[string]string{
		"cef": "CEF:0|", "cef_original": "CEF:0|", "cef_rendered": "CEF:0|", "leef1": "LEEF:1.0|", "leef2": "LEEF:2.0|", "json": `sluice: {"`, "ocsf": `sluice: {"`,
	} {
		v, err := newEnvelope(format, "rfc3164", "gate.example")
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.pack(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		if _, text, _ := strings.Cut(string(got), " gate.example "); !strings.HasPrefix(text, want) {
			t.Errorf("%s: %q, want %q behind the host", format, got, want)
		}
	}
}

// TestSyslogLongest: a reader that cuts what is longer than it takes would cut what we say, which is at the end.
func TestSyslogLongest(t *testing.T) {
	const longest = 4 << 10
	e := received([]byte("CEF:0|Microsoft|Azure ATP|2.1|XSecurityAlert|T|5|msg=" + strings.Repeat("x", 60_000) + " externalId=2009"))
	for _, format := range []string{"cef", "cef_rendered", "leef2", "json"} {
		text := make(chan string, 1)
		s := newSIEM(t, "127.0.0.1:0", nil, func(_ *receiver, _ int, conn net.Conn) {
			b, _ := io.ReadAll(conn)
			text <- string(b)
		})
		target := newTarget(t, config.Target{Address: s.url(), Format: format, Framing: "newline", MaxMessage: longest})
		deliver(t, target, []*stream.Entry{&e})
		target.Close()
		if got := strings.TrimSuffix(<-text, "\n"); len(got) > longest || !strings.Contains(got, string(e.Key)) {
			t.Errorf("%s: %d bytes, want %d at most, with the event key: %q", format, len(got), longest, got)
		}
	}
}

// TestSyslogLeast: the least that `max_message` may be holds an alert of many twins and long texts, or nobody would be shown it.
func TestSyslogLeast(t *testing.T) {
	const least = 4 << 10
	e := received([]byte("CEF:0|MCAS|SIEM_Agent|0.1|ALERT_X|" + strings.Repeat("n", 300) + "|5|externalId=73623b1c9f8a7654321fed0c msg=" +
		strings.Repeat("x", 60_000) + strings.Repeat(" cs3Label=relatedAudits cs3="+strings.Repeat("a", 900), 20)))
	e.Notification.ID, e.Notification.URL = strings.Repeat("i", 190), "https://"+strings.Repeat("u", 190)
	e.Match.Alert, e.Match.Type = "00112233445566778899aabbccddeeff", "2031" // which is five techniques
	e.Score = &stream.Score{User: strings.Repeat("u", 200), At: e.Time}
	for range 16 {
		e.Twins = append(e.Twins, dedup.Sighting{
			Service: formats.IdentityProtection, ID: strings.Repeat("b", 190), Key: e.Key, URL: "https://" + strings.Repeat("c", 190), First: e.Time,
		})
		e.Match.Evidence = append(e.Match.Evidence, dedup.Evidence{What: "account", How: strings.Repeat("h", 400), Points: 40})
	}
	for _, format := range []string{
		"asim", "cef", "cef_original", "cef_rendered", "common_security_log", "ecs", "json", "leef1", "leef2", "ocsf", "sentinel_table",
	} {
		v, err := newEnvelope(format, "rfc5424", "gate.example")
		if err != nil {
			t.Fatal(err)
		}
		v.limit = least
		if b, err := v.pack(nil, &e); err != nil || len(b) > least || !strings.Contains(string(b), string(e.Key)) {
			t.Errorf("%s: %d bytes, %v: %q", format, len(b), err, b)
		}
	}
}

func TestSyslogRefusesUnknownSettings(t *testing.T) {
	for _, cfg := range []config.Target{
		{Address: "tcp://h:1", Format: "leef"},
		{Address: "tcp://h:1", Format: "cef", Header: "rfc1"},
		{Address: "tcp://h:1", Format: "cef", Framing: "none"},
		{Address: "http://h:1", Format: "cef"},
	} {
		if _, err := NewSyslog(cfg, "h", slog.New(slog.DiscardHandler), NewMetrics(nil)); err == nil {
			t.Errorf("NewSyslog(%+v) = nil, want an error", cfg)
		}
	}
	if _, err := NewDatagrams(config.Target{Address: "tcp://h:1", Format: "cef"}, "h", NewMetrics(nil)); err == nil {
		t.Error("NewDatagrams(tcp://) = nil, want an error")
	}
}

func TestSyslogKeepsOneConnection(t *testing.T) {
	s := newSIEM(t, "127.0.0.1:0", nil, readAll)
	target := newTarget(t, config.Target{Address: s.url()})
	for i := 1; i <= 20; i++ {
		deliver(t, target, numbered(i, i))
	}
	deliver(t, target, numbered(21, 2000)) // many chunks
	if diff := cmp.Diff(keys(numbered(1, 2000)), s.wait("k2000")); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if len(s.conns) != 1 {
		t.Errorf("%d connections, want 1", len(s.conns))
	}
}

// complete tells what is missing of the entries 1 to n, and how many came more than once.
func complete(t *testing.T, got []string, n int) (repeated int) {
	t.Helper()
	seen := make(map[string]int, n)
	for _, key := range got {
		if strings.HasPrefix(key, "<") {
			t.Errorf("a torn message: %q", key)
		}
		seen[key]++
	}
	for _, key := range keys(numbered(1, n)) {
		if seen[key] == 0 {
			t.Errorf("%s is missing", key)
		}
		if seen[key] > 1 {
			repeated++
		}
	}
	return repeated
}

func TestSyslogSendsAgainWhatAResetMayHaveLost(t *testing.T) {
	// The first three connections read some messages and are reset with the rest unread, although the
	// kernel had acknowledged it.
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			var wrap func(net.Conn) net.Conn
			cfg := config.Target{}
			if secure {
				certs := newCerts(t, "127.0.0.1")
				wrap = certs.server(nil)
				cfg.TLS.CA = certs.ca
			}
			goOn := make(chan struct{})
			s := newSIEM(t, "127.0.0.1:0", wrap, func(s *receiver, number int, conn net.Conn) {
				if number > 3 {
					readAll(s, number, conn)
					return
				}
				_ = s.read(conn, 5)
				<-goOn // what is delivered now stays unread
			})
			cfg.Address = s.url()
			if secure {
				cfg.Address = "tls" + strings.TrimPrefix(cfg.Address, "tcp")
			}
			target := newTarget(t, cfg)
			next := 1
			for range 3 {
				deliver(t, target, numbered(next, next+9))
				deliver(t, target, numbered(next+10, next+29))
				next += 30
				goOn <- struct{}{}
				<-target.link.over
			}
			deliverAll(t, target, next, next+9)
			repeated := complete(t, s.wait(keys(numbered(next+9, next+9))[0]), next+9)
			t.Logf("%d came more than once", repeated)
		})
	}
}

func TestSyslogSendsAgainWhatWasNotAcknowledged(t *testing.T) {
	// A SIEM that reads nothing: its window closes, and much stays in our kernel.
	accepted, stalled := make(chan struct{}), make(chan struct{})
	s := newSIEM(t, "127.0.0.1:0", nil, func(s *receiver, number int, conn net.Conn) {
		if number == 1 {
			close(accepted)
			<-stalled
			return
		}
		readAll(s, number, conn)
	})
	target := newTarget(t, config.Target{Address: s.url()})
	big := numbered(1, 400)
	for i := range big {
		big[i].Notification.Raw = append(big[i].Notification.Raw, strings.Repeat(" x", 32<<10)...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	type answer struct {
		results []Result
		err     error
	}
	answered := make(chan answer)
	go func() {
		results, err := target.Deliver(ctx, big)
		answered <- answer{results, err}
	}()
	<-accepted
	cancel()
	a := <-answered
	if a.err == nil {
		t.Fatal("Deliver() = nil, want that it was interrupted")
	}
	close(stalled)
	first := slices.Index(a.results, Retry)
	if first < 0 {
		t.Fatal("all is delivered, to nobody")
	}
	deliver(t, target, big[first:])
	got := s.wait("k0400")
	if diff := cmp.Diff(keys(big[first:]), got[len(got)-len(big)+first:]); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestSyslogNoticesAPeerThatClosed(t *testing.T) {
	// Each connection takes three messages and closes in order, in full or by half.
	for name, shut := range map[string]func(net.Conn){
		"close":      func(c net.Conn) { c.Close() },
		"half-close": func(c net.Conn) { c.(*net.TCPConn).CloseWrite(); io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSIEM(t, "127.0.0.1:0", nil, func(s *receiver, _ int, conn net.Conn) {
				_ = s.read(conn, 3)
				shut(conn)
			})
			target := newTarget(t, config.Target{Address: s.url()})
			for i := 1; i <= 9; i += 3 {
				deliver(t, target, numbered(i, i+2))
				<-target.link.over
			}
			if diff := cmp.Diff(keys(numbered(1, 9)), s.wait("k0009")); diff != "" {
				t.Errorf("received, nothing twice (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSyslogFindsASIEMThatComesBack(t *testing.T) {
	s := newSIEM(t, "127.0.0.1:0", nil, readAll)
	address := s.listener.Addr().String()
	s.listener.Close()
	target := newTarget(t, config.Target{Address: "tcp://" + address})
	results, err := target.Deliver(t.Context(), numbered(1, 2))
	if err == nil {
		t.Fatal("Deliver() to nobody = nil")
	}
	if diff := cmp.Diff(repeat(Retry, 2), results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	s = newSIEM(t, address, nil, readAll)
	deliver(t, target, numbered(1, 2))
	s.wait("k0002")
}

// sips reads little at a time.
type sips struct{ r io.Reader }

func (s sips) Read(b []byte) (int, error) { return s.r.Read(b[:min(len(b), 1<<10)]) }

func TestSyslogWaitsForASlowReader(t *testing.T) {
	s := newSIEM(t, "127.0.0.1:0", nil, func(s *receiver, _ int, conn net.Conn) { _ = s.read(sips{conn}, -1) })
	target := newTarget(t, config.Target{Address: s.url()})
	batch := numbered(1, 200)
	for i := range batch {
		batch[i].Notification.Raw = append(batch[i].Notification.Raw, strings.Repeat(" x", 32<<10)...)
	}
	deliver(t, target, batch) // 13 MB: far more than the kernels hold
	if diff := cmp.Diff(keys(batch), s.wait("k0200")); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// TestSyslogSendsOnWhileItWaits: a SIEM that reads nothing lets its kernel acknowledge a window's worth, so
// more is asked, and what it gives is delivered with the rest.
func TestSyslogSendsOnWhileItWaits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what is acknowledged is known on Linux only")
	}
	asked := make(chan struct{})
	s := newSIEM(t, "127.0.0.1:0", nil, func(s *receiver, _ int, conn net.Conn) {
		<-asked
		_ = s.read(conn, -1)
	})
	target := newTarget(t, config.Target{Address: s.url()})
	all := numbered(1, 16)
	for i := range all {
		all[i].Notification.Raw = append(all[i].Notification.Raw, strings.Repeat(" x", 16<<10)...)
	}
	rest := all[12:] // 400 kB go first: more than the window, less than the sender's buffer
	open := sync.OnceFunc(func() { close(asked) })
	defer open()
	results, err := target.DeliverMore(t.Context(), all[:12], func() []*stream.Entry {
		open()
		next := rest
		rest = nil
		return next
	})
	if err != nil || len(rest) > 0 {
		t.Fatalf("DeliverMore: %v; %d were not asked for", err, len(rest))
	}
	if diff := cmp.Diff(repeat(Delivered, len(all)), results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(keys(all), s.wait("k0016")); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestTLSChecksTheSIEM(t *testing.T) {
	right, wrong := newCerts(t, "siem.example"), newCerts(t, "other.example")
	clients := newCerts(t, "gate.example")
	tests := []struct {
		name   string
		server certs
		ask    *certs // for a client certificate of this authority
		tls    config.TLS
		want   string // of the error
	}{
		{"right name", right, nil, config.TLS{CA: right.ca, ServerName: "siem.example"}, ""},
		{"other name", right, nil, config.TLS{CA: right.ca}, "127.0.0.1"},
		{"other authority", wrong, nil, config.TLS{CA: right.ca, ServerName: "other.example"}, "unknown authority"},
		{"system's authorities", right, nil, config.TLS{ServerName: "siem.example"}, "unknown authority"},
		{"client certificate", right, &clients, config.TLS{CA: right.ca, ServerName: "siem.example", Cert: clients.cert, Key: clients.key}, ""},
		{"no client certificate", right, &clients, config.TLS{CA: right.ca, ServerName: "siem.example"}, "certificate required"},
		{"a stranger's client certificate", right, &clients, config.TLS{CA: right.ca, ServerName: "siem.example", Cert: wrong.cert, Key: wrong.key}, "certificate required"},
		{"missing file", right, nil, config.TLS{CA: "missing.pem"}, "missing.pem"},
		{"missing client certificate file", right, nil, config.TLS{Cert: "missing.pem"}, "missing.pem"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSIEM(t, "127.0.0.1:0", tt.server.server(tt.ask), readAll)
			target := newTarget(t, config.Target{Address: "tls://" + s.listener.Addr().String(), TLS: tt.tls})
			results, err := target.Deliver(t.Context(), numbered(1, 2))
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Deliver() = %v, want an error with %q", err, tt.want)
				}
				if diff := cmp.Diff(repeat(Retry, 2), results); diff != "" || !PauseOf(err).Blocked {
					t.Errorf("%v, want it blocked; results (-want +got):\n%s", err, diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s.wait("k0002")
		})
	}
}

func TestTLSReadsCertificatesAgain(t *testing.T) {
	old, fresh := newCerts(t, "siem.example"), newCerts(t, "siem.example")
	current := &old
	s := newSIEM(t, "127.0.0.1:0", func(c net.Conn) net.Conn { return current.server(nil)(c) }, func(s *receiver, _ int, conn net.Conn) {
		_ = s.read(conn, 1)
		_ = conn.(*tls.Conn).Close()
	})
	ca := t.TempDir() + "/ca.pem"
	put(t, ca, read(t, old.ca))
	target := newTarget(t, config.Target{Address: "tls" + strings.TrimPrefix(s.url(), "tcp"), TLS: config.TLS{CA: ca, ServerName: "siem.example"}})
	deliver(t, target, numbered(1, 1))
	<-target.link.over
	s.mu.Lock()
	current = &fresh
	s.mu.Unlock()
	if _, err := target.Deliver(t.Context(), numbered(2, 2)); err == nil {
		t.Error("Deliver() to a SIEM of another authority = nil")
	}
	put(t, ca, read(t, fresh.ca))
	deliver(t, target, numbered(2, 2))
}

func TestDatagramsSendOneMessageEach(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, format := range []string{"cef", "json"} {
		t.Run(format, func(t *testing.T) {
			d, err := NewDatagrams(config.Target{Address: "udp://" + conn.LocalAddr().String(), Format: format}, "gate.example", NewMetrics(nil))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			batch := numbered(1, 3)
			batch[1].Notification.Raw = []byte(strings.Repeat("é=", 40_000)) // longer than any datagram
			deliver(t, d, batch)
			buf := make([]byte, 1<<16)
			for i := range batch {
				n, _, err := conn.ReadFrom(buf)
				if err != nil {
					t.Fatal(err)
				}
				text := string(buf[:n])
				if !strings.HasPrefix(text, "<134>1 2031-05-06T07:08:09.123456Z gate.example sluice - unknown - ") ||
					!strings.Contains(text, string(batch[i].Key)) {
					t.Errorf("datagram %d of %d bytes: %.200q", i, n, text)
				}
			}
		})
	}
}

// TestSyslogTimesOut: what a SIEM doesn't take within [patience] is sent again, on another connection.
func TestSyslogTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := newTarget(t, config.Target{Address: "tcp://siem.example:514"})
		ours, theirs := net.Pipe()
		defer theirs.Close()
		below := &counted{Conn: ours}
		target.link = &link{conn: below, below: below, socket: ours, over: make(chan struct{})}
		go target.link.watch()
		begun := time.Now()
		results, err := target.Deliver(t.Context(), numbered(1, 3))
		if !errors.Is(err, os.ErrDeadlineExceeded) || PauseOf(err).Blocked || time.Since(begun) != patience || target.link != nil {
			t.Errorf("Deliver() = %v after %v, want that the connection is given up after %v", err, time.Since(begun), patience)
		}
		if diff := cmp.Diff(repeat(Retry, 3), results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

// TestDatagramOutcomes: of UDP there is little to know. That nobody listens is a test of its own.
func TestDatagramOutcomes(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, tt := range []struct {
		name, address string
		limit, text   int
		want          Result
		blocked       bool
		words         string
	}{
		{"write", conn.LocalAddr().String(), maxDatagram, 10, Delivered, false, ""},
		{"too big, and shortened", conn.LocalAddr().String(), maxDatagram, 80_000, Delivered, false, ""},
		{"too big for the way", conn.LocalAddr().String(), 0, 80_000, Rejected, false, "message too long"},
		{"too big however short", conn.LocalAddr().String(), 100, 10, Rejected, false, "shortened"},
		{"name resolution", "siem..invalid:514", maxDatagram, 10, Retry, true, "no such host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := NewDatagrams(config.Target{Address: "udp://" + tt.address, Format: "cef"}, "gate.example", NewMetrics(nil))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.envelope.limit = tt.limit
			batch := numbered(1, 1)
			batch[0].Notification.Raw = []byte(strings.Repeat("x", tt.text))
			results, err := d.Deliver(t.Context(), batch)
			madeOf{results: repeat(tt.want, 1), blocked: tt.blocked, words: tt.words}.check(t, results, err)
		})
	}
}

func TestDatagramsAreRetriedWhenNobodyListens(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := conn.LocalAddr().String()
	conn.Close()
	d, err := NewDatagrams(config.Target{Address: "udp://" + address, Format: "cef"}, "gate.example", NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, batch := range [][]*stream.Entry{numbered(1, 1), numbered(1, 3)} {
		results, err := d.Deliver(t.Context(), batch)
		if err == nil {
			t.Fatal("Deliver() to nobody = nil")
		}
		if diff := cmp.Diff(repeat(Retry, len(batch)), results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	}
	if conn, err = net.ListenPacket("udp", address); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	deliver(t, d, numbered(1, 3))
}

// TestOriginalEventsHaveOurKeysInTheHeader: cef_original has nothing of ours in the event.
func TestOriginalEventsHaveOurKeysInTheHeader(t *testing.T) {
	const event = "CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_LOGIN|Log on|0|externalId=1_20893_0c180415-c5f1-4cf2-226a-08dd44be8110 " +
		"rt=1678093152044 start=1678093152044 end=1678093152044 msg=Log on suser=ines@harbour.example destinationServiceName=Box"
	e := received([]byte("2023-03-06T08:59:12.044Z hb-agent " + event))
	e.Match.Alert = "a1"
	e.Decision.ManagedIn = formats.DefenderForIdentity
	e.Notification.Service, e.Notification.ID = formats.CloudAppSecurity, "1_é"
	e.Notification.URL = "https://harbour.portal.example/#/alerts/1"
	e.Twins = []dedup.Sighting{{Service: formats.DefenderForIdentity, ID: `9"]`, URL: "https://harbour.example/9"}}
	v, err := newEnvelope("cef_original", "rfc5424", "gw1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.pack(nil, &e)
	want := `<134>1 2031-05-06T07:08:09.123456Z gw1 sluice - activity [sluice@32473 eventKey="e5f60718293a4b5c6d7e8f9011223344" ` +
		`alertId="a1" service="cloud_app_security" notificationId="1__" url="https://harbour.portal.example/#/alerts/1" severity="informational" ` +
		`managedIn="defender_for_identity" reason="by_kind" twin="defender_for_identity:9\"\]" twinUrl="https://harbour.example/9"] ` + event
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := syslog.Parse(got, arrived); err != nil {
		t.Errorf("our own parser: %v", err)
	}
}
