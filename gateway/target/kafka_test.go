package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/test/siem"
)

const topic = "sluice.alerts"

func newKafka(t *testing.T, o siem.KafkaOptions) *siem.Kafka {
	t.Helper()
	k, err := siem.NewKafka(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Stop)
	return k
}

func toKafka(t *testing.T, s *siem.Kafka, change func(*config.Target)) *Kafka {
	t.Helper()
	cfg := config.Target{
		Name: "lake", Type: "kafka", Format: "json", Topic: topic, SASL: "none", Compression: "gzip", Timeout: 20 * time.Second,
		Batch: config.Batch{Entries: 1000, Size: 1000 << 10},
	}
	for _, a := range s.Addresses() {
		cfg.Brokers = append(cfg.Brokers, "tcp://"+a)
	}
	if change != nil {
		change(&cfg)
	}
	k, err := NewKafka(cfg, NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func TestKafkaContract(t *testing.T) {
	contract{
		open: func(t *testing.T) (deliverer, *siem.Record) {
			s := newKafka(t, siem.KafkaOptions{Topic: topic})
			return toKafka(t, s, func(c *config.Target) { c.Batch.Entries = 3 }), &s.Record
		},
		faults: []siem.Fault{siem.Refuse, siem.Reset, siem.Lie, siem.Stall},
		unsure: []siem.Fault{siem.Stall}, // on a slow machine the broker may write what it was given up for
		poison: true,
	}.run(t)
}

// idle wants nothing left in the client, which counts a moment after it has told.
func idle(t *testing.T, k *Kafka) {
	t.Helper()
	for end := time.Now().Add(time.Second); k.client != nil && k.client.BufferedProduceRecords() > 0 && time.Now().Before(end); {
		runtime.Gosched()
	}
	if k.client != nil && k.client.BufferedProduceRecords() > 0 {
		t.Errorf("%d records are left in the client", k.client.BufferedProduceRecords())
	}
}

func TestKafkaRecord(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Topic: topic, Partitions: 3})
	k := toKafka(t, s, nil)
	e := numbered(1, 2)
	e[0].Match.Alert = "a1e7000000000000000000000000000a"
	e[0].Notification.Start = arrived.Add(-time.Hour)
	e[1].Notification.Start, e[1].Notification.Sent = time.Time{}, time.Time{}
	now := arrived.Add(500 * 24 * time.Hour).Truncate(time.Millisecond) // what retention would make short work of
	k.now = func() time.Time { return now }
	deliver(t, k, e)
	type record struct {
		Key, Value string
		Time       time.Time
		Headers    []string
	}
	got := map[string]record{}
	for _, r := range s.Records() {
		one := record{string(r.Key), string(r.Value), r.Timestamp.UTC(), nil}
		for _, h := range r.Headers {
			one.Headers = append(one.Headers, h.Key+"="+string(h.Value))
		}
		got[one.Headers[0]] = one
	}
	body := func(i int) string { b, _ := k.shipper.render(nil, e[i], 0); return string(b) }
	at := func(t time.Time) string { return "event_time=" + t.UTC().Format(time.RFC3339Nano) }
	want := map[string]record{
		"event_key=k0001": {
			"a1e7000000000000000000000000000a", body(0), now,
			[]string{"event_key=k0001", "format=json", at(arrived.Add(-time.Hour)), "alert_id=a1e7000000000000000000000000000a", "service=unknown", "kind=unknown", "reason=by_kind"},
		},
		"event_key=k0002": {"k0002", body(1), now, []string{"event_key=k0002", "format=json", at(arrived), "service=unknown", "kind=unknown", "reason=by_kind"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the topic has (-want +got):\n%s", diff)
	}
}

// TestKafkaPartitions keeps each alert in one partition, and in order.
func TestKafkaPartitions(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Topic: topic, Partitions: 5, Cluster: []kfake.Opt{kfake.NumBrokers(3)}})
	k := toKafka(t, s, func(c *config.Target) { c.Batch.Entries = 50 })
	batch := numbered(1, 400)
	of := map[string][]string{}
	for i, e := range batch {
		e.Match.Alert = dedup.AlertID(fmt.Sprintf("alert%02d", i%20))
		of[string(e.Match.Alert)] = append(of[string(e.Match.Alert)], string(e.Key))
	}
	deliver(t, k, batch[:200])
	s.Cluster().ShufflePartitionLeaders()
	deliver(t, k, batch[200:])
	got, where, used := map[string][]string{}, map[string]int32{}, map[int32]bool{}
	for _, r := range s.Records() {
		key := string(r.Key)
		if p, ok := where[key]; ok && p != r.Partition {
			t.Fatalf("%s is in partitions %d and %d", key, p, r.Partition)
		}
		where[key], used[r.Partition] = r.Partition, true
		got[key] = append(got[key], string(r.Headers[0].Value))
	}
	if diff := cmp.Diff(of, got); diff != "" || len(used) < 3 {
		t.Errorf("in %d partitions by alert (-want +got):\n%s", len(used), diff)
	}
}

