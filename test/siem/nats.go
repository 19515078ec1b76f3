package siem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NATS is the real nats-server with JetStream, in this process. Its faults are those of a proxy of ours
// that listens to the subject in place of the stream, passes on what comes, and gives the stream's own answers.
type NATS struct {
	Record
	options *server.Options
	login   []nats.Option

	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	own    uint64 // conn, to the server

	mu     sync.Mutex // guards what follows
	until  string     // the key with which the client must begin again
	fault  Fault      // for all that comes until then
	inbox  string     // where the client's connection gets its answers
	over   []string   // those of its connections before
	last   uint64     // sequence of the last message that is recorded
	stream jetstream.Stream
}

const patience = 10 * time.Second

// NewNATS starts a server on a port of its choosing, with its streams in dir. configure may change its
// options, and login is how we get in then.
func NewNATS(dir string, configure func(*server.Options), login ...nats.Option) (*NATS, error) {
	n := &NATS{options: &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true,
	}, login: login}
	if configure != nil {
		configure(n.options)
	}
	return n, n.Start()
}

// Start starts the server, again on the same port where it was stopped.
func (n *NATS) Start() error {
	var err error
	if n.server, err = server.NewServer(n.options.Clone()); err != nil {
		return err
	}
	n.server.Start()
	if !n.server.ReadyForConnections(patience) {
		return errors.New("nats-server doesn't start")
	}
	addr, ok := strings.CutPrefix(n.server.Addr().String(), "127.0.0.1:")
	if !ok {
		return fmt.Errorf("nats-server listens to %s", addr)
	}
	if _, err := fmt.Sscan(addr, &n.options.Port); err != nil {
		return err
	}
	if n.conn, err = nats.Connect("", append(n.login, nats.InProcessServer(n.server))...); err != nil {
		return err
	}
	if n.own, err = n.conn.GetClientID(); err != nil {
		return err
	}
	n.js, err = jetstream.New(n.conn)
	return err
}

// Stop ends the server at once.
func (n *NATS) Stop() {
	if n.conn != nil {
		n.conn.Close()
	}
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// Address is where it listens.
func (n *NATS) Address() string { return fmt.Sprintf("127.0.0.1:%d", n.options.Port) }

// Conn is a connection of ours to it.
func (n *NATS) Conn() *nats.Conn { return n.conn }

// Stream makes a stream.
func (n *NATS) Stream(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
	return n.js.CreateStream(ctx, c)
}

// Disconnect breaks every connection but ours.
func (n *NATS) Disconnect() {
	z, err := n.server.Connz(&server.ConnzOptions{})
	if err != nil {
		return
	}
	for _, c := range z.Conns {
		if c.Cid != n.own {
			_ = n.server.DisconnectClientByID(c.Cid)
		}
	}
}

// stored is where the stream behind the proxy listens.
const stored = "stored."

// Serve makes the stream of that name, and puts the proxy before it: from then on faults happen.
func (n *NATS) Serve(ctx context.Context, stream, subject string) error {
	s, err := n.Stream(ctx, jetstream.StreamConfig{Name: stream, Subjects: []string{stored + subject}})
	if err != nil {
		return err
	}
	n.stream = s
	if _, err = n.conn.Subscribe(subject, n.take); err != nil {
		return err
	}
	return n.conn.Flush()
}

// take does with a message what the next fault says. What is in flight behind a message that was not
// taken isn't taken either, until the client begins again with that message or on another connection: a server that is ill is
// ill for all. Nor is what comes of a connection when the client has another one: nats-server goes on with what it has read of
// one that is over, at its leisure.
func (n *NATS) take(m *nats.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	inbox := strings.Join(strings.Split(m.Reply, ".")[:2], ".")
	if slices.Contains(n.over, inbox) {
		return
	}
	if inbox != n.inbox {
		n.over, n.inbox, n.until = append(n.over, n.inbox), inbox, ""
	}
	id := m.Header.Get(nats.MsgIdHdr)
	if n.until == id {
		n.until = ""
	}
	if n.until == "" {
		n.fault = n.Fault()
	}
	if n.until == "" && n.fault != None {
		n.until = id
		if n.fault == Lie {
			_, _ = n.store(m)
		}
		if n.fault == Lie || n.fault == Reset {
			_ = n.conn.Flush() // the answers to those before
			n.Disconnect()
		}
	}
	switch {
	case n.until != "" && n.fault == Refuse:
		_ = m.Respond([]byte(`{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"},"stream":"","seq":0}`))
	case n.until != "" && n.fault == Throttle:
		_ = m.Respond([]byte(`{"error":{"code":429,"err_code":10167,"description":"too many requests"},"stream":"","seq":0}`))
	case n.until != "":
	case strings.Contains(string(m.Data), Poison):
		_ = m.Respond([]byte(`{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},"stream":"","seq":0}`))
	default:
		if answer, err := n.store(m); err == nil {
			_ = m.Respond(answer)
		}
	}
}

// store passes a message on to the stream, records what the stream has then, and returns its answer.
func (n *NATS) store(m *nats.Msg) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply, err := n.conn.RequestMsgWithContext(ctx, &nats.Msg{Subject: stored + m.Subject, Header: m.Header, Data: m.Data})
	if err != nil {
		return nil, err
	}
	var ack struct {
		Sequence uint64 `json:"seq"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return nil, err
	}
	for ; n.last < ack.Sequence; n.last++ {
		got, err := n.stream.GetMsg(ctx, n.last+1)
		if err != nil {
			return nil, err
		}
		n.Take(Event{got.Header.Get(nats.MsgIdHdr), got.Data})
	}
	return reply.Data, nil
}
