package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-siem/sluice/gateway/durable"
)

const (
	streamName   = "SLUICE"
	subject      = "sluice.stream"
	startTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
	callTimeout  = 30 * time.Second // of a read or an API call
)

// engine is the embedded server with our connections to it. It is stopped and replaced as a whole.
type engine struct {
	server *server.Server
	log    *serverLog
	write  *nats.Conn // publishes
	read   *nats.Conn // all else: a backlog must not stand in the way of an acknowledgement
	js     jetstream.JetStream
	stream jetstream.Stream

	stopping atomic.Bool
	down     chan struct{} // closed when the server has ended
	replaced chan struct{} // closed by the Stream when a successor stands in its place, or none will
}

// serverOptions keeps the server to what we use: one stream on disk, no port, no signals.
func serverOptions(o Options) *server.Options {
	return &server.Options{
		ServerName:             "sluice",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               o.Dir,
		SyncAlways:             o.Synced,
		JetStreamMaxMemory:     1 << 20,
		JetStreamMaxStore:      math.MaxInt64 / 4, // the stream's own limit counts, not what the disk has free now
		MaxPayload:             1 << 20,
		MaxClosedClients:       1,
		DisableJetStreamBanner: true,
	}
}

// streamConfig is the one stream. No age limit and no discarding of old messages: the stream is
// purged by [Stream.Retain] only, and its size limit pushes back. The persist mode stays the default,
// because the asynchronous one loses acknowledged messages.
func streamConfig(o Options) jetstream.StreamConfig {
	limit := o.MaxDisk
	if limit <= 0 {
		limit = -1
	}
	return jetstream.StreamConfig{
		Name:        streamName,
		Subjects:    []string{subject},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    limit,
		MaxMsgs:     -1,
		Replicas:    1,
		AllowDirect: true,
		Duplicates:  100 * time.Millisecond, // the least it accepts; the expected sequence does this work
	}
}

// start opens the files below o.Dir. It makes the stream only where there has never been one.
func start(ctx context.Context, o Options, log *slog.Logger) (*engine, error) {
	if err := keep(o.Dir, log); err != nil {
		return nil, err
	}
	e, err := startServer(ctx, o, log)
	if err == nil {
		letGo(o.Dir, log)
		return e, nil
	}
	removed, back := putBack(o.Dir)
	if err = errors.Join(err, back); removed || back != nil || !errors.Is(err, errUnaccepted) {
		return nil, err
	}
	if err := describe(ctx, o, log); err != nil {
		return nil, err
	}
	if e, err = startServer(ctx, o, log); err != nil {
		_, back := putBack(o.Dir)
		return nil, errors.Join(err, back)
	}
	if e.stream.CachedInfo().State.LastSeq == 0 {
		// an empty one in its place would hide that everything is gone
		err = errors.Join(fmt.Errorf("recover %s: its files are there, but JetStream finds nothing in them", streamDir(o.Dir)), e.stop(),
			os.Remove(filepath.Join(streamDir(o.Dir), server.JetStreamMetaFile)))
		<-e.down
		return nil, err
	}
	log.Warn("the description of the stream was damaged or missing and is written anew", "directory", streamDir(o.Dir))
	letGo(o.Dir, log)
	return e, nil
}

// errUnaccepted: the stream's files are there, and JetStream says that there is no stream.
var errUnaccepted = errors.New("its files are there, but JetStream doesn't accept them")

func startServer(ctx context.Context, o Options, log *slog.Logger) (*engine, error) {
	existed := hasStream(o.Dir)
	e := &engine{log: newServerLog(log), down: make(chan struct{}), replaced: make(chan struct{})}
	s, err := server.NewServer(serverOptions(o))
	if err != nil {
		return nil, fmt.Errorf("make server: %w", err)
	}
	s.SetLoggerV2(e.log, false, false, false)
	e.server = s
	s.Start()
	if err := e.connect(ctx, o, existed); err != nil {
		err = errors.Join(err, e.log.failure(), e.stop())
		<-e.down // two servers on the same files would ruin them
		return nil, err
	}
	e.log.reset()
	return e, nil
}

