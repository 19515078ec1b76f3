package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/test/siem"
)

func newNATS(t *testing.T, configure func(*server.Options), login ...nats.Option) *siem.NATS {
	t.Helper()
	s, err := siem.NewNATS(t.TempDir(), configure, login...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func toNATS(t *testing.T, s *siem.NATS, change func(*config.Target)) *NATS {
	t.Helper()
	cfg := config.Target{
		Name: "bus", Type: "nats", Format: "json", URL: "nats://" + s.Address(), Subject: "sluice.alerts", Timeout: 10 * time.Second,
		Batch: config.Batch{Entries: 512, Size: 1 << 20},
	}
	if change != nil {
		change(&cfg)
	}
	n, err := NewNATS(cfg, NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func alerts(t *testing.T, s *siem.NATS, change func(*jetstream.StreamConfig)) jetstream.Stream {
	t.Helper()
	cfg := jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"sluice.>"}, Duplicates: time.Minute}
	if change != nil {
		change(&cfg)
	}
	st, err := s.Stream(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// storedKeys lists the message IDs of a stream.
func storedKeys(t *testing.T, st jetstream.Stream) []string {
	t.Helper()
	info, err := st.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := info.State.FirstSeq; i <= info.State.LastSeq; i++ {
		m, err := st.GetMsg(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m.Header.Get("Nats-Msg-Id"))
	}
	return out
}

func TestNATSContract(t *testing.T) {
	contract{
		open: func(t *testing.T) (deliverer, *siem.Record) {
			s := newNATS(t, nil)
			if err := s.Serve(t.Context(), "ALERTS", "sluice.alerts"); err != nil {
				t.Fatal(err)
			}
			return toNATS(t, s, func(c *config.Target) { c.Batch.Entries, c.Timeout = 3, time.Minute }), &s.Record
		},
		faults: []siem.Fault{siem.Refuse, siem.Throttle, siem.Reset, siem.Lie, siem.Stall},
		exact:  true,
		poison: true,
	}.run(t)
}

func TestNATSMessage(t *testing.T) {
	s := newNATS(t, nil)
	st := alerts(t, s, nil)
	n := toNATS(t, s, func(c *config.Target) { c.Stream = "ALERTS" })
	batch := numbered(1, 2)
	batch[0].Match.Alert = "a1e7000000000000000000000000000a"
	deliver(t, n, batch)
	m, err := st.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want := nats.Header{"Nats-Msg-Id": {"k0001"}, "Nats-Expected-Stream": {"ALERTS"}, "Sluice-Alert-Id": {"a1e7000000000000000000000000000a"}}
	if diff := cmp.Diff(want, m.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	body, _ := n.shipper.render(nil, batch[0], 0)
	if m.Subject != "sluice.alerts" || string(m.Data) != string(body) {
		t.Errorf("the stream has %s on %s", m.Data, m.Subject)
	}
	if m, err = st.GetMsg(t.Context(), 2); err != nil || m.Header["Sluice-Alert-Id"] != nil {
		t.Errorf("the second message: %v, %v", m, err)
	}
	deliver(t, n, batch) // a duplicate is delivered
	if diff := cmp.Diff(keys(batch), storedKeys(t, st)); diff != "" {
		t.Errorf("the stream has (-want +got):\n%s", diff)
	}
}

// TestNATSOutcomes goes through the table of outcomes: what a stream may answer, and what it means.
func TestNATSOutcomes(t *testing.T) {
	fail := func(code, number int, text string) string {
		return fmt.Sprintf(`{"error":{"code":%d,"err_code":%d,"description":%q},"stream":"ALERTS","seq":0}`, code, number, text)
	}
	tests := []struct {
		name, answer string
		want         Result
		pause        PauseError // without its error
		words        string
	}{
		{"PubAck", `{"stream":"ALERTS","seq":42}`, Delivered, PauseError{}, ""},
		{"PubAck of a duplicate", `{"stream":"ALERTS","seq":42,"duplicate":true}`, Delivered, PauseError{}, ""},
		{"PubAck with more in it", `{"stream":"ALERTS","seq":42,"domain":"hub","val":"7","new":{}}`, Delivered, PauseError{}, ""},
		{"PubAck of another stream", `{"stream":"OTHER","seq":42}`, Retry, PauseError{Blocked: true}, "OTHER"},
		{"no quorum", fail(503, 10008, "JetStream system temporarily unavailable"), Retry, PauseError{}, "temporarily unavailable"},
		{"no leader", fail(500, 10009, "JetStream cluster can not handle request"), Retry, PauseError{}, "10009"},
		{"offline", fail(500, 10118, "stream is offline"), Retry, PauseError{}, "offline"},
		{"too many requests", fail(429, 10167, "too many requests"), Retry, PauseError{After: time.Second}, "too many"},
		{"maximum messages exceeded", fail(503, 10077, "maximum messages exceeded"), Retry, PauseError{After: full}, "maximum messages"},
		{"account's resources exceeded", fail(400, 10002, "resource limits exceeded for account"), Retry, PauseError{After: full}, "limits"},
		{"insufficient storage", fail(500, 10047, "insufficient storage resources available"), Retry, PauseError{After: full}, "insufficient"},
		{"duplicate in process", fail(409, 10158, "duplicate message id is in process"), Retry, PauseError{}, "in process"},
		{"expected stream mismatch", fail(400, 10060, "expected stream does not match"), Retry, PauseError{Blocked: true}, "does not match"},
		{"wrong last sequence", fail(400, 10071, "wrong last sequence: 7"), Retry, PauseError{Blocked: true}, "wrong last"},
		{"sealed", fail(400, 10109, "invalid operation on sealed stream"), Retry, PauseError{Blocked: true}, "sealed"},
		{"message over max_msg_size", fail(400, 10054, "message size exceeds maximum allowed"), Rejected, PauseError{}, "max_msg_size"},
		{"headers too long", fail(400, 10097, "header size exceeds maximum allowed of 64k"), Rejected, PauseError{}, "64k"},
		{"error without anything", `{"error":{}}`, Retry, PauseError{}, "error 0"},
		{"garbage", "\xff\x00 OK", Retry, PauseError{}, "somebody else"},
		{"an empty object", `{}`, Retry, PauseError{}, "{}"},
		{"nothing", ``, Retry, PauseError{}, "1 of 1 messages are unanswered"},
		{"an array of arrays", strings.Repeat("[", 100_000), Retry, PauseError{}, "somebody else"},
		{"no answer", "-", Retry, PauseError{}, "deadline exceeded"},
	}
	s := newNATS(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sub, err := s.Conn().Subscribe("sluice.alerts", func(m *nats.Msg) {
				if test.answer != "-" {
					_ = m.Respond([]byte(test.answer))
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Unsubscribe()
			if err := s.Conn().Flush(); err != nil {
				t.Fatal(err)
			}
			n := toNATS(t, s, func(c *config.Target) { c.Stream, c.Timeout = "ALERTS", 300*time.Millisecond })
			results, err := n.Deliver(t.Context(), numbered(1, 1))
			if len(results) != 1 || results[0] != test.want {
				t.Errorf("Deliver() = %v, %v", results, err)
			}
			p := PauseOf(err)
			p.Err = nil
			if diff := cmp.Diff(test.pause, p); diff != "" {
				t.Errorf("the pause (-want +got):\n%s", diff)
			}
			if (err == nil) != (test.want == Delivered) || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("error %v, want one with %q", err, test.words)
			}
			if test.want == Rejected && !strings.Contains(Reply(err, "k0001"), test.words) {
				t.Errorf("the reply is %q", Reply(err, "k0001"))
			}
		})
	}
}

func TestNATSNoStream(t *testing.T) {
	s := newNATS(t, nil)
	n := toNATS(t, s, nil)
	now := time.Now()
	n.now = func() time.Time { return now }
	for _, step := range []struct {
		pass    time.Duration
		blocked bool
	}{{0, false}, {89 * time.Second, false}, {2 * time.Second, true}, {time.Hour, true}} {
		now = now.Add(step.pass)
		results, err := n.Deliver(t.Context(), numbered(1, 3))
		if results[0] != Retry || !errors.Is(err, nats.ErrNoResponders) || PauseOf(err).Blocked != step.blocked {
			t.Errorf("after %v more: %v, %v, want blocked %v", step.pass, results, err, step.blocked)
		}
	}
	st := alerts(t, s, nil)
	deliver(t, n, numbered(1, 3))
	if diff := cmp.Diff(keys(numbered(1, 3)), storedKeys(t, st)); diff != "" {
		t.Errorf("the stream has (-want +got):\n%s", diff)
	}
	if !n.silence.first.IsZero() {
		t.Error("the stream is there, and its absence is still counted")
	}
}

func TestNATSRealRefusals(t *testing.T) {
	tests := []struct {
		name   string
		stream func(*jetstream.StreamConfig)
		target func(*config.Target)
		want   []Result
		pause  PauseError
		words  string
	}{
		{
			"full, discard new", func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 2, jetstream.DiscardNew }, nil,
			[]Result{Delivered, Delivered, Retry},
			PauseError{After: full},
			"maximum messages exceeded",
		},
		{
			"expected another stream", nil, func(c *config.Target) { c.Stream = "OTHER" },
			[]Result{Retry, Retry, Retry},
			PauseError{Blocked: true},
			"expected stream does not match",
		},
		{
			"messages too long", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 100 }, nil,
			[]Result{Rejected, Rejected, Rejected},
			PauseError{},
			"message size exceeds",
		},
		{
			"sealed", func(c *jetstream.StreamConfig) { c.Sealed = true }, nil, []Result{Retry, Retry, Retry}, PauseError{Blocked: true}, "sealed",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newNATS(t, nil)
			sealed := false
			st := alerts(t, s, func(c *jetstream.StreamConfig) {
				if test.stream != nil {
					test.stream(c)
				}
				sealed, c.Sealed = c.Sealed, false
			})
			if sealed {
				cfg := st.CachedInfo().Config
				cfg.Sealed = true
				js, _ := jetstream.New(s.Conn())
				if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			}
			results, err := toNATS(t, s, test.target).Deliver(t.Context(), numbered(1, 3))
			p := PauseOf(err)
			p.Err = nil
			if diff := cmp.Diff(test.want, results); diff != "" || p != test.pause || !strings.Contains(fmt.Sprint(err), test.words) {
				t.Errorf("%v, %v (-want +got):\n%s", p, err, diff)
			}
		})
	}
}

// TestNATSCareful: a full stream that takes some now and then gets one message at a time, in order.
func TestNATSCareful(t *testing.T) {
	s := newNATS(t, nil)
	st := alerts(t, s, func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 3, jetstream.DiscardNew })
	n := toNATS(t, s, nil)
	var got []string
	batch := numbered(1, 20)
	for tries := 0; len(batch) > 0; tries++ {
		results, err := n.Deliver(t.Context(), batch)
		for len(results) > 0 && results[0] == Delivered {
			results, batch = results[1:], batch[1:]
		}
		if len(results) > 0 && err == nil || tries > 20 {
			t.Fatalf("%v, %v", results, err)
		}
		got = append(got, storedKeys(t, st)...)
		if err := st.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(keys(numbered(1, 20)), got); diff != "" {
		t.Errorf("the stream had (-want +got):\n%s", diff)
	}
}

func TestNATSPayload(t *testing.T) {
	s := newNATS(t, func(o *server.Options) { o.MaxPayload = 8 << 10 })
	st := alerts(t, s, nil)
	n := toNATS(t, s, nil)
	batch := numbered(1, 3)
	batch[1].Notification.Raw = []byte(strings.Repeat("x", 100<<10))
	deliver(t, n, batch) // shortened
	if diff := cmp.Diff(keys(batch), storedKeys(t, st)); diff != "" {
		t.Errorf("the stream has (-want +got):\n%s", diff)
	}
	small := newNATS(t, func(o *server.Options) { o.MaxPayload, o.MaxControlLine = 600, 512 })
	if results, err := toNATS(t, small, nil).Deliver(t.Context(), batch); !PauseOf(err).Blocked || results[0] != Retry {
		t.Errorf("max_payload 600: %v, %v", results, err)
	}
}

func TestNATSLogin(t *testing.T) {
	user := func(u ...*server.User) func(*server.Options) {
		return func(o *server.Options) { o.Users = append(u, &server.User{Username: "own", Password: "own"}) }
	}
	own := nats.UserInfo("own", "own")
	limited := &server.User{Username: "u", Password: "secret-password", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{"else"}},
	}}
	deaf := &server.User{Username: "u", Password: "secret-password", Permissions: &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: []string{"else"}},
	}}
	tests := []struct {
		name      string
		configure func(*server.Options)
		login     nats.Option
		target    func(*config.Target)
		words     string // of what blocks it; "" for success
	}{
		{"user and password", user(&server.User{Username: "u", Password: "secret-password"}), own, func(c *config.Target) { c.Username, c.Password = "u", "secret-password" }, ""},
		{"wrong password", user(), own, func(c *config.Target) { c.Username, c.Password = "own", "secret-password" }, "Authorization Violation"},
		{"no login", user(), own, nil, "Authorization Violation"},
		{"token", func(o *server.Options) { o.Authorization = "secret-token" }, nats.Token("secret-token"), func(c *config.Target) { c.Token = "secret-token" }, ""},
		{"wrong token", func(o *server.Options) { o.Authorization = "own" }, nats.Token("own"), func(c *config.Target) { c.Token = "secret-token" }, "Authorization Violation"},
		{"may not publish there", user(limited), own, func(c *config.Target) { c.Username, c.Password = "u", "secret-password" }, `Permissions Violation for Publish to "sluice.alerts"`},
		{"may not hear answers", user(deaf), own, func(c *config.Target) { c.Username, c.Password = "u", "secret-password" }, "Permissions Violation for Subscription"},
		{"no creds file", nil, nil, func(c *config.Target) { c.Credentials = "/nowhere/sluice.creds" }, "/nowhere/sluice.creds"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var login []nats.Option
			if test.login != nil {
				login = append(login, test.login)
			}
			s := newNATS(t, test.configure, login...)
			alerts(t, s, nil)
			n := toNATS(t, s, test.target)
			results, err := n.Deliver(t.Context(), numbered(1, 3))
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("a secret in %v", err)
			}
			if test.words == "" {
				if err != nil || results[2] != Delivered {
					t.Errorf("Deliver() = %v, %v", results, err)
				}
				return
			}
			if !PauseOf(err).Blocked || !strings.Contains(strings.ToLower(fmt.Sprint(err)), strings.ToLower(test.words)) || results[0] != Retry {
				t.Errorf("Deliver() = %v, %v, want it blocked with %q", results, err, test.words)
			}
		})
	}
}

