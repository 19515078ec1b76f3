package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// deadline is how long anything may take that isn't killed: a loaded machine is slow, and only a broken
// gateway waits for it.
const deadline = 2 * time.Minute

// process is one life of the gateway.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when it listens everywhere
	done  chan struct{} // closed when it has ended

	mu     sync.Mutex // guards what follows
	inputs map[string]string
	page   string // host:port of /metrics
	tail   []string
	said   map[string]int // what it warned of, by message
}

const configName = "gw.yaml"

// startProcess runs the gateway in dir, behind another command if there is one. What it logs is appended to
// the file log.
func startProcess(dir, binary string, behind ...string) (*process, error) {
	command := append(behind, binary, "run", "--config", configName)
	p := &process{
		cmd: exec.Command(command[0], command[1:]...), ready: make(chan struct{}), done: make(chan struct{}),
		inputs: map[string]string{}, said: map[string]int{},
	}
	p.cmd.Dir = dir
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	keep, err := os.OpenFile(filepath.Join(dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, keep.Close())
	}
	go p.follow(stderr, keep)
	if len(behind) == 0 {
		return p, nil
	}
	// Whoever kills it before means the other command.
	return p, poll(context.Background(), func() error {
		running, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.cmd.Process.Pid))
		if err == nil && running != binary {
			err = fmt.Errorf("%s runs instead of %s", running, binary)
		}
		return err
	})
}

// follow reads the log for the addresses that were found for port 0.
func (p *process) follow(stderr io.Reader, keep *os.File) {
	defer close(p.done)
	defer func() { _ = keep.Close() }()
	r := bufio.NewReader(stderr)
	for {
		line, err := r.ReadBytes('\n')
		_, _ = keep.Write(line) // it is for whoever looks for a cause
		p.heed(line)
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // its state is read by whoever waits for done
}

func (p *process) heed(line []byte) {
	var entry struct{ Level, Msg, Input, Address, URL string }
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tail = append(p.tail, string(line)); len(p.tail) > 30 {
		p.tail = p.tail[1:]
	}
	if json.Unmarshal(line, &entry) != nil {
		return
	}
	switch {
	case entry.Msg == "listening for notifications":
		p.inputs[entry.Input] = strings.TrimPrefix(entry.Address, "tcp://")
	case entry.Msg == "metrics and health" && p.page == "":
		p.page = strings.TrimSuffix(strings.TrimPrefix(entry.URL, "http://"), "/metrics")
		close(p.ready)
	case entry.Level == "WARN", entry.Level == "ERROR":
		p.said[strings.ToLower(entry.Level)+": "+entry.Msg]++
	}
}

// text is the end of the log.
func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "")
}

// address is where an input listens.
func (p *process) address(input string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inputs[input]
}

// kill is SIGKILL. The error is that it had ended by itself before.
func (p *process) kill() error {
	select {
	case <-p.done:
		return fmt.Errorf("the gateway ended by itself: %v\n%s", p.cmd.ProcessState, p.text())
	default:
	}
	err := p.cmd.Process.Kill()
	<-p.done
	if err != nil || p.cmd.ProcessState.Exited() {
		return fmt.Errorf("the gateway ended by itself: %v, %w\n%s", p.cmd.ProcessState, err, p.text())
	}
	return nil
}

// end sends SIGTERM and wants exit status 0.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it says what it waits for
		<-p.done
	}
	if status := p.cmd.ProcessState.ExitCode(); status != 0 {
		return fmt.Errorf("exit status %d after SIGTERM\n%s", status, p.text())
	}
	return nil
}

// drained waits until nothing is held and no target lags.
func (p *process) drained(ctx context.Context) error {
	return poll(ctx, func() error {
		text, err := p.metrics(ctx)
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if (name == "sluice_held_notifications" || strings.HasPrefix(name, "sluice_target_lag_entries")) && value != "0" {
				return fmt.Errorf("not drained: %s", line)
			}
		}
		return nil
	})
}

func (p *process) metrics(ctx context.Context) (string, error) {
	p.mu.Lock()
	url := "http://" + p.page + "/metrics"
	p.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}

// poll tries until there is no error or the deadline has passed.
func poll(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := try()
		if err == nil || !pause(ctx, wait) {
			return err
		}
	}
}

// pause waits, and says whether ctx lasted as long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reconcile asks the running gateway whether its equations hold.
func reconcile(ctx context.Context, dir, binary string) error {
	cmd := exec.CommandContext(ctx, binary, "reconcile", "--config", configName)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(string(out), "\n")
		slices.Reverse(lines)
		return fmt.Errorf("sluice reconcile: %w\n%s", err, strings.Join(lines[:min(40, len(lines))], "\n"))
	}
	return nil
}
