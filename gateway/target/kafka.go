package target

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Kafka writes each entry as a record of a topic (Kafka protocol guide, Produce), with acks=all and an
// idempotent producer (KIP-98, KIP-360). The key is the alert ID, so that an alert's notifications stay in
// one partition and in order; the event key where there is no alert.
//
// A record's time is when it is written: brokers keep and delete records by it, so that an old alert would be
// gone at once. When it happened, as far as anybody knows, is in the header event_time.
//
// All records of a request are awaited. The client sends a record again by itself only while its producer
// session can tell the broker that it is the same one. What isn't known to be stored when the time
// is over is taken out of the client, which then raises the session's epoch: a request that still lies
// on the way is refused by the broker once it has seen the new epoch. What the broker had stored before is
// stored twice when it comes again, with the same event key.
type Kafka struct {
	cfg     config.Target
	secure  bool
	way     via
	shipper *shipper
	options []kgo.Opt
	notes   *brokerNotes
	now     func() time.Time // tests have their own
	absent  grace            // the topic

	client *kgo.Client // nil: to be made
}

const (
	// unknown is how long a topic may be unknown: one that is just being made is.
	unknown = 3 * time.Minute
	// attempts is how often a record is sent in one Deliver after the first time, in its producer session. A
	// broken connection may take two of them: the metadata that is asked for then counts too.
	attempts = 3
	// overhead of a record in its batch: key, headers and lengths.
	overhead = 512
)

// NewKafka makes a target of cfg.Topic; nothing is dialled.
func NewKafka(cfg config.Target, m *Metrics) (*Kafka, error) {
	s, err := newShipper(cfg, overhead)
	if err != nil {
		return nil, err
	}
	way, err := newVia(cfg.Proxy)
	if err != nil {
		return nil, err
	}
	k := &Kafka{cfg: cfg, way: way, shipper: s, notes: &brokerNotes{count: m.of(cfg.Name)}, now: time.Now}
	var seeds []string
	for _, b := range cfg.Brokers {
		scheme, address, _ := strings.Cut(b, "://")
		k.secure = k.secure || scheme == "tls"
		seeds = append(seeds, address)
	}
	within := func(d time.Duration) time.Duration { return min(max(d, 100*time.Millisecond), 15*time.Minute) } // what the client takes
	k.options = []kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.ClientID("sluice"), kgo.DefaultProduceTopic(cfg.Topic), kgo.DisableClientMetrics(),
		kgo.WithHooks(k.notes), kgo.Dialer(k.dial),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ManualFlushing(), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.AllowIdempotentProduceCancellation(), kgo.RecordRetries(attempts), kgo.UnknownTopicRetries(attempts),
		// A connection that says nothing ends at half the time, so that the rest is for asking again on a new one.
		kgo.ProduceRequestTimeout(within(cfg.Timeout / 4)), kgo.RequestTimeoutOverhead(within(cfg.Timeout / 4)),
		kgo.RetryTimeout(cfg.Timeout), kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.BrokerMaxReadBytes(maxReply), kgo.FetchMaxBytes(maxReply), kgo.FetchMaxPartitionBytes(maxReply),
		kgo.ProducerBatchCompression(codec(cfg.Compression)...),
	}
	if cfg.Batch.Size > 0 {
		k.options = append(k.options, kgo.ProducerBatchMaxBytes(int32(cfg.Batch.Size)))
	}
	login := scram.Auth{User: cfg.Username, Pass: string(cfg.Password)}
	switch cfg.SASL {
	case "plain":
		k.options = append(k.options, kgo.SASL(saslplain.Auth{User: login.User, Pass: login.Pass}.AsMechanism()))
	case "scram-sha-256":
		k.options = append(k.options, kgo.SASL(login.AsSha256Mechanism()))
	case "scram-sha-512":
		k.options = append(k.options, kgo.SASL(login.AsSha512Mechanism()))
	}
	return k, kgo.ValidateOpts(k.options...)
}

// codec lists the compression that is asked for, and none for brokers that don't know it.
func codec(name string) []kgo.CompressionCodec {
	none := kgo.NoCompression()
	switch name {
	case "gzip":
		return []kgo.CompressionCodec{kgo.GzipCompression(), none}
	case "snappy":
		return []kgo.CompressionCodec{kgo.SnappyCompression(), none}
	case "lz4":
		return []kgo.CompressionCodec{kgo.Lz4Compression(), none}
	case "zstd":
		return []kgo.CompressionCodec{kgo.ZstdCompression(), none}
	}
	return []kgo.CompressionCodec{none}
}

