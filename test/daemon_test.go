package test

import (
	"bufio"
	"bytes"
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
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// daemon is one running gateway.
type daemon struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	http string        // host:port of /metrics and the health endpoints

	mu     sync.Mutex // guards what follows
	log    []byte     // of this run
	inputs map[string]string
}

// startDaemon runs the binary and waits until it is ready. What it logs is appended to logFile, what it
// writes to standard output to outFile.
func startDaemon(dir, config, outFile, logFile string, env, wrap []string) (*daemon, error) {
	args := append(slices.Clip(wrap), binary(), "run", "--config", config)
	d := &daemon{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{}), inputs: map[string]string{}}
	d.cmd.Dir, d.cmd.Env = dir, env
	out, err := os.OpenFile(outFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	d.cmd.Stdout = out
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	keep, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go d.follow(stderr, keep, listening)
	select {
	case d.http = <-listening:
	case <-d.done:
		return d, fmt.Errorf("it ended: %v\n%s", d.cmd.ProcessState, d.text())
	case <-time.After(deadline):
		return d, fmt.Errorf("it doesn't listen for health\n%s", d.text())
	}
	return d, d.waitReady()
}

// follow reads the log for the addresses that were found for port 0.
func (d *daemon) follow(stderr io.Reader, keep *os.File, listening chan<- string) {
	defer close(d.done)
	defer func() { _ = keep.Close() }()
	r := bufio.NewReader(stderr)
	for {
		line, err := r.ReadBytes('\n')
		_, _ = keep.Write(line)
		var entry struct{ Msg, Input, Address, URL string }
		if json.Unmarshal(line, &entry) == nil {
			switch entry.Msg {
			case "listening for notifications":
				d.mu.Lock()
				d.inputs[entry.Input] = entry.Address
				d.mu.Unlock()
			case "metrics and health":
				select {
				case listening <- strings.TrimSuffix(strings.TrimPrefix(entry.URL, "http://"), "/metrics"):
				default: // the first one will do
				}
			}
		}
		d.mu.Lock()
		d.log = append(d.log, line...)
		d.mu.Unlock()
		if err != nil {
			break
		}
	}
	_ = d.cmd.Wait() // its state is read by whoever waits for done
}

func (d *daemon) waitReady() error {
	return poll(func() error {
		select {
		case <-d.done:
			return final{fmt.Errorf("it ended: %v\n%s", d.cmd.ProcessState, d.text())}
		default:
		}
		_, err := get("http://" + d.http + "/readyz")
		return err
	})
}

func (d *daemon) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.log)
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.done
}

// end sends SIGTERM and waits for the exit status.
func (d *daemon) end() (int, error) {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	select {
	case <-d.done:
		return d.cmd.ProcessState.ExitCode(), nil
	case <-time.After(deadline):
		_ = d.cmd.Process.Signal(syscall.SIGQUIT) // it says what it waits for
		<-d.done
		return 0, fmt.Errorf("it doesn't end after SIGTERM\n%s", d.text())
	}
}

// get gives the body of a page that answers 200.
func get(url string) (string, error) {
	status, body, err := fetch(url)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, body)
	}
	return body, err
}

// fetch gives the status and the body of a page.
func fetch(url string) (int, string, error) {
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// cmdSluice runs the gateway in the background.
//
//	sluice start [NAME] [--config FILE] [-- WRAPPER...]   sets $NAME_INPUT and $NAME_INPUT_port to where each input
//	                                                      listens, and $NAME_http
//	sluice stop [NAME] [STATUS]                           SIGTERM, and the exit status it must have
//	sluice kill [NAME]                                    SIGKILL
//	sluice hangup [NAME]                                  SIGHUP
//	sluice fails [NAME] REGEXP                            start, which must fail with this in its log
//
// NAME is "gw" where it isn't given. Its log is in NAME.log, its standard output in NAME.out.
func cmdSluice(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sluice start|stop|kill|hangup [NAME]")
	}
	w := worldOf(ts)
	name := "gw"
	rest := args[1:]
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		name, rest = rest[0], rest[1:]
	}
	if args[0] == "start" {
		w.start(ts, name, rest)
		return
	}
	d := w.daemons[name]
	if d == nil {
		ts.Fatalf("no gateway %s was started", name)
	}
	switch args[0] {
	case "stop":
		status, err := d.end()
		ts.Check(err)
		if want := "0"; fmt.Sprint(status) != want {
			ts.Fatalf("exit status %d, want %s\n%s", status, want, d.text())
		}
	case "kill":
		d.kill()
	case "hangup":
		ts.Check(d.cmd.Process.Signal(syscall.SIGHUP))
	default:
		ts.Fatalf("sluice %s: start, stop, kill or hangup", args[0])
	}
}

func (w *world) start(ts *testscript.TestScript, name string, rest []string) {
	if old := w.daemons[name]; old != nil {
		select {
		case <-old.done:
		default:
			ts.Fatalf("gateway %s runs already", name)
		}
	}
	config := name + ".yaml"
	var wrap []string
	for len(rest) > 0 {
		switch {
		case rest[0] == "--config" && len(rest) > 1:
			config, rest = rest[1], rest[2:]
		case rest[0] == "--":
			wrap, rest = rest[1:], nil
		default:
			ts.Fatalf("sluice start: %q", rest[0])
		}
	}
	dir := ts.MkAbs(".")
	d, err := startDaemon(dir, config, filepath.Join(dir, name+".out"), filepath.Join(dir, name+".log"), environ(ts), wrap)
	if d != nil {
		w.daemons[name] = d
	}
	if err != nil {
		ts.Fatalf("start %s: %v", name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for input, address := range d.inputs {
		ts.Setenv(name+"_"+input, address)
		ts.Setenv(name+"_"+input+"_port", address[strings.LastIndexByte(address, ':')+1:])
	}
	ts.Setenv(name+"_http", d.http)
}

// environ is the script's environment, for what the script starts.
func environ(ts *testscript.TestScript) []string {
	env := []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("WORK"), "TMPDIR=" + ts.Getenv("WORK"), "WORK=" + ts.Getenv("WORK")}
	for name := range worldOf(ts).siems {
		env = append(env, name+"="+ts.Getenv(name))
	}
	for _, name := range []string{"PORT", "PORT2", "LIMIT", "SLUICE_TOKEN"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// program is another background program of a script.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
	out  bytes.Buffer
}

func (p *program) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // its group; it may have ended
	<-p.done
}

// cmdProgram runs a program in the background until the script ends.
//
//	program NAME ARGUMENT...
func cmdProgram(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: program NAME ARGUMENT...")
	}
	path, err := lookPath(ts, args[0])
	ts.Check(err)
	p := &program{cmd: exec.Command(path, args[1:]...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environ(ts)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(p.cmd.Start())
	w := worldOf(ts)
	w.others = append(w.others, p)
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ends is no concern of the script
	}()
}

// terminate sends SIGTERM.
func terminate(t *testing.T, d *daemon) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}
