package gateway

import (
	"os"
	"path/filepath"
	"testing"
)

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
