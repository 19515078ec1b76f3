// Package test tells stories about the real binary: sockets in, sockets and files out, crashes between.
// A story is a script in scripts; the commands beyond those of testscript are in this package, each in
// a file of its own. Conditions are polled until a deadline, nothing sleeps for a fixed time.
package test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// deadline is how long a condition may take to come true. It is generous: a loaded machine is slow, and
// only a failing test waits for it.
const deadline = 60 * time.Second

// TestMain makes the binary that all tests run, with the race detector where the tests have it. SLUICE
// names one that is there already.
func TestMain(m *testing.M) {
	if os.Getenv("SLUICE") == "" {
		dir, err := build()
		defer func() { _ = os.RemoveAll(dir) }()
		if err != nil {
			panic(err)
		}
	}
	m.Run()
}

func build() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		return dir, err
	}
	path := filepath.Join(dir, "sluice")
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../cmd/sluice")...).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, os.Setenv("SLUICE", path)
}

// binary is the path of the binary under test.
func binary() string { return os.Getenv("SLUICE") }

var update = flag.Bool("update", false, "write what the programs say into the scripts' golden files")

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "scripts",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			w := newWorld(e)
			e.Values[worldKey{}] = w
			e.Defer(w.close)
			e.Setenv("PATH", filepath.Dir(binary())+string(filepath.ListSeparator)+os.Getenv("PATH")+":/usr/sbin:/sbin")
			e.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Geteuid() == 0, nil // to whom nothing is forbidden
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sluice":      cmdSluice,
			"siem":        cmdSIEM,
			"send":        cmdSend,
			"push":        cmdPush,
			"wait-for":    cmdWaitFor,
			"generate":    cmdGenerate,
			"once":        cmdOnce,
			"cert":        cmdCert,
			"conform":     cmdConform,
			"readme":      cmdReadme,
			"need":        cmdNeed,
			"port":        cmdPort,
			"status":      cmdStatus,
			"page":        cmdPage,
			"bytes":       cmdBytes,
			"spoil":       cmdSpoil,
			"program":     cmdProgram,
			"substitute":  cmdSubstitute,
			"capture":     cmdCapture,
			"has-rawline": cmdHasRawLine,
		},
	})
}

type worldKey struct{}

// world is what one script has running.
type world struct {
	env     *testscript.Env
	daemons map[string]*daemon
	siems   map[string]*receiver
	others  []*program
}

func newWorld(e *testscript.Env) *world {
	return &world{env: e, daemons: map[string]*daemon{}, siems: map[string]*receiver{}}
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// close ends what a script left running. A SIEM that was sent something malformed fails the script,
// even where it never looked.
func (w *world) close() {
	for _, d := range w.daemons {
		d.kill()
	}
	for _, p := range w.others {
		p.kill()
	}
	if leaked := secretsInLogs(w.env.WorkDir, slices.Sorted(maps.Keys(w.daemons))); len(leaked) > 0 {
		w.env.T().Fatal("a gateway's log has a secret: " + strings.Join(leaked, ", "))
	}
	var problems []string
	for _, s := range w.siems {
		s.close()
		problems = append(problems, s.wrong()...)
	}
	if len(problems) > 0 {
		w.env.T().Fatal("a SIEM was sent something malformed:\n" + strings.Join(problems, "\n"))
	}
}

// cmdNeed skips the script where a program is missing, or a module of rsyslog, or fails it where tests
// are strict.
//
//	need PROGRAM[:MODULE] PACKAGE...
func cmdNeed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: need PROGRAM[:MODULE] PACKAGE...")
	}
	name, module, _ := strings.Cut(args[0], ":")
	path, err := lookPath(ts, name)
	if err == nil && module != "" {
		err = loads(ts, path, module)
	}
	if err == nil {
		return
	}
	hint := fmt.Sprintf("%s is missing: apt-get install %s", args[0], strings.Join(args[1:], " "))
	if os.Getenv("CI") != "" || os.Getenv("SLUICE_TEST_STRICT") == "1" {
		ts.Fatalf("%s", hint)
	}
	worldOf(ts).env.T().Skip(hint)
}

// loads has rsyslog check a configuration that loads the module and does nothing with it.
func loads(ts *testscript.TestScript, rsyslogd, module string) error {
	file := ts.MkAbs("module.conf")
	text := fmt.Sprintf("module(load=%q) action(type=\"omfile\" file=\"/dev/null\")\n", module)
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		return err
	}
	return exec.Command(rsyslogd, "-N1", "-f", file).Run()
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// secretsInLogs looks through the logs of a script's gateways for what lets somebody in: texts that Sluice makes up for
// that, and those of the configurations. What is told on purpose, once, is the local admin's password, which is shorter.
func secretsInLogs(dir string, gateways []string) (leaked []string) {
	made := regexp.MustCompile(`\b(sluice_)?[A-Z2-7]{52}\b`)
	configured := regexp.MustCompile(`(?:token|password|secret): *"?([^",}\s$]{6,})`)
	var known []string
	configurations, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		panic(err) // the pattern is constant
	}
	for _, path := range configurations {
		data, _ := os.ReadFile(path) // it was there a moment ago
		for _, m := range configured.FindAllStringSubmatch(string(data), -1) {
			known = append(known, m[1])
		}
	}
	for _, name := range gateways {
		data, _ := os.ReadFile(filepath.Join(dir, name+".log"))
		text := string(data)
		if strings.Count(text, `"password":"`) > 1 {
			leaked = append(leaked, "the one-time password, more than once")
		}
		leaked = append(leaked, made.FindAllString(text, -1)...)
		leaked = append(leaked, slices.DeleteFunc(slices.Clone(known), func(s string) bool { return !strings.Contains(text, s) })...)
	}
	return leaked
}

func TestSecretsInLogsAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"gw.yaml": "token: s3cret-of-hec\n", "ok.log": `{"password":"X"}`,
		"gw.log": "a s3cret-of-hec\nsluice_" + strings.Repeat("A2", 26) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := secretsInLogs(dir, []string{"gw", "ok"}); len(got) != 2 {
		t.Errorf("found %q", got)
	}
}
