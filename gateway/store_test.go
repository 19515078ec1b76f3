package gateway

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// openStateOf opens the state as a start does, and closes the stream again.
func openStateOf(t *testing.T, c config.Config) (*dedup.Index, error) {
	t.Helper()
	s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(c.DataDir, "stream")})
	if err != nil {
		t.Fatal(err)
	}
	index, err := openState(t.Context(), c, s, slog.New(slog.DiscardHandler))
	return index, errors.Join(err, s.Close())
}

// TestWhatIsSetAsideStays: a state that is damaged again takes no place of one that was set aside before, but for the last
// of them; a checkpoint that can't be read now is no reason to begin from nothing.
func TestWhatIsSetAsideStays(t *testing.T) {
	t.Parallel()
	c := frontDoor(t)
	c.HTTP.Listen = ""
	g := startTimed(t, c, 0)
	g.send(ofMDI(1))
	g.stop()
	damage := func(n int) {
		if err := os.WriteFile(filepath.Join(stateDir(c), "MANIFEST"), fmt.Append(nil, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage(0)
	if err := os.Mkdir(checkpointPath(c), 0o700); err != nil {
		t.Fatal(err)
	}
	if index, err := openStateOf(t, c); err == nil {
		t.Errorf("a checkpoint that can't be read is none: %v", index.Close())
	}
	if err := os.Remove(checkpointPath(c)); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 5; n++ {
		damage(n)
		index, err := openStateOf(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := index.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(stateDir(c)); err != nil { // as a rebuild does that is killed before the new one is in its place
		t.Fatal(err)
	}
	s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(c.DataDir, "stream")})
	if err != nil {
		t.Fatal(err)
	}
	index, err := rebuild(t.Context(), c, stateDir(c), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(index.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": "1", ".2": "2", ".3": "5"} {
		if got, err := os.ReadFile(filepath.Join(stateDir(c)+".damaged"+name, "MANIFEST")); string(got) != want || err != nil {
			t.Errorf("state.damaged%s is number %s, want %s: %v", name, got, want, err)
		}
	}
}

// TestAStreamThatWasEmptied is told of, though its files are in order.
func TestAStreamThatWasEmptied(t *testing.T) {
	t.Parallel()
	c := frontDoor(t)
	g := startTimed(t, c, 0)
	g.send(ofMDI(1))
	g.stop()
	blocks, err := filepath.Glob(filepath.Join(c.DataDir, "stream", "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatal(blocks, err)
	}
	if err := os.Truncate(blocks[0], 0); err != nil {
		t.Fatal(err)
	}
	findings, err := CheckStore(t.Context(), c, g.log)
	if err != nil {
		t.Fatal(err)
	}
	if f := findings[0]; !f.Bad || f.Store != "stream" || !strings.Contains(f.What, "none of them is in its files") {
		t.Errorf("%+v", findings)
	}
	findings, err = ExportStore(t.Context(), c, g.log, io.Discard)
	if err != nil || len(findings) != 1 || !findings[0].Bad || !strings.Contains(findings[0].What, "none of them is in its files") {
		t.Errorf("the export says %+v, %v", findings, err)
	}
}

// TestADamagedTable is set aside at the start and the state made anew, wherever the damage is: Badger takes damaged blocks
// for what was written, and ends the process over the end of a table that is gone.
func TestADamagedTable(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(data []byte) []byte{
		"its end is gone":       func(data []byte) []byte { return data[:len(data)-3] },
		"a third of it":         func(data []byte) []byte { return data[:len(data)*2/3] },
		"a bit in a block":      func(data []byte) []byte { data[len(data)/8] ^= 1; return data },
		"a block of zeros":      func(data []byte) []byte { clear(data[:min(len(data)/4, 4096)]); return data },
		"the size of its index": func(data []byte) []byte { data[len(data)-1] ^= 0x40; return data },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := frontDoor(t)
			g := startTimed(t, c, 0)
			for n := range 20 {
				g.send(ofMDI(n))
			}
			g.stop()
			tables, err := filepath.Glob(filepath.Join(stateDir(c), "*.sst"))
			if err != nil || len(tables) == 0 {
				t.Fatal(tables, err)
			}
			data, err := os.ReadFile(tables[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(tables[0], damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			index, err := openStateOf(t, c)
			if err != nil {
				t.Fatal(err)
			}
			if err := index.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(stateDir(c) + ".damaged"); err != nil {
				t.Errorf("it is taken for what was written: %v", err)
			}
		})
	}
}

// TestOnlyDamageIsRepaired: a state that merely can't be read now stays as it is, and one that lacks a table is rebuilt.
func TestOnlyDamageIsRepaired(t *testing.T) {
	t.Parallel()
	c := frontDoor(t)
	g := startTimed(t, c, 0)
	g.send(ofMDI(1))
	g.stop()
	tables, err := filepath.Glob(filepath.Join(stateDir(c), "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	aside := stateDir(c) + ".damaged"
	if err := os.Rename(tables[0], tables[0]+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(tables[0], 0o700); err != nil { // what is there can't be read
		t.Fatal(err)
	}
	if findings, err := RepairStore(t.Context(), c, g.log); err == nil {
		t.Errorf("a state that can't be read is repaired: %v", findings)
	}
	if _, err := os.Stat(aside); err == nil {
		t.Fatal("a state that can't be read is set aside")
	}
	if index, err := openStateOf(t, c); err == nil {
		t.Errorf("a state that can't be read is opened: %v", index.Close())
	}
	if _, err := os.Stat(aside); err == nil {
		t.Fatal("a state that can't be read is set aside at the start")
	}
	if err := os.Remove(tables[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := RepairStore(t.Context(), c, g.log); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(aside); err != nil {
		t.Errorf("a state that lacks a table: %v", err)
	}
}
