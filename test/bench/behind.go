package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/test/company"
)

// modelLag is what Sluice says of how far its model is behind the stream.
const modelLag = "sluice_model_lag_entries"

// caughtUp are latencies at the constant rate, and how fast a model took in what it had missed meanwhile.
type caughtUp struct {
	sample
	folded float64 // entries a second
}

// catchingUp has a model take in a company's activities that it has missed, while others are forwarded at the constant
// rate, and compares the latency with that of a Sluice without a model.
func (b *bench) catchingUp(ctx context.Context, stdout io.Writer) error {
	var none []sample
	var with []caughtUp
	var err error
	for round := range b.rounds {
		_, _ = fmt.Fprintf(b.log, "round %d of %d\n", round+1, b.rounds)
		t := task{program: programOf(withoutModel), work: newWork(0, b.rate*b.seconds), times: 1, conns: 1, rate: b.rate}
		without, errWithout := b.measure(ctx, t)
		behind, errBehind := b.behindOnce(ctx)
		none, with = append(none, without), append(with, behind)
		err = errors.Join(err, errWithout, errBehind)
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	samples, folded := make([]sample, len(with)), make([]float64, len(with))
	for i := range with {
		samples[i], folded[i] = with[i].sample, with[i].folded
	}
	_, errPrint := fmt.Fprintf(stdout, "| Sluice, synced, %d events/s | p50 ms | p99 ms | entries/s taken in |\n|---|---:|---:|---:|\n"+
		"| `model: {enabled: false}` | %s | %s | %s |\n| while the model takes in %s activities | %s | %s | %s |\n", b.rate,
		decimal(median(column(none, p50))), decimal(median(column(none, p99))), gap, whole(float64(b.behind)),
		decimal(median(column(samples, p50))), decimal(median(column(samples, p99))), whole(median(folded)))
	if errPrint != nil {
		return errors.Join(err, errPrint)
	}
	return errors.Join(err, b.footer(ctx, stdout, nil))
}

// behindOnce fills a stream without a model, starts Sluice with one, and measures.
func (b *bench) behindOnce(ctx context.Context) (caughtUp, error) {
	out := caughtUp{sample: nothing()}
	ctx, cancel := context.WithTimeoutCause(ctx, toFinish, fmt.Errorf("not done in %s", toFinish))
	defer cancel()
	b.count++
	data := filepath.Join(b.dir, fmt.Sprint("behind", b.count))
	defer func() { _ = os.RemoveAll(data) }()
	if err := errors.Join(os.MkdirAll(data, 0o700), b.miss(ctx, data)); err != nil {
		return out, err
	}
	c := newClock(b.rate * b.seconds)
	p, conns, metrics, done, err := b.behindWith(ctx, "with", data, "stream: {durability: synced}", c)
	if err != nil {
		return out, err
	}
	defer done()
	folded := make(chan float64, 1)
	go func() { folded <- b.watchLag(ctx, metrics) }()
	w := newWork(0, b.rate*b.seconds)
	if err := conns.pace(ctx, w, b.rate, c); err != nil {
		return out, fmt.Errorf("%w\n%s", err, p.said())
	}
	out.folded = <-folded
	all := c.latencies(len(w.ends) / settling)
	out.p50, out.p99 = milliseconds(percentile(all, 50)), milliseconds(percentile(all, 99))
	return out, nil
}

// miss sends a company's activities and alerts to a Sluice without a model.
func (b *bench) miss(ctx context.Context, data string) error {
	p, conns, _, done, err := b.behindWith(ctx, "without", data, "stream: {durability: synced}\nmodel: {enabled: false}", nil)
	if err != nil {
		return err
	}
	defer done()
	size := company.Week()
	size.Activities, size.Alerts = b.behind, b.behind/500
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -size.Days)
	w := bufio.NewWriterSize(conns[0], 64<<10)
	for line := range company.New(1, size, start).Lines() {
		_, _ = w.WriteString(line.Text) // Flush says what went wrong
		_ = w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("send to the program: %w", err)
	}
	if err := end(conns[0]); err != nil { // its answer to our end comes when everything before it is durable
		return err
	}
	return p.stop()
}

// behindWith starts Sluice on the data, with a target and a connection, and says where its metrics are.
func (b *bench) behindWith(ctx context.Context, name, data, more string, c *clock) (p *process, conns senders, metrics string, done func(), err error) {
	dir := filepath.Join(filepath.Dir(data), filepath.Base(data)+name)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Symlink(data, filepath.Join(dir, "data"))); err != nil {
		return nil, nil, "", nil, err
	}
	listen, errListen := freeAddress()
	web, errWeb := freeAddress()
	if err := errors.Join(errListen, errWeb); err != nil {
		return nil, nil, "", nil, err
	}
	target, err := newSink(c)
	if err != nil {
		return nil, nil, "", nil, err
	}
	path, args, err := arrangeSluiceAt(more, web)(environment{dir: dir, listen: listen, target: target.address(), sluice: b.sluice})
	if err == nil {
		p, err = start(ctx, dir, listen, path, args...)
	}
	if err != nil {
		target.close()
		return nil, nil, "", nil, err
	}
	if conns, err = dial(ctx, listen, 1); err != nil {
		p.kill()
		target.close()
		return nil, nil, "", nil, err
	}
	return p, conns, "http://" + web + "/metrics", func() {
		conns.close()
		p.kill()
		target.close()
		_ = os.RemoveAll(dir)
	}, nil
}

// watchLag says how many entries a second were taken in from when the model is open until it has all of them, or the
// measurement is over.
func (b *bench) watchLag(ctx context.Context, metrics string) float64 {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	over := time.After(time.Duration(b.seconds) * time.Second)
	var first, last float64
	var began, ended time.Time
	for {
		select {
		case <-ctx.Done():
			return 0
		case <-over:
		case <-tick.C:
			lag, ok := readLag(ctx, metrics)
			if !ok {
				continue
			}
			if began.IsZero() {
				first, began = lag, time.Now()
			}
			if last, ended = lag, time.Now(); lag > float64(b.rate) {
				continue
			}
		}
		took := ended.Sub(began).Seconds()
		return (first-last)/took + float64(b.rate)
	}
}

func readLag(ctx context.Context, metrics string) (entries float64, ok bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, metrics, http.NoBody)
	if err != nil {
		return 0, false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, false // not yet
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if v, found := strings.CutPrefix(lines.Text(), modelLag+" "); found {
			n, err := strconv.ParseFloat(v, 64)
			return n, err == nil
		}
	}
	return 0, false
}
