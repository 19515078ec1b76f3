package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// spoils says whether an error is about one of the records that it came for, and not about the topic.
func spoils(err error) bool {
	for _, e := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.CorruptMessage} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// class says whether somebody must mend what a record's error is about, or when to try again (error codes
// of the Kafka protocol guide). Where the producer session can be of no use any more, a new one is begun.
func (k *Kafka) class(err error) error {
	wait, note := k.notes.seen()
	err = saidError{err} // brokers say some in words of their own
	said, fromBroker := errors.AsType[*kerr.Error](err)
	if !fromBroker {
		switch { // the client says only that it gave up
		case note != nil && !errors.Is(err, note):
			err = fmt.Errorf("%w: %w", err, saidError{note})
		case errors.Is(err, kgo.ErrRecordRetries):
			err = fmt.Errorf("the broker leaves open whether it is stored (a timeout, or too few replicas): %w", err)
		}
		if k.cfg.SASL != "none" && errors.Is(err, io.EOF) {
			err = fmt.Errorf("a broker closed the connection, as some do that don't take the user name and password: %w", err)
		}
		if untrusted(err) {
			err = blocked(err)
		}
		if PauseOf(err).Blocked {
			k.drop()
		}
		return err
	}
	switch {
	case said == kerr.UnknownTopicOrPartition, said == kerr.UnknownTopicID: // perhaps it was made anew
		k.drop()
		return k.absent.missing(k.now(), unknown, fmt.Errorf("topic %s: %w", k.cfg.Topic, err))
	case said == kerr.InvalidTimestamp: // of records that have the present time
		k.drop()
		return blocked(fmt.Errorf("topic %s takes no records of the present time; is the clock wrong, here or there? %w", k.cfg.Topic, err))
	case slices.Contains([]*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidProducerIDMapping}, said):
		k.drop()
		return err
	case kerr.IsRetriable(said) || said == kerr.UnknownServerError || said == kerr.OperationNotAttempted:
		if wait > 0 {
			return later(wait, err)
		}
		return err
	}
	k.drop()
	return blocked(err) // authorization, the login, a name that no topic can have: nothing here can mend it
}

// dial connects to a broker, with the certificates as they are in their files now.
func (k *Kafka) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := k.way.dial(ctx, network, address)
	if err != nil || !k.secure {
		return conn, err
	}
	secure, err := handshake(ctx, conn, k.cfg.TLS, address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// brokerNotes counts what the client does, and keeps what it doesn't say with a record's error: why a
// broker can't be talked to, and that it asks to wait.
type brokerNotes struct {
	count counters
	mu    sync.Mutex // guards what follows
	err   error
	wait  time.Duration
}

// OnBrokerConnect implements [kgo.HookBrokerConnect].
func (n *brokerNotes) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		n.count.connections.Inc()
	}
	n.note(err)
}

// OnBrokerWrite implements [kgo.HookBrokerWrite].
func (n *brokerNotes) OnBrokerWrite(_ kgo.BrokerMetadata, _ int16, written int, _, _ time.Duration, err error) {
	n.count.bytes.Add(float64(written))
	n.note(err)
}

// OnBrokerRead implements [kgo.HookBrokerRead].
func (n *brokerNotes) OnBrokerRead(_ kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error) {
	n.note(err)
}

// OnBrokerThrottle implements [kgo.HookBrokerThrottle].
func (n *brokerNotes) OnBrokerThrottle(_ kgo.BrokerMetadata, interval time.Duration, _ bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wait = interval
}

func (n *brokerNotes) note(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil || !untrusted(n.err) { // which explains most of what follows it
		n.err = err
	}
}

// forget forgets what was noted.
func (n *brokerNotes) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err, n.wait = nil, 0
}

// seen tells what was noted since.
func (n *brokerNotes) seen() (time.Duration, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.wait, n.err
}
