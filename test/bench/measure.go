package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"
)

// bench is one run.
type bench struct {
	settings
	dir    string
	sluice string
	cage   cage
	log    io.Writer
	count  int // of measurements, for the names of their directories
}

// Bounds of one measurement.
const (
	toFinish = 3 * time.Minute
	settling = 4 // one part in so many of the lines at the constant rate isn't counted
)

// sample is what one measurement gives; NaN where it gives nothing.
type sample struct {
	rate float64 // events per second that came in and whose outcome went out
	cpu  float64 // µs an event
	idle float64 // MiB before the first event
	peak float64 // MiB
	p50  float64 // ms
	p99  float64
}

func nothing() sample {
	n := math.NaN()
	return sample{n, n, n, n, n, n}
}

// task is what a measurement asks of a program.
type task struct {
	program program
	found   string // path of what the program needs
	work    work
	times   int // that the work is sent
	conns   int
	rate    int    // 0: as fast as it goes
	data    string // a state to work on, for Sluice; empty: a new one
}

// lines is how many lines are sent.
func (t task) lines() int { return len(t.work.ends) * t.times }

func (t task) want() int {
	if t.program.sluice {
		return forwarded(t.lines())
	}
	return t.lines()
}

// measure starts the program, gives it the work, waits for what comes out and ends it.
func (b *bench) measure(ctx context.Context, t task) (out sample, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, toFinish, fmt.Errorf("not done in %s", toFinish))
	defer cancel()
	b.count++
	dir := filepath.Join(b.dir, fmt.Sprint(b.count))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nothing(), err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if t.data != "" {
		if err := copied(t.data, filepath.Join(dir, "data")); err != nil {
			return nothing(), err
		}
	}
	var c *clock
	if t.rate > 0 {
		c = newClock(t.lines())
	}
	target, err := newSink(c)
	if err != nil {
		return nothing(), err
	}
	defer target.close()
	p, address, err := b.launch(ctx, t, dir, target.address())
	if err != nil {
		return nothing(), err
	}
	defer p.kill()
	out, err = p.load(ctx, t, address, target, c)
	if err != nil {
		return nothing(), fmt.Errorf("%w\n%s", err, p.said())
	}
	if err := p.stop(); err != nil {
		return nothing(), err
	}
	if got := target.close(); got != t.want() {
		return nothing(), fmt.Errorf("%d lines reached the target, want %d", got, t.want())
	}
	return out, nil
}

func (b *bench) launch(ctx context.Context, t task, dir, target string) (*process, string, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	path, args, err := t.program.arranged(environment{
		dir: dir, listen: address, target: target, found: t.found, sluice: b.sluice,
	})
	if err != nil {
		return nil, "", err
	}
	path, args = b.cage.command(path, args)
	p, err := start(ctx, dir, address, path, args...)
	return p, address, err
}

// load sends the work and measures until everything is out.
func (p *process) load(ctx context.Context, t task, address string, target *sink, c *clock) (sample, error) {
	conns, err := dial(ctx, address, t.conns)
	if err != nil {
		return nothing(), err
	}
	defer conns.close()
	target.expect(t.want())
	before, err := p.usage()
	if err != nil {
		return nothing(), err
	}
	begin := time.Now()
	sent := make(chan error, 1)
	go func() {
		if t.rate > 0 {
			sent <- conns.pace(ctx, t.work, t.rate, c)
		} else {
			sent <- conns.flood(t.work, t.times)
		}
	}()
	err = target.wait(ctx, p.done)
	took := time.Since(begin)
	if err != nil {
		conns.close() // ends the sender
	}
	if err := errors.Join(err, <-sent); err != nil {
		return nothing(), err
	}
	after, err := p.usage()
	if err != nil {
		return nothing(), err
	}
	out := nothing()
	out.rate = float64(t.lines()) / took.Seconds()
	out.cpu = (after.cpu - before.cpu).Seconds() * 1e6 / float64(t.lines())
	out.idle, out.peak = before.rss, after.peak
	if c != nil {
		all := c.latencies(t.lines() / settling)
		out.p50, out.p99 = milliseconds(percentile(all, 50)), milliseconds(percentile(all, 99))
	}
	return out, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