func (e *engine) connect(ctx context.Context, o Options, existed bool) error {
	if e.log.gaveUp() || !e.server.ReadyForConnections(startTimeout) {
		return errors.New("start server: it didn't come up")
	}
	var err error
	// a publish whose connection broke is settled, and that makes a new connection; reading goes on by itself
	if e.write, err = dial(e.server, nats.NoReconnect()); err != nil {
		return err
	}
	if e.read, err = dial(e.server, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.SyncQueueLen(answers)); err != nil {
		return err
	}
	if e.js, err = jetstream.New(e.write); err != nil {
		return fmt.Errorf("make jetstream context: %w", err)
	}
	api, err := jetstream.New(e.read)
	if err != nil {
		return fmt.Errorf("make jetstream context: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = api.Stream(ctx, streamName)
	switch {
	case err == nil:
		e.stream, err = api.UpdateStream(ctx, streamConfig(o))
	case errors.Is(err, jetstream.ErrStreamNotFound) && existed:
		return fmt.Errorf("recover %s: %w: %w", streamDir(o.Dir), errUnaccepted, err)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		e.stream, err = api.CreateStream(ctx, streamConfig(o))
	}
	if err != nil {
		return fmt.Errorf("open stream: %w", err)
	}
	return nil
}

// describe writes JetStream's description of the stream anew: two small files that are written at every start and
// not at once, so that a crash or a power cut may tear them. They are made beside the stream and copied: making the
// stream over its messages would be another thing that may fail.
func describe(ctx context.Context, o Options, log *slog.Logger) error {
	beside := o
	beside.Dir = filepath.Join(o.Dir, "describe")
	if err := os.RemoveAll(beside.Dir); err != nil {
		return fmt.Errorf("describe the stream: %w", err)
	}
	e, err := startServer(ctx, beside, log)
	if err != nil {
		return fmt.Errorf("describe the stream: %w", err)
	}
	err = e.stop()
	<-e.down
	for _, name := range []string{server.JetStreamMetaFile, server.JetStreamMetaFileSum} {
		var data []byte
		if err == nil {
			data, err = os.ReadFile(filepath.Join(streamDir(beside.Dir), name))
		}
		if err == nil {
			err = durable.WriteFile(filepath.Join(streamDir(o.Dir), name), data)
		}
	}
	if err = errors.Join(err, os.RemoveAll(beside.Dir)); err != nil {
		return fmt.Errorf("describe the stream: %w", err)
	}
	return nil
}

// answers is how many messages one request is answered with at most, and a few. Each request makes a queue for them,
// which has half a megabyte where nobody says so.
const answers = fetchMessages + 16

func dial(s *server.Server, o ...nats.Option) (*nats.Conn, error) {
	c, err := nats.Connect("", append(o, nats.InProcessServer(s), nats.Name("sluice"))...)
	if err != nil {
		return nil, fmt.Errorf("connect in process: %w", err)
	}
	return c, nil
}

// stop ends the connections at once, so that whoever waits for an answer gets an error, and the
// server after it has written what it holds. An error means that the server still hangs in its
// files; it may be called again to wait on.
func (e *engine) stop() error {
	if !e.stopping.Swap(true) {
		for _, c := range []*nats.Conn{e.write, e.read} {
			if c != nil {
				c.Close()
			}
		}
		go func() {
			e.server.Shutdown()
			e.server.WaitForShutdown()
			close(e.down)
		}()
	}
	t := time.NewTimer(stopTimeout)
	defer t.Stop()
	select {
	case <-e.down:
		return nil
	case <-t.C:
		return fmt.Errorf("stop server: still busy after %s", stopTimeout)
	}
}

// streamDir is where JetStream keeps the stream.
func streamDir(dir string) string {
	return filepath.Join(dir, server.JetStreamStoreDir, "$G", "streams", streamName)
}

// hasStream says whether something was ever stored. The directory alone proves nothing: the process
// may have been killed while it made the stream.
func hasStream(dir string) bool {
	blocks, _ := os.ReadDir(filepath.Join(streamDir(dir), "msgs")) // none where there is no directory
	for _, b := range blocks {
		if info, err := b.Info(); err == nil && filepath.Ext(b.Name()) == ".blk" && info.Size() > 0 {
			return true
		}
	}
	return false
}
