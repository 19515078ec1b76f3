package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/powercut"
)

// machine is a gateway on a disk whose power is cut.
type machine struct {
	*harness
	t      *testing.T
	before []string // a command before the gateway's
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	needStrace(t)
	m := &machine{&harness{settings: settings{seed: rand.Uint64(), dir: t.TempDir(), power: true}}, t, nil}
	t.Logf("seed %d", m.seed)
	var err error
	if m.binary, err = build(t.Context(), m.dir, raceEnabled); err != nil {
		t.Fatal(err)
	}
	if m.siem, err = newSIEM(m.random(2), func() int { return 0 }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.siem.close)
	root := filepath.Join(m.dir, "disk")
	if err := errors.Join(os.Mkdir(root, 0o700),
		os.WriteFile(filepath.Join(m.dir, configName), fmt.Appendf(nil, configuration, m.siem.address), 0o600)); err != nil {
		t.Fatal(err)
	}
	if m.disk, err = powercut.New(root); err != nil {
		t.Fatal(err)
	}
	m.rng = m.random(0)
	return m
}

// start runs a gateway until it is ready. More are arguments of strace.
func (m *machine) start(more ...string) *process {
	m.t.Helper()
	recorder := m.recorder()
	if len(more) > 0 {
		recorder = append(append(recorder[:1:1], more...), recorder[1:]...)
	}
	p, err := startProcess(m.dir, m.binary, append(recorder, m.before...)...)
	if p != nil {
		m.t.Cleanup(func() {
			_ = p.cmd.Process.Kill() // it may have ended
			<-p.done
		})
	}
	if err != nil {
		m.t.Fatal(err)
	}
	select {
	case <-p.ready:
	case <-p.done:
		m.t.Fatalf("it ended: %v\n%s", p.cmd.ProcessState, p.text())
	case <-time.After(deadline):
		m.t.Fatalf("it isn't ready\n%s", p.text())
	}
	return p
}

// follow takes in what a gateway did that has ended.
func (m *machine) follow(p *process) {
	m.t.Helper()
	<-p.done
	if err := errors.Join(m.disk.Follow(filepath.Join(m.dir, trace), m.dir), m.disk.Check()); err != nil {
		m.t.Fatal(err)
	}
}

// written is how many bytes there are in the stream's blocks.
func (m *machine) written() (sum int64) {
	m.t.Helper()
	blocks, err := filepath.Glob(filepath.Join(m.dir, "disk/data/stream/jetstream/*/streams/*/msgs/*.blk"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, b := range blocks {
		if info, err := os.Stat(b); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// tell sends a message in a request of that key, and says whether it was acknowledged.
func tell(ctx context.Context, p *process, key, message string) error {
	client := http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}
	r := newRequest([]*item{{raw: []byte(message)}}, false, false)
	status, answer, err := r.post(ctx, &client, "http://"+p.address("push")+"/api/v1/ingest", key)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	return err
}

// TestKillBeforeTheSync: a gateway is killed when it has written a message and before it syncs it. The next one
// finds it, so that a repeated request is known and acknowledged, with nothing to write; then the power is cut.
func TestKillBeforeTheSync(t *testing.T) {
	m := newMachine(t)
	most := 3
	if testing.Short() {
		most = 1
	}
	want := map[digest]bool{}
	for n := range most {
		message := defenderAlert(n, "")
		p := m.start("-e", "inject=fsync:delay_enter=100ms")
		before, answer := m.written(), make(chan error, 1)
		go func() { answer <- tell(t.Context(), p, fmt.Sprint(n), message) }()
		if err := poll(t.Context(), func() error {
			if m.written() == before {
				return errors.New("nothing is written")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		_ = p.kill()
		if err := <-answer; err == nil {
			t.Error("it was acknowledged before it was synced")
		}
		m.follow(p)
		p = m.start()
		if err := tell(t.Context(), p, fmt.Sprint(n), message); err != nil {
			t.Fatal(err)
		}
		want[digestOf([]byte(message))] = true
		_ = p.kill()
		m.follow(p)
		if err := m.cut(); err != nil {
			t.Fatal(err)
		}
	}
	r, problems, err := readRecord(t.Context(), m.dir)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	for i := range r.lines {
		delete(want, r.lines[i].is)
	}
	if len(want) > 0 {
		t.Errorf("%d of %d acknowledged messages are lost", len(want), most)
	}
}