// TestNATSCredentials logs in with a .creds file, which is read again with each connection.
func TestNATSCredentials(t *testing.T) {
	pair := func(p nkeys.KeyPair, err error) (nkeys.KeyPair, string) {
		if err != nil {
			t.Fatal(err)
		}
		public, _ := p.PublicKey()
		return p, public
	}
	operator, operatorKey := pair(nkeys.CreateOperator())
	account, accountKey := pair(nkeys.CreateAccount())
	user, userKey := pair(nkeys.CreateUser())
	ac := jwt.NewAccountClaims(accountKey)
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	accountToken, err := ac.Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	uc := jwt.NewUserClaims(userKey)
	token, err := uc.Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := user.Seed()
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sluice.creds")
	put(t, file, creds)
	s := newNATS(t, func(o *server.Options) {
		resolver := &server.MemAccResolver{}
		_ = resolver.Store(accountKey, accountToken)
		o.TrustedKeys, o.AccountResolver = []string{operatorKey}, resolver
		system, systemKey := pair(nkeys.CreateAccount())
		_ = system
		sys, err := jwt.NewAccountClaims(systemKey).Encode(operator)
		if err != nil {
			t.Fatal(err)
		}
		_ = resolver.Store(systemKey, sys)
		o.SystemAccount = systemKey
	}, nats.UserCredentials(file))
	alerts(t, s, nil)
	n := toNATS(t, s, func(c *config.Target) { c.Credentials = file })
	deliver(t, n, numbered(1, 3))
	n.Close()
	put(t, file, []byte("not the seed "+string(seed)))
	if _, err := n.Deliver(t.Context(), numbered(4, 4)); !PauseOf(err).Blocked || strings.Contains(fmt.Sprint(err), string(seed)) {
		t.Errorf("a spoilt file: %v", err)
	}
	put(t, file, creds)
	deliver(t, n, numbered(4, 4))
}

