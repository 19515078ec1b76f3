package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

// remembering compares an empty state with one that remembers many activities, and measures the
// memory that Sluice takes with the latter while its target is down.
func (b *bench) remembering(ctx context.Context, stdout io.Writer) error {
	full := filepath.Join(b.dir, "full")
	began := time.Now()
	if err := fill(ctx, filepath.Join(full, "state"), b.remember); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(b.log, "%d activities remembered after %s\n", b.remember, time.Since(began).Round(time.Second))

	var none, many []sample
	var err error
	for round := range b.rounds {
		_, _ = fmt.Fprintf(b.log, "round %d of %d\n", round+1, b.rounds)
		t := task{program: programOf(synced), work: newWork(0, b.events), times: 1, conns: 1}
		empty, errEmpty := b.measure(ctx, t)
		t.data = full
		filled, errFilled := b.measure(ctx, t)
		none, many = append(none, empty), append(many, filled)
		err = errors.Join(err, errEmpty, errFilled)
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	dead, errDead := b.dead(ctx, full)
	err = errors.Join(err, errDead)
	if errPrint := b.printRemembering(ctx, stdout, none, many, dead); errPrint != nil {
		return errors.Join(err, errPrint)
	}
	if b.require {
		err = errors.Join(err, report(stdout, []requirement{
			{what: "CPU per event, full against empty", value: median(ratios(column(many, cpu), column(none, cpu))), atMost: 1.3},
			{what: "RSS MiB, full and the target dead", value: dead.peak, atMost: 512},
		}))
	}
	return err
}

func programOf(name string) program {
	for _, p := range programs() {
		if p.name == name {
			return p
		}
	}
	return program{}
}

func (b *bench) printRemembering(ctx context.Context, w io.Writer, none, many []sample, dead sample) error {
	_, err := fmt.Fprintf(w, "| Sluice, synced, 1 connection | events/s | CPU µs/event | CPU, empty = 1 | RSS idle MiB | RSS peak MiB |\n"+
		"|---|---:|---:|---:|---:|---:|\n")
	for _, r := range []struct {
		title   string
		samples []sample
		ratio   float64
	}{
		{"empty state", none, 1},
		{whole(float64(b.remember)) + " activities remembered", many, median(ratios(column(many, cpu), column(none, cpu)))},
		{"the same, target dead", []sample{dead}, median(ratios([]float64{dead.cpu}, []float64{median(column(none, cpu))}))},
	} {
		if err == nil {
			_, err = fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", r.title, whole(median(column(r.samples, rate))),
				decimal(median(column(r.samples, cpu))), ratio(r.ratio), whole(median(column(r.samples, idle))),
				whole(highest(column(r.samples, peak))))
		}
	}
	if err != nil {
		return err
	}
	return b.footer(ctx, w, nil)
}

// fill makes a state that remembers n activities, with the stream still empty, which a state without a
// sequence fits. Going through the gateway would cost gigabytes of stream and leave the same state.
func fill(ctx context.Context, dir string, n int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	x, err := dedup.Open(dir, config.Default())
	if err != nil {
		return err
	}
	const batch = 500
	now := time.Now().UTC()
	for from := 0; from < n && err == nil; from += batch {
		if err = ctx.Err(); err == nil {
			err = rememberSome(x, from, min(from+batch, n), now)
		}
	}
	return errors.Join(err, x.Close())
}

func rememberSome(x *dedup.Index, from, to int, now time.Time) error {
	b := x.Begin()
	defer b.Discard()
	for i := from; i < to; i++ {
		n := formats.Notification{
			Service: formats.CloudAppSecurity, Kind: formats.Activity, Channel: "syslog", ID: fmt.Sprintf("remembered_%d", i),
		}
		binary.BigEndian.PutUint64(n.Content[:], uint64(i))
		if err := b.Apply(&dedup.Outcome{Key: dedup.Key(&n, now), Time: now, Notification: &n, Action: dedup.Forward}); err != nil {
			return err
		}
	}
	return b.Commit(dedup.Mark{Time: now})
}

// dead floods Sluice with as many lines as all rounds together had while its target refuses, and waits
// until it has taken all of them.
func (b *bench) dead(ctx context.Context, data string) (sample, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, toFinish, fmt.Errorf("not done in %s", toFinish))
	defer cancel()
	dir := filepath.Join(b.dir, "dead")
	if err := copied(data, filepath.Join(dir, "data")); err != nil {
		return nothing(), err
	}
	nobody, err := freeAddress()
	if err != nil {
		return nothing(), err
	}
	p, address, err := b.launch(ctx, task{program: programOf(synced)}, dir, nobody)
	if err != nil {
		return nothing(), err
	}
	defer p.kill()
	return p.swallow(ctx, address, b.rounds, func(round int) work { return newWork(round*b.events, b.events) })
}

// copied makes a copy of a directory, which is on the disk before anything is measured. Were one directory used again and again,
// the model would have more to do in each round, and not for what is remembered.
func copied(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// swallow sends so many works on one connection and waits until the program has read them all and closed
// the connection.
func (p *process) swallow(ctx context.Context, address string, times int, next func(int) work) (sample, error) {
	conns, err := dial(ctx, address, 1)
	if err != nil {
		return nothing(), err
	}
	defer conns.close()
	defer context.AfterFunc(ctx, conns.close)()
	before, err := p.usage()
	if err != nil {
		return nothing(), err
	}
	lines, took := 0, time.Duration(0)
	for i := range times {
		w := next(i)
		begin := time.Now()
		if err := conns.flood(w, 1); err != nil {
			return nothing(), err
		}
		if i == times-1 { // its answer to our end comes when everything before it is durable
			if err := end(conns[0]); err != nil {
				return nothing(), err
			}
		}
		took += time.Since(begin)
		lines += len(w.ends)
	}
	after, err := p.usage()
	out := nothing()
	out.rate = float64(lines) / took.Seconds()
	out.cpu = (after.cpu - before.cpu).Seconds() * 1e6 / float64(lines)
	out.idle, out.peak = before.rss, after.peak
	return out, err
}

// end closes our half and waits for the other one.
func end(conn net.Conn) error {
	if half, ok := conn.(*net.TCPConn); ok {
		if err := half.CloseWrite(); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}
