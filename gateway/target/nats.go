package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// NATS publishes each entry to a subject that a stream of JetStream listens to, and waits until the stream
// has stored it (NATS JetStream, publish and PubAck; headers as in ADR-4). The event key is the
// message's Nats-Msg-Id: what comes again within the stream's duplicate window is stored once.
//
// A batch is published at once, window by window, and all its answers are awaited. Nothing is left to the
// client library: it doesn't reconnect, and a connection on which an answer is missing is closed, so that
// nothing is on its way when Deliver returns but what the network still holds, or the server has read. When
// something had to be tried again, one message is published at a time until a whole batch is through, so
// that a stream that takes some and refuses others disturbs the order at most once.
type NATS struct {
	cfg     config.Target
	address string
	secure  bool
	way     via
	shipper *shipper
	count   counters
	now     func() time.Time // tests have their own
	careful bool             // the last batch was not all delivered
	silence grace            // nobody listens to the subject

	conn   *nats.Conn
	below  *natsConn      // below conn
	inbox  string         // where answers come
	acks   chan *nats.Msg // the answers
	faults chan error     // what the server complains of
	over   chan struct{}  // closed with conn
	window int            // numbers the windows of conn
}

const (
	// silent is how long nobody may answer on the subject: a stream that elects its leader doesn't.
	silent = 90 * time.Second
	// full is how long a stream that is full is left alone.
	full = 30 * time.Second
	// least is the max_payload below which we don't begin: everything would be cut to nothing.
	least = 4 << 10
)

// NewNATS makes a target of cfg.URL and cfg.Subject; nothing is dialled.
func NewNATS(cfg config.Target, m *Metrics) (*NATS, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "4222")
	}
	const headers = 200 // the version, both keys and their names
	s, err := newShipper(cfg, headers+len(cfg.Stream))
	if err != nil {
		return nil, err
	}
	way, err := newVia(cfg.Proxy)
	if err != nil {
		return nil, err
	}
	return &NATS{cfg: cfg, way: way, address: address, secure: u.Scheme == "tls", shipper: s, count: m.of(cfg.Name), now: time.Now}, nil
}

// Deliver publishes the batch, in order. What is acknowledged is delivered, also where something before it
// is not. Nobody may call Deliver while it runs.
func (n *NATS) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	if err := n.connect(ctx); err != nil {
		n.careful = true
		return make([]Result, len(batch)), fmt.Errorf("connect to %s: %w", n.address, err)
	}
	s := *n.shipper
	most := int(n.conn.MaxPayload())
	if most < least {
		return make([]Result, len(batch)), blocked(fmt.Errorf("%s takes %d bytes a message (max_payload), expected at least %d", n.address, most, least))
	}
	if s.size == 0 || s.size > most {
		s.size = most
	}
	if n.careful {
		s.entries = 1
	}
	results, err := s.ship(ctx, batch, n.publish)
	n.careful = slices.Contains(results, Retry)
	return results, err
}

// publish publishes items and awaits what the stream says of each.
func (n *NATS) publish(ctx context.Context, items []item) ([]Result, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	raw := n.below.raw
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // a write may hang
	defer stop()
	n.window++
	w := &window{nats: n, items: items, ends: make([]outcome, len(items)), prefix: n.inbox + strconv.Itoa(n.window) + "."}
	for i, it := range items {
		switch err := n.conn.PublishMsg(n.message(it, w.prefix+strconv.Itoa(i))); {
		case errors.Is(err, nats.ErrMaxPayload):
			w.end(i, Rejected, refusal(it, "%d bytes and its headers: %w", len(it.body), err))
		case err != nil:
			w.end(i, Retry, n.class(err))
		default:
			w.waiting++
		}
	}
	broken := w.await(ctx)
	if broken != nil {
		broken = fmt.Errorf("%d of %d messages are unanswered: %w", w.waiting, len(items), broken)
		n.drop()
	}
	return w.results(broken)
}