func TestNATSTLS(t *testing.T) {
	ours, theirs, other := newCerts(t, "client"), newCerts(t, "bus.example"), newCerts(t, "client")
	s := newNATS(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{theirs.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool}
		o.TLSTimeout = 5
	})
	alerts(t, s, nil)
	secure := func(change func(*config.Target)) *NATS {
		return toNATS(t, s, func(c *config.Target) {
			c.URL = "tls://" + s.Address()
			c.TLS = config.TLS{CA: theirs.ca, Cert: ours.cert, Key: ours.key, ServerName: "bus.example"}
			if change != nil {
				change(c)
			}
		})
	}
	n := secure(nil)
	deliver(t, n, numbered(1, 3))
	for name, change := range map[string]func(*config.Target){
		"another name":          func(c *config.Target) { c.TLS.ServerName = "else.example" },
		"another authority":     func(c *config.Target) { c.TLS.CA = other.ca },
		"the system's":          func(c *config.Target) { c.URL, c.TLS = "nats://"+s.Address(), config.TLS{} },
		"no client certificate": func(c *config.Target) { c.TLS.Cert, c.TLS.Key = "", "" },
		"a stranger's":          func(c *config.Target) { c.TLS.Cert, c.TLS.Key = other.cert, other.key },
		"no file":               func(c *config.Target) { c.TLS.Cert = "/nowhere/cert.pem" },
	} {
		if results, err := secure(change).Deliver(t.Context(), numbered(4, 4)); !PauseOf(err).Blocked || results[0] != Retry {
			t.Errorf("%s: %v, %v, want it blocked", name, results, err)
		}
	}
	// The certificate is changed: it is read with the next connection.
	put(t, ours.cert, read(t, other.cert))
	put(t, ours.key, read(t, other.key))
	deliver(t, n, numbered(5, 5))
	s.Disconnect()
	<-n.over
	if _, err := n.Deliver(t.Context(), numbered(6, 6)); !PauseOf(err).Blocked {
		t.Errorf("with a stranger's certificate: %v", err)
	}
	plain := newNATS(t, nil)
	clear := toNATS(t, plain, func(c *config.Target) { c.URL = "tls://" + plain.Address() })
	if _, err := clear.Deliver(t.Context(), numbered(1, 1)); !PauseOf(err).Blocked || !strings.Contains(err.Error(), "no TLS") {
		t.Errorf("tls:// to a server without: %v", err)
	}
}

