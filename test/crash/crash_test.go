package main

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestCrash is a short run, each time with another seed, which it logs.
func TestCrash(t *testing.T) {
	s := settings{kills: 15, seed: rand.Uint64(), dir: t.TempDir()}
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
