package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
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
