package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-siem/sluice/gateway"
)

// TestADifferenceIsSaidInWords: of equal numbers it isn't said that they differ, and an entry without a key isn't named.
func TestADifferenceIsSaidInWords(t *testing.T) {
	var r gateway.Report
	if err := json.Unmarshal([]byte(`{"unequal": [
		{"service": "cloud_app_security", "hour": "2026-03-02T08:00:00Z", "left": 3, "right": 3, "events": [{"why": "it is gone"}]},
		{"service": "cloud_app_security", "hour": "2026-03-02T08:00:00Z", "left": 3, "right": 2, "target": "siem", "events": [{"event_key": "k", "why": "it is not there"}]}
	]}`), &r); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := writeReport(&out, &r); err != nil {
		t.Fatal(err)
	}
	want := `UNEQUAL 2026-03-02 08:00 cloud_app_security: 3 received, and forwarded + suppressed + dropped + held is as many, but not the same ones
  it is gone
UNEQUAL 2026-03-02 08:00 cloud_app_security: 3 forwarded, but delivered + filtered + queued + dead-lettered at target siem is 2
  event k: it is not there
`
	if _, got, _ := strings.Cut(out.String(), "\n\n"); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}

func TestWhatAnotherServerSays(t *testing.T) {
	for body, want := range map[string]string{
		"Client sent an HTTP request to an HTTPS server.\n": "400 Bad Request: Client sent an HTTP request to an HTTPS server.",
		"<!doctype html>\n<html>":                           "400 Bad Request",
		"\x1b[31m":                                          "400 Bad Request:  [31m",
		"":                                                  "400 Bad Request",
	} {
		err := trouble(&http.Response{Status: "400 Bad Request", Body: io.NopCloser(strings.NewReader(body))})
		if err.Error() != want {
			t.Errorf("%q: %q, want %q", body, err, want)
		}
	}
}

// TestAVerbTakesItsFlags: one that it has no use for is told before anything is done.
func TestAVerbTakesItsFlags(t *testing.T) {
	for args, wrong := range map[string]string{
		"alerts close --filter x --why benign --limit 1":    "alerts close takes no --limit, which is for list",
		"alerts close 0123 --why benign --text CHG-1":       "alerts close takes no --text, which is for comment",
		"alerts comment 0123 --comment CHG-1":               "alerts comment takes no --comment, which is for close, reopen, forward",
		"alerts export --limit 10":                          "alerts export takes no --limit",
		"alerts show 0123 --filter x":                       "alerts show takes no --filter",
		"activities export --all":                           "activities export takes no --all",
		"users show 0123 --why x":                           "users show takes no --why",
		"audit export --sort time":                          "audit export takes no --sort",
		"token list --days 1":                               "token list takes no --days",
		"--json alerts":                                     "no command",
		"alerts --filter x --sort time --limit 1":           "no gateway runs",
		"alerts forward 01 23 --comment x":                  "no gateway runs",
		"alerts mark --filter x --unread":                   "no gateway runs",
		"users timeline 01 --filter x --all --sort time":    "no gateway runs",
		"token create x --role viewer --days 1 --json":      "no gateway runs",
		"audit export --format csv --filter x":              "no gateway runs",
		"alerts close 0123 --why benign --in x --comment y": "no gateway runs",
	} {
		t.Run(args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			err := run(t.Context(), strings.Fields(args), nil, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), wrong) || errors.Is(err, errUsage) != (wrong != "no gateway runs") {
				t.Errorf("%v, want %q", err, wrong)
			}
		})
	}
}

// TestHelpIsMadeOfWhatVerbsTake, and not the other way round: words of a help refuse nothing.
func TestHelpIsMadeOfWhatVerbsTake(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, wrong := range map[string]string{"show --as x": "no gateway runs", "show --to x": "things show takes no --to, which is for give, lend", "lend --to x": "no gateway runs"} {
		f, a := newFlags("things", "VERB", io.Discard), asked{}
		f.String("as", "", "give: the word for it")
		f.String("to", "", "whom")
		a.takes("give", "to")
		a.takes("lend", "to")
		s, rest, err := newAsker(f, &a, strings.Fields(args), io.Discard)
		if err == nil {
			_, err = s.read(t.Context(), http.MethodGet, "/"+rest[0], nil)
		}
		if err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v, want %q", args, err, wrong)
		}
		if help := f.Lookup("to").Usage; help != "give, lend: whom" {
			t.Errorf("the help is %q", help)
		}
	}
}

// TestWhoReadsNoFurther is told of no fault: only of one in what was read.
func TestWhoReadsNoFurther(t *testing.T) {
	for path, want := range map[string]string{"/dev/stdout": "", "/var/lib/sluice": "sluice: the export broke off: write /var/lib/sluice: broken pipe\n"} {
		var told bytes.Buffer
		err := fmt.Errorf("the export broke off: %w", &fs.PathError{Op: "write", Path: path, Err: syscall.EPIPE})
		if got := status(err, &told); got != 1 || told.String() != want {
			t.Errorf("%v: status %d, says %q, want 1 and %q", err, got, told.String(), want)
		}
	}
}

// TestACellIsNoWider than what a table has room for, whatever somebody is called.
func TestACellIsNoWider(t *testing.T) {
	for text, want := range map[string]string{
		"a\tb":                      "a b",
		strings.Repeat("é", 100):    strings.Repeat("é", 100),
		strings.Repeat("\x1b", 101): strings.Repeat(" ", 100) + "…",
	} {
		if got := cell(text); got != want {
			t.Errorf("cell(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestTerminalsObeyNothing: what a sender wrote neither moves a terminal's cursor nor turns round what stands behind it.
func TestTerminalsObeyNothing(t *testing.T) {
	const title = "a\x1b[31mb\u009b2Jc\u202etxt.exe\u2066\x7f\n"
	if got, want := oneLine(title), "a [31mb 2Jc\ufffdtxt.exe\ufffd  "; got != want {
		t.Errorf("oneLine: %q, want %q", got, want)
	}
	text, err := json.Marshal(title)
	if err != nil {
		t.Fatal(err)
	}
	shown := escaped(text)
	if bytes.ContainsAny(shown, "\x1b\u009b\u202e\u2066\x7f\n") {
		t.Errorf("escaped: %q", shown)
	}
	var same string
	if err := json.Unmarshal(shown, &same); err != nil || same != title {
		t.Errorf("escaped: %q means %q, want %q: %v", shown, same, title, err)
	}
}
