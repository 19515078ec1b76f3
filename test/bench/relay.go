package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/formats/mdi"
	"github.com/sluice-siem/sluice/formats/syslog"
)

// relayCommand is the argument that makes this program a relay.
const relayCommand = "relay"

// relay is what the rows are compared with: it takes lines on any number of connections and writes
// them to one. With -parse it makes of each what Sluice makes of it, and throws that away.
func relay(ctx context.Context, args []string) error {
	f := flag.NewFlagSet(relayCommand, flag.ContinueOnError)
	listen := f.String("listen", "", "address to listen on")
	target := f.String("target", "", "address to send to")
	parse := f.Bool("parse", false, "unframe, parse and normalise every line")
	if err := f.Parse(args); err != nil {
		return err
	}
	conn, err := net.Dial("tcp", *target)
	if err != nil {
		return fmt.Errorf("connect to the target: %w", err)
	}
	defer func() { _ = conn.Close() }()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	out := &output{w: conn}
	for {
		in, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go func() {
			defer func() { _ = in.Close() }()
			if *parse {
				_ = parseLines(in, out) // the count at the target tells
			} else {
				_ = copyLines(in, out)
			}
		}()
	}
}

// output keeps the lines of several connections apart.
type output struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (o *output) write(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.w.Write(b)
	return err
}

const relayBuffer = 64 << 10

// copyLines copies whole lines.
func copyLines(in io.Reader, out *output) error {
	buf := make([]byte, relayBuffer)
	kept := 0
	for {
		n, err := in.Read(buf[kept:])
		if err != nil {
			return err
		}
		have := buf[:kept+n]
		end := bytes.LastIndexByte(have, '\n') + 1
		if end == 0 && len(have) == len(buf) {
			return errors.New("a line is longer than the buffer")
		}
		if err := out.write(have[:end]); err != nil {
			return err
		}
		kept = copy(buf, have[end:])
	}
}

// parseLines does to each line what Sluice does before it matches it, and passes it on. What was read
// at once is written at once.
func parseLines(in io.Reader, out *output) error {
	batch := make([]byte, 0, 2*relayBuffer)
	ahead := &flusher{r: in, flush: func() error {
		err := out.write(batch)
		batch = batch[:0]
		return err
	}}
	lines := syslog.NewSplitter(ahead, relayBuffer)
	for {
		line, _, err := lines.Next()
		if err != nil {
			return err
		}
		if err := understand(line, time.Now()); err != nil {
			return err
		}
		batch = append(append(batch, line...), '\n')
	}
}

// flusher flushes before it waits for more.
type flusher struct {
	r     io.Reader
	flush func() error
}

// Read flushes and reads.
func (f *flusher) Read(b []byte) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.r.Read(b)
}

// understand is the way from a line to a notification, as the gateway goes it. An error means that the
// work isn't what it should be.
func understand(line []byte, received time.Time) error {
	m, err := syslog.Parse(line, received)
	if err != nil {
		return err
	}
	e, err := cef.Parse(string(line[m.Body:]))
	if err != nil {
		return err
	}
	if mdi.Wrote(e) {
		_, err = mdi.Normalize(e)
	} else {
		_, err = mcas.Normalize(e)
	}
	_ = sha256.Sum256(line[m.Body:]) // by which a resend is known
	return err
}