func TestKafkaCompression(t *testing.T) {
	for _, c := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		s := newKafka(t, siem.KafkaOptions{Topic: topic})
		deliver(t, toKafka(t, s, func(cfg *config.Target) { cfg.Compression = c }), numbered(1, 50))
		if diff := cmp.Diff(keys(numbered(1, 50)), s.Keys()); diff != "" {
			t.Errorf("with %s (-want +got):\n%s", c, diff)
		}
	}
}

// TestKafkaErrors goes through the error classes.
func TestKafkaErrors(t *testing.T) {
	produce := []kmsg.Key{kmsg.Produce}
	tests := []struct {
		keys    []kmsg.Key
		err     *kerr.Error
		want    Result
		blocked bool
	}{
		{produce, kerr.LeaderNotAvailable, Retry, false},
		{produce, kerr.NotLeaderForPartition, Retry, false},
		{produce, kerr.RequestTimedOut, Retry, false},
		{produce, kerr.NetworkException, Retry, false},
		{produce, kerr.NotEnoughReplicas, Retry, false},
		{produce, kerr.NotEnoughReplicasAfterAppend, Retry, false},
		{produce, kerr.ThrottlingQuotaExceeded, Retry, false},
		{produce, kerr.KafkaStorageError, Retry, false},
		{produce, kerr.UnknownServerError, Retry, false},
		{produce, kerr.OutOfOrderSequenceNumber, Retry, false},
		{produce, kerr.UnknownProducerID, Retry, false},
		{produce, kerr.UnknownTopicOrPartition, Retry, false},
		{produce, kerr.MessageTooLarge, Rejected, false},
		{produce, kerr.RecordListTooLarge, Rejected, false},
		{produce, kerr.InvalidRecord, Rejected, false},
		{produce, kerr.CorruptMessage, Rejected, false},
		{produce, kerr.InvalidTimestamp, Retry, true},
		{produce, kerr.TopicAuthorizationFailed, Retry, true},
		{produce, kerr.ClusterAuthorizationFailed, Retry, true},
		{produce, kerr.PolicyViolation, Retry, true},
		{produce, kerr.UnsupportedCompressionType, Retry, true},
		{produce, kerr.InvalidTopicException, Retry, true},
		{[]kmsg.Key{kmsg.InitProducerID}, kerr.ClusterAuthorizationFailed, Retry, true},
		{[]kmsg.Key{kmsg.InitProducerID}, kerr.CoordinatorLoadInProgress, Retry, false},
		{[]kmsg.Key{kmsg.Metadata}, kerr.TopicAuthorizationFailed, Retry, true},
		{[]kmsg.Key{kmsg.Metadata}, kerr.LeaderNotAvailable, Retry, false},
		{[]kmsg.Key{kmsg.Metadata}, kerr.UnknownTopicOrPartition, Retry, false},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.keys[0].Name(), " ", test.err.Message), func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, siem.KafkaOptions{Topic: topic})
			k := toKafka(t, s, func(c *config.Target) { c.Timeout = 4 * time.Second })
			f := s.Cluster().Fault(kfake.Fault{Keys: test.keys, Err: test.err, Count: -1})
			results, err := k.Deliver(t.Context(), numbered(1, 3))
			idle(t, k)
			if diff := cmp.Diff(repeat(test.want, 3), results); diff != "" || PauseOf(err).Blocked != test.blocked {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			silent := []*kerr.Error{ // which the client keeps to itself
				kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID,
				kerr.CoordinatorLoadInProgress,
			}
			if !slices.Contains(silent, test.err) && !strings.Contains(fmt.Sprint(err), test.err.Message) {
				t.Errorf("the error doesn't say it: %v", err)
			}
			if test.want == Rejected && !strings.Contains(Reply(err, "k0003"), test.err.Message) {
				t.Errorf("the reply is %q", Reply(err, "k0003"))
			}
			f.Remove() // it is mended
			deliver(t, k, numbered(4, 6))
			if got := s.Keys(); !slices.Equal(got[len(got)-3:], keys(numbered(4, 6))) {
				t.Errorf("afterwards the topic has %v", got)
			}
		})
	}
}

