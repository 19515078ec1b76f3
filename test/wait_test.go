package test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// final is an error that no further try can mend.
type final struct{ error }

// poll tries until there is no error, the error is final, or the deadline has passed.
func poll(try func() error) error {
	until := time.Now().Add(deadline)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := try()
		var end final
		if err == nil || errors.As(err, &end) || time.Now().After(until) {
			return err
		}
		<-time.After(wait)
	}
}

// cmdWaitFor polls until something is true.
//
//	wait-for lines FILE N          the file has N lines; more fail at once
//	wait-for match FILE REGEXP     a line of the file matches
//	wait-for log REGEXP            the log of this run of the gateway gw matches
//	wait-for metric SERIES N       a series of the gateway gw has this value
//	wait-for siem NAME N           the SIEM has N messages; more fail at once
//	wait-for siem-least NAME N     the SIEM has N messages or more
//	wait-for has NAME N            the SIEM has N different events, some of them perhaps again
//	wait-for drained               no target of the gateway gw lags
//	wait-for due                   every hold that the gateway gw logged would be over
//	wait-for port HOST:PORT        somebody listens there
//	wait-for renewed DIR ADDRESS REGEXP
//	                               a TLS handshake succeeds with DIR's authority, and the log matches
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: wait-for CONDITION ARGUMENT...")
	}
	check := map[string]struct {
		args int
		try  func(*testscript.TestScript, []string) error
	}{
		"lines": {2, hasLines}, "match": {2, hasMatch}, "log": {1, hasLog}, "metric": {2, hasMetric},
		"siem": {2, siemHas}, "siem-least": {2, siemHasLeast}, "has": {2, siemHasDifferent}, "drained": {0, isDrained}, "due": {0, isDue}, "port": {1, isOpen},
		"renewed": {3, isRenewed},
	}[args[0]]
	if check.try == nil || len(args)-1 != check.args {
		ts.Fatalf("wait-for %s: unknown, or the wrong number of arguments", args[0])
	}
	if err := poll(func() error { return check.try(ts, args[1:]) }); err != nil {
		ts.Fatalf("wait-for %s: %v", strings.Join(args, " "), err)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

func hasLines(ts *testscript.TestScript, args []string) error {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	if err != nil {
		return err
	}
	return exactly(bytes.Count(data, []byte("\n")), number(ts, args[1]), "lines")
}

// exactly is final where there are too many: more will not become fewer.
func exactly(n, want int, what string) error {
	if n > want {
		return final{fmt.Errorf("%d %s", n, what)}
	}
	if n < want {
		return fmt.Errorf("%d %s", n, what)
	}
	return nil
}

func hasMatch(ts *testscript.TestScript, args []string) error {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	if err != nil {
		return err
	}
	if !regexp.MustCompile("(?m)" + args[1]).Match(data) {
		return errors.New("no line matches")
	}
	return nil
}

func hasLog(ts *testscript.TestScript, args []string) error {
	d := worldOf(ts).daemons["gw"]
	if text := d.text(); !regexp.MustCompile(args[0]).MatchString(text) {
		return fmt.Errorf("no such line in\n%s", text)
	}
	return nil
}

func metrics(ts *testscript.TestScript) (string, error) {
	return get("http://" + worldOf(ts).daemons["gw"].http + "/metrics")
}

func hasMetric(ts *testscript.TestScript, args []string) error {
	text, err := metrics(ts)
	if err != nil {
		return err
	}
	found := "nothing"
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), args[0]+" "); ok {
			found = value
		}
	}
	if found != args[1] {
		return fmt.Errorf("it is %s in\n%s", found, sluiceLines(text))
	}
	return nil
}

// sluiceLines leaves out what the runtime says of itself.
func sluiceLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "sluice_") && !strings.Contains(line, "_bucket{") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func isDrained(ts *testscript.TestScript, _ []string) error {
	text, err := metrics(ts)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "sluice_target_lag_entries{") && !strings.HasSuffix(line, " 0\n") {
			return errors.New(line)
		}
	}
	return nil
}

func isOpen(_ *testscript.TestScript, args []string) error {
	c, err := net.DialTimeout("tcp", args[0], time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

// cmdStatus runs a program that must end with a status. What it wrote is looked at with stdout and stderr.
//
//	status N PROGRAM ARGUMENT...
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARGUMENT...")
	}
	program := args[1]
	if program == "sluice" {
		program = binary()
	}
	err := ts.Exec(program, args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := number(ts, args[0]); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdPage fetches a page, which is looked at with stdout.
//
//	page URL [STATUS]
func cmdPage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: page URL [STATUS]")
	}
	want := 200
	if len(args) == 2 {
		want = number(ts, args[1])
	}
	status, text, err := fetch(args[0])
	ts.Check(err)
	if status != want {
		ts.Fatalf("status %d, want %d: %s", status, want, text)
	}
	_, err = ts.Stdout().Write([]byte(text))
	ts.Check(err)
}

// cmdPort sets a variable to a TCP port that is free now, for programs that can't choose one and say so.
//
//	port VARIABLE
func cmdPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port VARIABLE")
	}
	ts.Check(poll(func() error {
		port := somePort()
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return err
		}
		ts.Setenv(args[0], port)
		return l.Close()
	}))
}

// somePort is a port that is none of those that the kernel gives away, to one of the thousands of connections
// of another test or to a listener that doesn't choose.
func somePort() string {
	const lowest, highest = 12000, 32000
	return strconv.Itoa(lowest + rand.IntN(highest-lowest))
}

// cmdSubstitute replaces @NAME@ in files by the script's variable.
//
//	substitute FILE...
func cmdSubstitute(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: substitute FILE...")
	}
	name := regexp.MustCompile(`@[A-Za-z0-9_]+@`)
	for _, file := range args {
		text := name.ReplaceAllStringFunc(ts.ReadFile(file), func(s string) string { return ts.Getenv(strings.Trim(s, "@")) })
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o666))
	}
}

// cmdCapture sets a variable to what the first group of an expression finds in a file.
//
//	capture VARIABLE FILE REGEXP
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture VARIABLE FILE REGEXP")
	}
	text := ts.ReadFile(args[1])
	found := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(text)
	if len(found) != 2 {
		ts.Fatalf("%s isn't in\n%s", args[2], text)
	}
	ts.Setenv(args[0], found[1])
}

func isRenewed(ts *testscript.TestScript, args []string) error {
	address := strings.TrimPrefix(args[1], "tls://")
	c, err := tls.Dial("tcp", address, clientTLS(ts, args[0], ""))
	if err != nil {
		return err
	}
	_ = c.Close()
	return hasLog(ts, args[2:])
}

// isDue looks at the log, so that it works while the gateway is down.
func isDue(ts *testscript.TestScript, _ []string) error {
	for line := range strings.Lines(worldOf(ts).daemons["gw"].text()) {
		var entry struct{ Until time.Time }
		if json.Unmarshal([]byte(line), &entry) == nil && time.Now().Before(entry.Until) {
			return fmt.Errorf("something is held until %s", entry.Until)
		}
	}
	return nil
}