// Deliver sends the batch. Within a partition a record that isn't stored holds up those behind it; other
// partitions go on. Nothing is left in the client. Nobody may call Deliver while it runs.
func (k *Kafka) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	return k.shipper.ship(ctx, batch, k.send)
}

// send sends items and tells what became of each. What spoils a batch is looked for in the halves of what
// was refused with it.
func (k *Kafka) send(ctx context.Context, items []item) ([]Result, error) {
	results := make([]Result, len(items))
	var failed error
	var spoilt []int
	errs := k.produce(ctx, items)
	if len(items) == 1 && errors.Is(errs[0], kerr.CorruptMessage) {
		errs = k.produce(ctx, items) // it may have been the way that corrupted it
	}
	for i, err := range errs {
		switch {
		case err == nil:
			results[i] = Delivered
			k.absent.found()
		case spoils(err):
			spoilt = append(spoilt, i)
		case failed == nil:
			failed = k.class(err)
		}
	}
	switch {
	case failed != nil || len(spoilt) == 0:
		return results, failed
	case len(items) == 1:
		results[0] = Rejected
		return results, refusal(items[0], "topic %s refuses it: %w", k.cfg.Topic, saidError{errs[0]})
	}
	for half := range slices.Chunk(spoilt, (len(spoilt)+1)/2) {
		some := make([]item, 0, len(half))
		for _, i := range half {
			some = append(some, items[i])
		}
		got, err := k.send(ctx, some)
		failed = errors.Join(failed, err)
		for j, i := range half {
			results[i] = got[j]
		}
		if slices.Contains(got, Retry) {
			break
		}
	}
	return results, failed
}

// produce sends a record for each item, and waits until it is known what became of each, or ctx or the
// time is over. Then nothing of them is in the client any more.
func (k *Kafka) produce(ctx context.Context, items []item) []error {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	errs := make([]error, len(items))
	if err := k.open(); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	k.notes.forget()
	var open sync.WaitGroup
	open.Add(len(items))
	for i, it := range items {
		k.client.Produce(ctx, k.record(it), func(_ *kgo.Record, err error) {
			errs[i] = err
			open.Done()
		})
	}
	_ = k.client.Flush(ctx) // the records say more than its error
	done := make(chan struct{})
	go func() {
		open.Wait()
		close(done)
	}()
	select {
	case <-done:
		return errs
	case <-ctx.Done():
	}
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		k.drop()
		<-done
	}
	return errs
}

// record is the record of an item.
func (k *Kafka) record(it item) *kgo.Record {
	e := it.entry
	key := string(e.Match.Alert)
	if key == "" {
		key = string(e.Key)
	}
	var headers []kgo.RecordHeader
	for _, h := range append([]render.Label{
		{Name: "event_key", Value: string(e.Key)},
		{Name: "format", Value: k.cfg.Format},
		{Name: "event_time", Value: render.Happened(e).Format(time.RFC3339Nano)},
		{Name: "alert_id", Value: string(e.Match.Alert)},
		{Name: "service", Value: string(e.Notification.Service)},
		{Name: "kind", Value: string(e.Notification.Kind)},
		{Name: "reason", Value: string(e.Decision.Reason)},
	}, k.shipper.labels.Of(e)...) {
		there := slices.ContainsFunc(headers, func(have kgo.RecordHeader) bool { return have.Key == h.Name })
		if h.Value != "" && !there {
			headers = append(headers, kgo.RecordHeader{Key: h.Name, Value: []byte(h.Value)})
		}
	}
	return &kgo.Record{Key: []byte(key), Value: it.body, Headers: headers, Timestamp: k.now()}
}

// open makes the client, unless there is one.
func (k *Kafka) open() error {
	if k.client != nil {
		return nil
	}
	client, err := kgo.NewClient(k.options...)
	if err != nil {
		return blocked(err)
	}
	k.client = client
	return nil
}

// drop gives the client up, with its connections and its producer session.
func (k *Kafka) drop() {
	if k.client != nil {
		k.client.Close()
		k.client = nil
	}
}

// Close closes the connections; Deliver would dial again.
func (k *Kafka) Close() error {
	k.drop()
	return nil
}