// TestKafkaCorruptOnce: what was corrupted on its way is sent once more.
func TestKafkaCorruptOnce(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Topic: topic})
	k := toKafka(t, s, nil)
	for n := 1; n <= 3; n++ {
		s.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.CorruptMessage})
		deliver(t, k, numbered(10*n, 10*n+n-1))
	}
}

func TestKafkaUnknownTopic(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Cluster: []kfake.Opt{kfake.AllowAutoTopicCreation()}})
	k := toKafka(t, s, nil)
	now := time.Now()
	k.now = func() time.Time { return now }
	for _, step := range []struct {
		pass    time.Duration
		blocked bool
	}{{0, false}, {unknown - time.Second, false}, {2 * time.Second, true}} {
		now = now.Add(step.pass)
		results, err := k.Deliver(t.Context(), numbered(1, 3))
		if results[0] != Retry || !errors.Is(err, kerr.UnknownTopicOrPartition) || PauseOf(err).Blocked != step.blocked {
			t.Errorf("after %v more: %v, %v, want blocked %v", step.pass, results, err, step.blocked)
		}
	}
	if s.Cluster().TopicInfo(topic) != nil {
		t.Fatal("the topic was made by itself")
	}
	if err := s.Cluster().CreateTopic(topic, 2, nil); err != nil {
		t.Fatal(err)
	}
	deliver(t, k, numbered(1, 3))
	if !k.absent.first.IsZero() {
		t.Error("the topic is there, and its absence is still counted")
	}
	if err := errors.Join(s.Cluster().DeleteTopic(topic), s.Cluster().CreateTopic(topic, 2, nil)); err != nil {
		t.Fatal(err)
	}
	for tries := 0; ; tries++ { // made anew, under the same name
		results, err := k.Deliver(t.Context(), numbered(4, 6))
		if err == nil && results[2] == Delivered {
			return
		}
		if tries == 5 || PauseOf(err).Blocked {
			t.Fatalf("made anew: %v, %v", results, err)
		}
	}
}

// TestKafkaOnce: within a producer session the broker knows again what comes again.
func TestKafkaOnce(t *testing.T) {
	for _, f := range []siem.Fault{siem.Lie, siem.Reset, siem.Refuse} {
		s := newKafka(t, siem.KafkaOptions{Topic: topic})
		k := toKafka(t, s, nil)
		deliver(t, k, numbered(1, 5))
		s.Next(f)
		deliver(t, k, numbered(6, 10))
		deliver(t, k, numbered(11, 15))
		if diff := cmp.Diff(keys(numbered(1, 15)), s.Keys()); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", f, diff)
		}
	}
}

// TestKafkaLateRequest has a request arrive after it was given up and sent again: it is of an epoch that is over.
func TestKafkaLateRequest(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Topic: topic})
	k := toKafka(t, s, func(c *config.Target) { c.Timeout = 600 * time.Millisecond })
	deliver(t, k, numbered(1, 2))
	arrived, release, settled := make(chan struct{}), make(chan struct{}), make(chan struct{})
	held := false
	s.Cluster().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.Cluster().KeepControl()
		if held {
			return nil, nil, false
		}
		held = true
		close(arrived)
		s.Cluster().SleepControl(func() { <-release })
		close(settled)
		return nil, nil, false
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	results, err := k.Deliver(ctx, numbered(3, 4))
	if results[0] != Retry || err == nil {
		t.Fatalf("Deliver() = %v, %v", results, err)
	}
	idle(t, k)
	for left := numbered(3, 6); len(left) > 0; {
		results, _ := k.Deliver(t.Context(), left)
		for len(results) > 0 && results[0] == Delivered {
			results, left = results[1:], left[1:]
		}
	}
	close(release)
	<-settled
	deliver(t, k, numbered(7, 7))
	got := s.Keys()
	if diff := cmp.Diff(keys(numbered(1, 7)), got); diff != "" {
		t.Errorf("the topic has (-want +got):\n%s", diff)
	}
}