func TestNATSRestart(t *testing.T) {
	s := newNATS(t, nil)
	alerts(t, s, nil)
	n := toNATS(t, s, func(c *config.Target) { c.Batch.Entries = 10 })
	deliver(t, n, numbered(1, 15))
	s.Stop()
	results, err := n.Deliver(t.Context(), numbered(16, 40))
	if err == nil || PauseOf(err).Blocked || results[0] != Retry {
		t.Fatalf("the server is down: %v, %v", results, err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	deliver(t, n, numbered(14, 40)) // the last two came before, and the server knows
	js, _ := jetstream.New(s.Conn())
	st, err := js.Stream(t.Context(), "ALERTS")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keys(numbered(1, 40)), storedKeys(t, st)); diff != "" {
		t.Errorf("the stream has (-want +got):\n%s", diff)
	}
}

// TestNATSKilledInTheMiddle breaks the connection again and again while batches are on their way.
func TestNATSKilledInTheMiddle(t *testing.T) {
	s := newNATS(t, nil)
	st := alerts(t, s, nil)
	n := toNATS(t, s, func(c *config.Target) { c.Batch.Entries = 40 })
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				s.Disconnect()
			}
		}
	}()
	broken := 0
	for from := 1; from <= 2000; from += 200 {
		batch := numbered(from, from+199)
		for len(batch) > 0 {
			results, err := n.Deliver(t.Context(), batch)
			for len(results) > 0 && results[0] == Delivered {
				results, batch = results[1:], batch[1:]
			}
			if err != nil {
				broken++
			} else if len(batch) > 0 {
				t.Fatal("left without a word")
			}
			if broken == 50 {
				close(stop)
				broken++
			}
		}
	}
	if broken < 50 {
		close(stop)
	}
	<-stopped
	if diff := cmp.Diff(keys(numbered(1, 2000)), storedKeys(t, st)); diff != "" {
		t.Errorf("after %d broken connections the stream has (-want +got):\n%s", broken, diff)
	}
}

