package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running program that is measured.
type process struct {
	cmd  *exec.Cmd
	log  string // path of what it says
	done chan struct{}
}

// Patience with the measured programs.
const (
	toStart = 2 * time.Minute // a state with millions of IDs is opened
	toStop  = 30 * time.Second
)

// start runs a program in dir and waits until it listens.
func start(ctx context.Context, dir, address, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, name, args...), log: filepath.Join(dir, "log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // why it ended is in its log
		close(p.done)
	}()
	if err := p.listens(ctx, address); err != nil {
		p.kill()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, p.said())
	}
	return p, nil
}

// listens waits until somebody can connect.
func (p *process) listens(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, toStart)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it doesn't listen on %s: %w", address, ctx.Err())
		case <-tick.C:
		}
	}
}

// said is the end of its log.
func (p *process) said() string {
	const most = 2000
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// stop asks it to end, and makes it.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	timer := time.NewTimer(toStop)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.kill()
		return fmt.Errorf("it didn't end within %s of SIGTERM", toStop)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// usage is what a process has taken.
type usage struct {
	cpu       time.Duration // user and system, all threads
	rss, peak float64       // MiB
}

func (p *process) usage() (usage, error) {
	return usageOf(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid)))
}

// usageOf reads proc(5)'s stat and status.
func usageOf(dir string) (usage, error) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return usage{}, fmt.Errorf("read the program's usage: %w", err)
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return usage{}, fmt.Errorf("read the program's usage: %w", err)
	}
	var u usage
	if u.cpu, err = cpuTime(string(stat)); err != nil {
		return u, err
	}
	u.rss, u.peak = mebibytes(string(status), "VmRSS:"), mebibytes(string(status), "VmHWM:")
	return u, nil
}

// cpuTime reads utime and stime, the 14th and 15th field, in ticks of which Linux shows 100 a second.
// The second field is the program's name in parentheses, which may hold anything.
func cpuTime(stat string) (time.Duration, error) {
	const tick = 10 * time.Millisecond
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the program's CPU time: %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the program's CPU time: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the program's CPU time: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

// mebibytes reads a line such as "VmRSS:     1234 kB".
func mebibytes(status, key string) float64 {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return n / 1024
		}
	}
	return 0
}

// freeAddress is one that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