func TestKafkaThrottle(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Topic: topic})
	k := toKafka(t, s, func(c *config.Target) { c.Timeout = 10 * time.Second })
	s.Next(siem.Throttle)
	before := time.Now()
	deliver(t, k, numbered(1, 3))
	if waited := time.Since(before); waited < time.Second {
		t.Errorf("waited %v, want the second that the broker asked for", waited)
	}
	s.Next(slices.Repeat([]siem.Fault{siem.Throttle}, attempts+1)...)
	if _, err := k.Deliver(t.Context(), numbered(4, 6)); PauseOf(err).After != time.Second {
		t.Errorf("%v, want to wait the second that the broker asked for", err)
	}
	deliver(t, k, numbered(4, 6))
}

func TestKafkaSizes(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{})
	limit := "100000"
	if err := s.Cluster().CreateTopic(topic, 1, map[string]string{"max.message.bytes": limit}); err != nil {
		t.Fatal(err)
	}
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('!' + rand.N(90))
		}
		return b
	}
	k := toKafka(t, s, func(c *config.Target) { c.Batch.Size, c.Compression = 64<<10, "none" })
	batch := numbered(1, 4)
	batch[1].Notification.Raw = noise(1 << 20) // shortened
	deliver(t, k, batch)
	// A request that is too large for the topic is halved, and a record that is is refused.
	k = toKafka(t, s, func(c *config.Target) { c.Compression = "none" })
	batch = numbered(5, 9)
	for i := range batch {
		batch[i].Notification.Raw = noise(30_000)
	}
	batch[3].Notification.Raw = noise(200_000)
	results, err := k.Deliver(t.Context(), batch)
	if diff := cmp.Diff([]Result{Delivered, Delivered, Delivered, Rejected, Delivered}, results); diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if !strings.Contains(Reply(err, "k0008"), "MESSAGE_TOO_LARGE") {
		t.Errorf("the reply is %q", Reply(err, "k0008"))
	}
}

func TestKafkaLogin(t *testing.T) {
	// As brokers do it; the cluster only closes the connection.
	refuse := func(c *kfake.Cluster) {
		c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
			return resp, nil, true
		})
	}
	unsupported := func(c *kfake.Cluster) {
		c.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
			resp.ErrorCode, resp.SupportedMechanisms = kerr.UnsupportedSaslMechanism.Code, []string{"GSSAPI"}
			return resp, nil, true
		})
	}
	for _, test := range []struct {
		name, mechanism, sasl, password string
		broker                          func(*kfake.Cluster)
		blocked                         bool
		words                           string
	}{
		{"plain", "PLAIN", "plain", "secret-password", nil, false, ""},
		{"scram-sha-256", "SCRAM-SHA-256", "scram-sha-256", "secret-password", nil, false, ""},
		{"scram-sha-512", "SCRAM-SHA-512", "scram-sha-512", "secret-password", nil, false, ""},
		{"SASL_AUTHENTICATION_FAILED for plain", "PLAIN", "plain", "secret-wrong", refuse, true, "SASL_AUTHENTICATION_FAILED"},
		{"SASL_AUTHENTICATION_FAILED for scram", "PLAIN", "scram-sha-512", "secret-wrong", refuse, true, "SASL_AUTHENTICATION_FAILED"},
		{"UNSUPPORTED_SASL_MECHANISM", "PLAIN", "plain", "secret-password", unsupported, true, "SASL"},
		{"a broker that closes", "PLAIN", "plain", "secret-wrong", nil, false, "user name and password"},
		{"none where it is wanted", "PLAIN", "none", "", nil, false, "SASL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, siem.KafkaOptions{Cluster: []kfake.Opt{
				kfake.EnableSASL(), kfake.Superuser(test.mechanism, "sluice", "secret-password"), kfake.SeedTopics(1, topic),
			}})
			if test.broker != nil {
				test.broker(s.Cluster())
			}
			k := toKafka(t, s, func(c *config.Target) {
				c.SASL, c.Username, c.Password, c.Timeout = test.sasl, "sluice", config.Secret(test.password), 3*time.Second
			})
			results, err := k.Deliver(t.Context(), numbered(1, 3))
			text := fmt.Sprint(err)
			if test.blocked != PauseOf(err).Blocked || (test.words == "") != (err == nil) || !strings.Contains(text, test.words) || strings.Contains(text, "secret") {
				t.Errorf("Deliver() = %v, %v, want blocked %v, with %q", results, err, test.blocked, test.words)
			}
		})
	}
}

