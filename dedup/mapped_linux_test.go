package dedup

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// TestWhatWasReadAtTheStartIsLetGo: the tables of many activities, which the start reads whole, aren't kept in memory.
func TestWhatWasReadAtTheStartIsLetGo(t *testing.T) {
	const activities = 40_000
	dir, now := t.TempDir(), time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	x, err := Open(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < activities; from += 1000 {
		b := x.Begin()
		for i := range 1000 {
			n := formats.Notification{Kind: formats.Activity, Service: formats.CloudAppSecurity, ID: fmt.Sprint(from + i)}
			if err := b.Apply(&Outcome{Key: Key(&n, now), Time: now, Notification: &n, Action: Forward}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Commit(Mark{Time: now}); err != nil {
			t.Fatal(err)
		}
		b.Discard()
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	var kib [2]int
	for i, many := range []int{activities + 1, activities} {
		x, err := open(dir, config.Default(), many)
		if err != nil {
			t.Fatal(err)
		}
		kib[i] = resident(t, dir)
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if kib[0] < activities*recordHead>>10 {
		t.Errorf("with few activities %d KiB of the tables are in memory, want all that was read", kib[0])
	}
	if kib[1] > kib[0]/4 {
		t.Errorf("%d KiB of the tables are in memory, and %d where they were opened once", kib[1], kib[0])
	}
}

// resident is how much of the tables in dir is in this process's memory, in KiB.
func resident(t *testing.T, dir string) (kib int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	ours := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if head, _, _ := strings.Cut(line, " "); strings.Contains(head, "-") {
			path := line[strings.LastIndex(line, " ")+1:]
			ours = filepath.Dir(path) == dir && filepath.Ext(path) == ".sst"
		}
		var n int
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err == nil && ours {
			kib += n
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return kib
}
