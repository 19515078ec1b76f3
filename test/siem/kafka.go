package siem

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka is a cluster of franz-go's kfake, which checks batches and producer sequences as brokers do. A
// request for a fault is a Produce request; what is recorded is read by a consumer, before the answer goes out.
type Kafka struct {
	Record
	options KafkaOptions
	cluster *kfake.Cluster
	ports   []int
	answer  atomic.Uint32 // the fault that the next Produce request is answered with

	mu      sync.Mutex // guards what follows
	reader  *kgo.Client
	records []*kgo.Record
	next    map[int32]int64 // offset, by partition
}

// KafkaOptions are what a cluster is made of.
type KafkaOptions struct {
	Topic      string
	Partitions int32
	TLS        *tls.Config
	Cluster    []kfake.Opt
	Client     []kgo.Opt // how our consumer gets in
}

// NewKafka starts a cluster. With a topic, it has that topic.
func NewKafka(o KafkaOptions) (*Kafka, error) {
	k := &Kafka{options: o}
	return k, k.Start()
}

// Start starts the cluster, again on the same ports where it was stopped. What it had stays only with
// [kfake.DataDir].
func (k *Kafka) Start() error {
	opts := append([]kfake.Opt{kfake.NumBrokers(1), kfake.ListenFn(k.listen)}, k.options.Cluster...)
	if k.options.Topic != "" {
		opts = append(opts, kfake.SeedTopics(max(k.options.Partitions, 1), k.options.Topic))
	}
	if k.ports != nil {
		opts = append(opts, kfake.Ports(k.ports...))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return err
	}
	k.cluster, k.ports = c, nil
	for _, address := range c.ListenAddrs() {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			return err
		}
		k.ports = append(k.ports, a.Port)
	}
	c.ControlKey(int16(kmsg.Produce), k.produce)
	return nil
}

// Stop ends the cluster at once.
func (k *Kafka) Stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reader != nil {
		k.reader.Close()
		k.reader = nil
	}
	k.cluster.Close()
}

// Addresses lists the brokers.
func (k *Kafka) Addresses() []string { return k.cluster.ListenAddrs() }

// Cluster is the cluster, for more faults.
func (k *Kafka) Cluster() *kfake.Cluster { return k.cluster }

// Records lists what was read, in the order in which it was read.
func (k *Kafka) Records() []*kgo.Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.records)
}

// produce answers a Produce request that is to be refused. As a broker does it refuses the whole of a
// batch that has a bad record.
func (k *Kafka) produce(r kmsg.Request) (kmsg.Response, error, bool) {
	k.cluster.KeepControl()
	req := r.(*kmsg.ProduceRequest)
	fault := Fault(k.answer.Swap(uint32(None)))
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	if fault == Throttle {
		resp.ThrottleMillis = 1000
	}
	refused := false
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition = p.Partition
			switch {
			case fault == Refuse:
				rp.ErrorCode = kerr.NotEnoughReplicas.Code
			case fault == Throttle:
				rp.ErrorCode = kerr.ThrottlingQuotaExceeded.Code
			case poisoned(p.Records):
				rp.ErrorCode = kerr.InvalidRecord.Code
			default:
				continue
			}
			refused = true
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil, refused
}

// poisoned says whether a batch has a record that is refused for good.
func poisoned(batch []byte) bool {
	var b kmsg.RecordBatch
	if b.ReadFrom(batch) != nil {
		return false
	}
	records, err := kfake.BatchRecords(b)
	return err == nil && slices.ContainsFunc(records, func(r kmsg.Record) bool { return bytes.Contains(r.Value, []byte(Poison)) })
}