func TestKafkaTLS(t *testing.T) {
	ours, theirs, other := newCerts(t, "client"), newCerts(t, "broker.example"), newCerts(t, "client")
	s := newKafka(t, siem.KafkaOptions{Cluster: []kfake.Opt{kfake.SeedTopics(1, topic)}, TLS: &tls.Config{
		Certificates: []tls.Certificate{theirs.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool,
	}})
	secure := func(change func(*config.Target)) *Kafka {
		return toKafka(t, s, func(c *config.Target) {
			c.Brokers = []string{"tls://" + s.Addresses()[0]}
			c.TLS = config.TLS{CA: theirs.ca, Cert: ours.cert, Key: ours.key, ServerName: "broker.example"}
			if change != nil {
				change(c)
			}
		})
	}
	k := secure(nil)
	deliver(t, k, numbered(1, 3))
	for name, change := range map[string]func(*config.Target){
		"another name":          func(c *config.Target) { c.TLS.ServerName = "else.example" },
		"another authority":     func(c *config.Target) { c.TLS.CA = other.ca },
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
	deliver(t, k, numbered(5, 5))
	k.Close()
	if _, err := k.Deliver(t.Context(), numbered(6, 6)); !PauseOf(err).Blocked {
		t.Errorf("with a stranger's certificate: %v", err)
	}
}

func TestKafkaRestart(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Topic: topic, Cluster: []kfake.Opt{kfake.DataDir(t.TempDir()), kfake.SyncWrites()}})
	k := toKafka(t, s, func(c *config.Target) { c.Batch.Entries, c.Timeout = 10, 3*time.Second })
	deliver(t, k, numbered(1, 15))
	s.Stop()
	results, err := k.Deliver(t.Context(), numbered(16, 40))
	if err == nil || PauseOf(err).Blocked || results[0] != Retry || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("the broker is down: %v, %v", results, err)
	}
	idle(t, k)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	deliver(t, k, numbered(16, 40))
	if diff := cmp.Diff(keys(numbered(1, 40)), s.Keys()); diff != "" {
		t.Errorf("the topic has (-want +got):\n%s", diff)
	}
}

func TestKafkaEndsWithContext(t *testing.T) {
	s := newKafka(t, siem.KafkaOptions{Topic: topic})
	k := toKafka(t, s, func(c *config.Target) { c.Timeout = 100 * time.Hour })
	arrived := make(chan struct{})
	s.Cluster().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(arrived)
		s.Cluster().SleepControl(func() { <-t.Context().Done() })
		return nil, errors.New("never"), true
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	before := time.Now()
	results, err := k.Deliver(ctx, numbered(1, 3))
	if results[0] != Retry || !errors.Is(err, context.Canceled) || time.Since(before) > 10*time.Second {
		t.Errorf("Deliver() = %v, %v after %v", results, err, time.Since(before))
	}
	idle(t, k)
}

// TestKafkaWorstServers has servers that say what no broker says.
func TestKafkaWorstServers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for name, say := range map[string]string{
		"nobody":                   "",
		"silence":                  "",
		"closes":                   "",
		"HTTP":                     "HTTP/1.1 400 Bad Request\r\n\r\n",
		"a terabyte":               "\x7f\xff\xff\xff",
		"less than nothing":        "\xff\xff\xff\xff",
		"an empty answer":          "\x00\x00\x00\x00",
		"another's answer":         "\x00\x00\x00\x08\x77\x77\x77\x77\x00\x00\x00\x00",
		"garbage":                  "\x00\x00\x00\x20\x00\x00\x00\x00" + strings.Repeat("\xff", 28),
		"half an answer":           "\x00\x00\x00\x20\x00\x00",
		"no-such-broker.invalid:1": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := l.Addr().String()
			switch {
			case strings.Contains(name, ".invalid"):
				address = name
			case name != "nobody":
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				address = l.Addr().String()
				go func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						go func() {
							defer conn.Close()
							if _, err := conn.Read(make([]byte, 1<<16)); err != nil || name == "closes" {
								return
							}
							_, _ = io.WriteString(conn, say)
							_, _ = io.Copy(io.Discard, conn)
						}()
					}
				}()
			}
			k, err := NewKafka(config.Target{
				Name: "lake", Format: "json", Brokers: []string{"tcp://" + address}, Topic: topic, Timeout: 500 * time.Millisecond,
				Batch: config.Batch{Entries: 10, Size: 1 << 20},
			}, NewMetrics(nil))
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			before := time.Now()
			results, err := k.Deliver(t.Context(), numbered(1, 3))
			if err == nil || len(results) != 3 || results[0] != Retry || PauseOf(err).Blocked || len(err.Error()) > 1000 {
				t.Errorf("Deliver() = %v, %v", results, err)
			}
			if took := time.Since(before); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			idle(t, k)
		})
	}
}