// message is the message of an item.
func (n *NATS) message(it item, reply string) *nats.Msg {
	h := nats.Header{nats.MsgIdHdr: {string(it.entry.Key)}}
	if n.cfg.Stream != "" {
		h[nats.ExpectedStreamHdr] = []string{n.cfg.Stream}
	}
	if alert := it.entry.Match.Alert; alert != "" {
		h["Sluice-Alert-Id"] = []string{string(alert)}
	}
	for _, l := range n.shipper.labels.Of(it.entry) {
		h[headerOf(l.Name)] = []string{l.Value}
	}
	return &nats.Msg{Subject: n.cfg.Subject, Reply: reply, Header: h, Data: it.body}
}

// class says whether somebody must mend what an error of the connection is about.
func (n *NATS) class(err error) error {
	err = saidError{err} // the client tells a server's words as they came
	for _, fatal := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation,
		nats.ErrNkeysNotSupported, nats.ErrHeadersNotSupported,
	} {
		if errors.Is(err, fatal) {
			return blocked(err)
		}
	}
	if untrusted(err) {
		return blocked(err)
	}
	return err
}

// connect dials, unless there is a connection.
func (n *NATS) connect(ctx context.Context) error {
	if n.conn != nil && n.conn.IsConnected() {
		return nil
	}
	n.drop()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	o, err := n.options()
	if err != nil {
		return blocked(err)
	}
	over, faults, acks := make(chan struct{}), make(chan error, 1), make(chan *nats.Msg, 2*max(n.cfg.Batch.Entries, 1))
	o.ClosedCB = func(*nats.Conn) { close(over) }
	o.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case faults <- err:
		default: // the first says enough
		}
	}
	var dialled *natsConn
	var failed error // of the dialer; the client keeps some of it to itself
	o.CustomDialer = natsDial(func(_, _ string) (net.Conn, error) {
		dialled, failed = dialNATS(ctx, n.way, n.address, n.secure, n.cfg.TLS, n.count.bytes)
		return dialled, failed
	})
	conn, err := o.Connect()
	if dialled != nil {
		defer dialled.stop()
	}
	if err != nil {
		if failed != nil {
			err = failed
		} else if dialled != nil && dialled.why() != nil && !errors.Is(err, dialled.why()) {
			err = errors.Join(err, dialled.why())
		}
		return n.class(ended(ctx, err))
	}
	n.count.connections.Inc()
	n.conn, n.below, n.acks, n.faults, n.over, n.window = conn, dialled, acks, faults, over, 0
	n.inbox = nats.NewInbox() + "."
	if _, err := conn.ChanSubscribe(n.inbox+"*.*", acks); err != nil {
		n.drop()
		return err
	}
	return nil
}

// options are those of the client, with the credentials as they are in their file now.
func (n *NATS) options() (nats.Options, error) {
	o := nats.GetDefaultOptions()
	o.Url, o.Name, o.AllowReconnect, o.IgnoreDiscoveredServers, o.NoEcho = n.cfg.URL, "sluice", false, true, true
	o.Timeout, o.FlusherTimeout, o.SkipHostLookup = n.cfg.Timeout, n.cfg.Timeout, true
	o.User, o.Password, o.Token = n.cfg.Username, string(n.cfg.Password), string(n.cfg.Token)
	if n.cfg.Credentials == "" {
		return o, nil
	}
	creds, err := os.ReadFile(n.cfg.Credentials)
	if err != nil {
		return o, fmt.Errorf("read credentials: %w", err)
	}
	if err := nats.UserCredentialBytes(creds)(&o); err != nil {
		return o, fmt.Errorf("credentials: %w", err)
	}
	_, err = o.UserJWT()
	if err == nil {
		_, err = o.SignatureCB(nil)
	}
	if err != nil {
		return o, fmt.Errorf("credentials %s: %w", n.cfg.Credentials, err)
	}
	return o, nil
}

// drop closes the connection, with all that is still to be written.
func (n *NATS) drop() {
	if n.conn == nil {
		return
	}
	_ = n.below.raw.Close()
	n.conn.Close()
	n.conn = nil
}

// Close closes the connection; Deliver would dial again.
func (n *NATS) Close() error {
	n.drop()
	return nil
}