// read records what the topic has.
func (k *Kafka) read() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.options.Topic == "" || k.options.TLS != nil && len(k.options.Client) == 0 {
		return nil
	}
	have := 0
	for _, p := range k.cluster.PartitionInfos(k.options.Topic) {
		have += int(p.HighWatermark)
	}
	if k.reader == nil {
		reader, err := kgo.NewClient(append([]kgo.Opt{
			kgo.SeedBrokers(k.Addresses()...), kgo.ConsumeTopics(k.options.Topic), kgo.DisableClientMetrics(), kgo.MetadataMinAge(50 * time.Millisecond),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		}, k.options.Client...)...)
		if err != nil {
			return err
		}
		k.reader, k.records, k.next = reader, nil, map[int32]int64{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen := len(k.Events())
	for len(k.records) < have {
		fetched := k.reader.PollFetches(ctx)
		if ctx.Err() != nil { // anything else the reader overcomes
			return ctx.Err()
		}
		for _, r := range fetched.Records() {
			if r.Offset == k.next[r.Partition] { // a leader that changes may send what was read before
				k.records = append(k.records, r)
				k.next[r.Partition]++
			}
		}
	}
	for _, r := range k.records[min(seen, len(k.records)):] {
		e := Event{Body: r.Value}
		for _, h := range r.Headers {
			if h.Key == "event_key" {
				e.Key = string(h.Value)
			}
		}
		k.Take(e)
	}
	return nil
}

func (k *Kafka) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err == nil && k.options.TLS != nil {
		l = tls.NewListener(l, k.options.TLS)
	}
	return kafkaListener{l, k}, err
}

type kafkaListener struct {
	net.Listener
	kafka *Kafka
}

// Accept implements [net.Listener].
func (l kafkaListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &kafkaConn{Conn: conn, kafka: l.kafka, lies: map[uint32]bool{}}, nil
}

// kafkaConn looks at the requests of a client and the answers to them. A frame is its length, and in a
// request the API's key and version and a number that the answer repeats (Kafka protocol guide).
type kafkaConn struct {
	net.Conn
	kafka *Kafka
	frame []byte // of a request, what is left to be read

	mu   sync.Mutex      // guards what follows
	lies map[uint32]bool // the Produce requests by their numbers, and whether to lie to them
}

var errFault = errors.New("the connection is broken on command")

// Read gives the cluster a request, unless a fault says otherwise.
func (c *kafkaConn) Read(b []byte) (int, error) {
	if len(c.frame) == 0 {
		size := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, size); err != nil {
			return 0, err
		}
		n := binary.BigEndian.Uint32(size)
		if n < 8 || n > 100<<20 {
			return 0, errors.New("that is no request")
		}
		c.frame = append(size, make([]byte, n)...)
		if _, err := io.ReadFull(c.Conn, c.frame[4:]); err != nil {
			return 0, err
		}
		if binary.BigEndian.Uint16(c.frame[4:]) == uint16(kmsg.Produce) {
			if err := c.fault(binary.BigEndian.Uint32(c.frame[8:])); err != nil {
				return 0, err
			}
		}
	}
	n := copy(b, c.frame)
	c.frame = c.frame[n:]
	return n, nil
}

// fault does what is to be done to a Produce request.
func (c *kafkaConn) fault(number uint32) error {
	f := c.kafka.Fault()
	c.mu.Lock()
	c.lies[number] = f == Lie
	c.mu.Unlock()
	switch f {
	case Reset:
		_ = c.Close()
		return errFault
	case Stall:
		_, _ = io.Copy(io.Discard, c.Conn)
		return errFault
	case Refuse, Throttle:
		c.kafka.answer.Store(uint32(f))
	case None, Lie:
	}
	return nil
}

// Write sends an answer, when what it is about is recorded.
func (c *kafkaConn) Write(b []byte) (int, error) {
	if len(b) >= 8 {
		number := binary.BigEndian.Uint32(b[4:])
		c.mu.Lock()
		lie, ok := c.lies[number]
		delete(c.lies, number)
		c.mu.Unlock()
		if ok {
			if err := c.kafka.read(); err != nil {
				return 0, err
			}
		}
		if lie {
			_ = c.Close()
			return 0, errFault
		}
	}
	return c.Conn.Write(b)
}
