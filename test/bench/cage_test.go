package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCage: the program is in the cgroup before it is itself, under the number by which its usage is read, with its arguments
// as they are.
func TestCage(t *testing.T) {
	dir := t.TempDir() + "/a $HOME"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path, args := cage(dir).command("/bin/sh", []string{"-c", `echo $$; cat "$0"; echo "$@"`, filepath.Join(dir, "cgroup.procs"), "two  words", `"$1"`})
	out, err := exec.CommandContext(t.Context(), path, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) < 3 || lines[0] != lines[1] || lines[2] != `two  words "$1"` {
		t.Errorf("it says %q, want its number, the same from the cgroup, and its arguments", lines)
	}
	if path, args := cage("").command("program", []string{"a"}); path != "program" || len(args) != 1 {
		t.Errorf("without a limit it is %s %q", path, args)
	}
}
