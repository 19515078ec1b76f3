package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

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
