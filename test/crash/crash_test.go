package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
)

// TestCrash is a short run, each time with another seed, which it logs.
func TestCrash(t *testing.T) {
	check(t, settings{kills: 15})
}

func check(t *testing.T, s settings) {
	t.Helper()
	s.seed, s.dir = rand.Uint64(), t.TempDir()
	if testing.Short() {
		s.kills = 5
	}
	var err error
	if s.binary, err = build(t.Context(), s.dir, raceEnabled); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := crash(t.Context(), s, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
		return
	}
	t.Log("\n" + out.String())
}

// TestPowerCut is one in which most kills take what was not synced with them.
func TestPowerCut(t *testing.T) {
	needStrace(t)
	check(t, settings{kills: 12, power: true})
}

func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		const hint = "strace is missing: apt-get install strace"
		if os.Getenv("CI") != "" || os.Getenv("SLUICE_TEST_STRICT") == "1" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
}

// TestPrefixes: what went into a connection is in the stream from its beginning, and whole where the
// connection ended in order.
func TestPrefixes(t *testing.T) {
	conn := func(text string, whole bool) *plainConn {
		c := &plainConn{whole: whole}
		for _, b := range []byte(text) {
			c.items = append(c.items, &item{is: digest{b}})
		}
		return c
	}
	tests := []struct {
		name, stream string
		conns        []*plainConn
		want         bool
	}{
		{"everything", "abcd", []*plainConn{conn("ab", true), conn("cd", true)}, true},
		{"the end is lost", "acd", []*plainConn{conn("ab", false), conn("cd", true)}, true},
		{"a connection is lost", "cd", []*plainConn{conn("ab", false), conn("cd", true)}, true},
		{"the end is lost and was owed", "acd", []*plainConn{conn("ab", true), conn("cd", true)}, false},
		{"a connection is lost that was owed", "cd", []*plainConn{conn("ab", true), conn("cd", true)}, false},
		{"the last is lost that was owed", "ab", []*plainConn{conn("ab", true), conn("cd", true)}, false},
		{"the middle is lost", "acde", []*plainConn{conn("abc", false), conn("de", true)}, false},
		{"out of order", "bacd", []*plainConn{conn("ab", true), conn("cd", true)}, false},
		{"lost and sent again first", "abc", []*plainConn{conn("ab", false), conn("bc", true)}, true},
		{"never sent", "abx", []*plainConn{conn("ab", true)}, false},
		{"twice", "aab", []*plainConn{conn("ab", true)}, false},
	}
	for _, tt := range tests {
		p, got := newPrefixes(tt.conns), true
		for _, b := range []byte(tt.stream) {
			got = got && p.next(digest{b})
		}
		if got = got && p.end(); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}
