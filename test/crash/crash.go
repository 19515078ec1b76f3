package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-siem/sluice/test/powercut"
)

// configuration of the gateway. The hold is short, so that it is outlived and cut by kills.
const configuration = `data_dir: disk/data
inputs:
  - {name: relp, type: relp, listen: "tcp://127.0.0.1:0"}
  - {name: push, type: http, listen: "tcp://127.0.0.1:0"}
  - {name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}
policy: {hold: 1s}
targets:
  - {name: siem, type: syslog, address: "tcp://%s", format: json, framing: octet}
  - {name: file, type: file, path: disk/stream.jsonl, format: json}
http: {listen: "127.0.0.1:0"}
`

// harness is one run.
type harness struct {
	settings
	out     io.Writer
	rng     *rand.Rand // of the instants
	traffic *traffic
	siem    *siem
	relp    []*relpSender
	push    []*pushSender
	plain   []*plainSender
	disk    *powercut.Disk // where the power is cut
	running atomic.Pointer[process]
	epoch   atomic.Int64

	reconciled int
	early      int            // kills before the gateway listened
	cuts       int            // that were power cuts
	said       map[string]int // what the gateways warned of
}

// crash does everything and prints the account.
func crash(ctx context.Context, s settings, out io.Writer) error {
	h := &harness{settings: s, out: out, said: map[string]int{}}
	h.print("seed %d, %d kills", s.seed, s.kills)
	h.rng = h.random(0)
	h.traffic = newTraffic(h.random(1))
	var err error
	if h.siem, err = newSIEM(h.random(2), func() int { return int(h.epoch.Load()) }); err != nil {
		return err
	}
	defer h.siem.close()
	if err := os.Mkdir(filepath.Join(s.dir, "disk"), 0o700); err != nil {
		return err
	}
	if s.power {
		if h.disk, err = powercut.New(filepath.Join(s.dir, "disk")); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, configName), fmt.Appendf(nil, configuration, h.siem.address), 0o600); err != nil {
		return err
	}
	began := time.Now()
	if err := h.storm(ctx); err != nil {
		return fmt.Errorf("seed %d: %w", s.seed, err)
	}
	h.print("%d kills in %s, %d of them before the gateway listened, %d of them power cuts; now the account",
		s.kills, time.Since(began).Round(time.Second), h.early, h.cuts)
	problems, err := h.account(ctx)
	if err != nil {
		return fmt.Errorf("seed %d: %w", s.seed, err)
	}
	if len(problems) == 0 {
		return nil
	}
	for _, p := range problems[:min(len(problems), 50)] {
		h.print("WRONG: %s", p)
	}
	return fmt.Errorf("seed %d: %d things are wrong", s.seed, len(problems))
}

// random is one of the seed's sources, so that what one part draws changes nothing for the others.
func (h *harness) random(part uint64) *rand.Rand { return rand.New(rand.NewPCG(h.seed, part)) }

func (h *harness) print(format string, args ...any) { _, _ = fmt.Fprintf(h.out, format+"\n", args...) }