func TestNATSEndsWithContext(t *testing.T) {
	s := newNATS(t, nil)
	arrived := make(chan struct{}, 10)
	if _, err := s.Conn().Subscribe("sluice.alerts", func(*nats.Msg) { arrived <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	if err := s.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	n := toNATS(t, s, func(c *config.Target) { c.Timeout = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	results, err := n.Deliver(ctx, numbered(1, 3))
	if results[0] != Retry || !errors.Is(err, context.Canceled) || n.conn != nil {
		t.Errorf("Deliver() = %v, %v", results, err)
	}
	// A server that accepts and says nothing, and one that is not there.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, url := range []string{"nats://" + l.Addr().String(), "nats://127.0.0.1:1", "nats://no-such-host.invalid:4222"} {
		n := toNATS(t, s, func(c *config.Target) { c.URL, c.Timeout = url, 100*time.Millisecond })
		if results, err := n.Deliver(t.Context(), numbered(1, 2)); len(results) != 2 || results[0] != Retry || err == nil || PauseOf(err).Blocked {
			t.Errorf("%s: %v, %v", url, results, err)
		}
	}
}

// TestServersThatSayNothing: where nothing comes in time, the log has one line that says so once.
func TestServersThatSayNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mute, soon := l.Addr().String(), 100*time.Millisecond
	for want, target := range map[string]deliverer{
		"connect to " + mute + ": the server doesn't answer: context deadline exceeded": toNATS(t, newNATS(t, nil), func(c *config.Target) { c.URL, c.Timeout = "nats://"+mute, soon }),
		"connect to nats.example:4222: through the proxy " + mute + ": it doesn't answer: context deadline exceeded": toNATS(t, newNATS(t, nil), func(c *config.Target) {
			c.URL, c.Timeout, c.Proxy = "nats://nats.example", soon, "http://"+mute
		}),
		"context deadline exceeded: read tcp": toKafka(t, newKafka(t, siem.KafkaOptions{Topic: topic}), func(c *config.Target) {
			c.Brokers, c.Timeout = []string{"tcp://" + mute}, 800*time.Millisecond
		}),
	} {
		_, err := target.Deliver(t.Context(), numbered(1, 2))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q, want %s", err, want)
		}
	}
}

// TestNATSWorstServers has servers that say what no server says.
func TestNATSWorstServers(t *testing.T) {
	const info = `INFO {"server_id":"x","version":"2.10.0","headers":true,"max_payload":1048576,"proto":1}` + "\r\n"
	for name, say := range map[string][]string{
		"a message of a terabyte":          {info, "PONG\r\n", "MSG _INBOX.x 1 1099511627776\r\nx"},
		"a message of less than nothing":   {info, "PONG\r\n", "MSG _INBOX.x 1 -1\r\n"},
		"headers longer than the message":  {info, "PONG\r\n", "HMSG _INBOX.x 1 900 10\r\n0123456789\r\n"},
		"a message of 2^64":                {info, "PONG\r\n", "HMSG a 1 5 18446744073709551617\r\n"},
		"a line without end":               {info, "PONG\r\n", strings.Repeat("x", 1<<20)},
		"a hidden line end":                {info, "PONG\r\n", "MSG a 1 99999999999\r 5\r\n"},
		"an INFO without end":              {"INFO " + strings.Repeat(" ", 1<<20)},
		"HTTP":                             {"HTTP/1.1 400 Bad Request\r\n\r\n"},
		"nothing, and closes":              {""},
		"an error at once":                 {"-ERR 'maximum connections exceeded'\r\n"},
		"garbage after PONG":               {info, "PONG\r\n", "\x00\xff\x00\r\n"},
		"a max_payload below zero":         {strings.Replace(info, "1048576", "-5", 1), "PONG\r\n"},
		"no headers":                       {strings.Replace(info, `"headers":true,`, "", 1), "PONG\r\n"},
		"plain text before its TLS begins": {strings.Replace(info, `"proto"`, `"tls_required":true,"proto"`, 1) + "PONG\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				for i, text := range say {
					if _, err := conn.Write([]byte(text)); err != nil {
						return
					}
					if _, err := conn.Read(make([]byte, 1<<16)); err != nil || i == len(say)-1 {
						return
					}
				}
			}()
			n, err := NewNATS(config.Target{
				Name: "bus", Format: "json", URL: "nats://" + l.Addr().String(), Subject: "s", Timeout: 2 * time.Second,
				Batch: config.Batch{Entries: 10, Size: 1 << 20},
			}, NewMetrics(nil))
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			results, err := n.Deliver(t.Context(), numbered(1, 3))
			if err == nil || len(results) != 3 || results[0] != Retry || len(err.Error()) > 1000 {
				t.Errorf("Deliver() = %v, %v", results, err)
			}
		})
	}
}