// storm runs the senders and the SIEM, kills the gateway, and in the end lets it finish.
func (h *harness) storm(ctx context.Context) error {
	if err := h.begin(); err != nil {
		return err
	}
	defer func() { _ = h.running.Load().cmd.Process.Kill() }() // where we failed
	group, ctx := errgroup.WithContext(ctx)
	h.send(ctx, group)
	bad, behave := context.WithCancel(ctx)
	misbehaving := make(chan error, 1)
	go func() { misbehaving <- h.siem.misbehave(bad) }()
	err := h.killing(ctx)
	behave()
	if err = errors.Join(err, <-misbehaving); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	h.traffic.stop()
	if err := group.Wait(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return h.finish(context.WithoutCancel(ctx))
}

// send starts the senders.
func (h *harness) send(ctx context.Context, group *errgroup.Group) {
	part := uint64(10)
	newLoad := func() *load {
		part++
		return &load{traffic: h.traffic, current: h.running.Load, rng: h.random(part)}
	}
	for i := range 2 {
		r := &relpSender{load: newLoad()}
		p := &pushSender{load: newLoad(), name: fmt.Sprintf("sender %d", i)}
		h.relp, h.push = append(h.relp, r), append(h.push, p)
		group.Go(func() error { return r.run(ctx) })
		group.Go(func() error { return p.run(ctx) })
	}
	t := &plainSender{load: newLoad()}
	h.plain = append(h.plain, t)
	group.Go(func() error { return t.run(ctx) })
}

// begin starts the next gateway.
func (h *harness) begin() error {
	p, err := startProcess(h.dir, h.binary, h.recorder()...)
	if err != nil {
		return err
	}
	h.epoch.Add(1)
	h.running.Store(p)
	return nil
}

// killing kills the gateway again and again.
func (h *harness) killing(ctx context.Context) error {
	for k := range h.kills {
		if err := h.live(ctx, k); err != nil {
			return fmt.Errorf("kill %d: %w", k, err)
		}
		p := h.running.Load()
		select {
		case <-p.ready:
		default:
			h.early++
		}
		if err := p.kill(); err != nil {
			return fmt.Errorf("kill %d: %w", k, err)
		}
		cut, err := h.powerCut()
		if err != nil {
			return fmt.Errorf("kill %d: %w", k, err)
		}
		h.siem.outlived(int(h.epoch.Load()), cut)
		h.listen(p)
		if (k+1)%50 == 0 {
			h.print("%d kills, %d things happened, the equations held %d times", k+1, h.traffic.count(), h.reconciled)
		}
		if err := h.begin(); err != nil {
			return err
		}
	}
	return nil
}

// recorder is the command before the gateway's.
func (h *harness) recorder() []string {
	if !h.power {
		return nil
	}
	return powercut.Recorder(filepath.Join(h.dir, trace))
}

const trace = "trace"

// powerCut takes from the disk what the gateway that has ended had not synced, in three of four cases: in the
// others the machine goes on, and what was not synced may be lost later.
func (h *harness) powerCut() (bool, error) {
	if !h.power {
		return false, nil
	}
	err := h.disk.Follow(filepath.Join(h.dir, trace), h.dir)
	if err == nil {
		err = h.disk.Check()
	}
	if err != nil || h.rng.IntN(4) == 0 {
		return false, err
	}
	h.cuts++
	return true, h.cut()
}

// cut cuts the power. The next gateway runs on a machine that was started anew.
func (h *harness) cut() error {
	if err := h.disk.Cut(h.rng); err != nil {
		return err
	}
	boot := filepath.Join(h.dir, "disk", "data", "boot")
	if _, err := os.Stat(boot); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return h.disk.Put(boot, fmt.Appendf(nil, "an earlier one than after power cut %d", h.cuts))
}

// live lets the gateway live for as long as it may. One in four dies while it starts, or at once after;
// one in four lives long enough to end holds. The equations are looked at in one of ten lives.
func (h *harness) live(ctx context.Context, kill int) error {
	p := h.running.Load()
	kind, share := h.rng.IntN(4), h.rng.Float64()
	of := func(d time.Duration) time.Duration { return time.Duration(share * float64(d)) }
	if kind == 0 {
		h.wait(ctx, p, of(400*time.Millisecond))
		return ctx.Err()
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case <-p.ready:
	case <-p.done:
		return fmt.Errorf("the gateway ended by itself: %v\n%s", p.cmd.ProcessState, p.text())
	case <-timer.C:
		return fmt.Errorf("the gateway doesn't listen\n%s", p.text())
	case <-ctx.Done():
		return ctx.Err()
	}
	if kind == 1 {
		h.wait(ctx, p, 700*time.Millisecond+of(2*time.Second))
	} else {
		h.wait(ctx, p, of(800*time.Millisecond))
	}
	if kill%10 == 9 {
		if err := reconcile(ctx, h.dir, h.binary); err != nil {
			return err
		}
		h.reconciled++
	}
	return ctx.Err()
}

// wait ends early with the gateway.
func (h *harness) wait(ctx context.Context, p *process, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.done:
	case <-ctx.Done():
	}
}

// listen keeps what a gateway warned of.
func (h *harness) listen(p *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for what, n := range p.said {
		h.said[what] += n
	}
}

// finish waits until everything is decided and delivered, asks for the equations, and stops the gateway.
func (h *harness) finish(ctx context.Context) error {
	p := h.running.Load()
	if err := p.drained(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, p.text())
	}
	if err := reconcile(ctx, h.dir, h.binary); err != nil {
		return err
	}
	h.reconciled++
	if err := p.end(); err != nil {
		return err
	}
	if _, err := h.powerCut(); err != nil {
		return err
	}
	h.listen(p)
	for _, what := range slices.Sorted(maps.Keys(h.said)) {
		h.print("  the gateways' logs: %d of %s", h.said[what], what)
	}
	return nil
}
