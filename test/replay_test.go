package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// leastRecall is what must be found of the true pairs of a log.
func leastRecall(name string) float64 {
	if name == "storm" { // alerts so alike and so close that nobody could tell all of them
		return 0.95
	}
	return 0.98
}

// TestCorpus scores the labelled corpus with the binary, as the README's command does. Nothing may be
// lost or merged, and every pair must be true.
func TestCorpus(t *testing.T) {
	t.Parallel()
	logs, err := filepath.Glob("corpus/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("%d logs in corpus: %v", len(logs), err)
	}
	for _, log := range logs {
		name := strings.TrimSuffix(filepath.Base(log), ".log")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := strings.TrimSuffix(log, ".log")
			figures := score(t, "replay", "--config", base+".yaml", "--arrivals", base+".arrivals",
				"--truth", base+".truth.jsonl", log)
			least := leastRecall(name)
			if figures["lost"] != 0 || figures["merged"] != 0 || figures["precision"] != 1 || figures["recall"] < least ||
				figures["classification"] != 1 {
				t.Errorf("%v, want nothing lost or merged, precision and classification 1, recall %v", figures, least)
			}
		})
	}
}

// score runs replay and reads its figures.
func score(t *testing.T, args ...string) map[string]float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run() // 1 for what the figures say too
	figures := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+(?: rate)?) +([0-9.]+)`).FindAllStringSubmatch(stderr.String(), -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		figures[m[1]] = n
	}
	for _, name := range []string{"precision", "recall", "lost", "merged", "classification"} {
		if _, ok := figures[name]; !ok {
			t.Fatalf("sluice %s: %v: no %s in\n%s", strings.Join(args, " "), err, name, stderr.String())
		}
	}
	t.Log("\n" + stderr.String())
	return figures
}

// TestBurst replays an attack on many: one type of alert for many users within minutes, each told by both
// services. Time must grow with the number of messages, not with its square.
func TestBurst(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("it measures time, which the race detector takes")
	}
	const users = 1000
	var log, arrivals bytes.Buffer
	start := happened(0)
	for i := range users {
		// All within one window of candidates.
		at := start.Add(time.Duration(i) * 500 * time.Millisecond)
		fmt.Fprintf(&log, "%s\n%s\n", cloudAlertAt(i, at), defenderAlertAt(i, at))
		fmt.Fprintf(&arrivals, "%[1]s\n%[1]s\n", at.Add(5*time.Minute).Format(time.RFC3339Nano))
	}
	dir := t.TempDir()
	for name, text := range map[string][]byte{"log": log.Bytes(), "arrivals": arrivals.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	out, err := exec.CommandContext(t.Context(), binary(), "replay", "--arrivals", filepath.Join(dir, "arrivals"), filepath.Join(dir, "log")).Output()
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if n := bytes.Count(out, []byte(`"decision":"forwarded"`)); n != users {
		t.Errorf("%d of %d alerts were forwarded", n, users)
	}
	// Growing with the square it took minutes.
	t.Logf("%d messages in %v", 2*users, took)
	if took > 40*time.Second {
		t.Errorf("%d messages took %v", 2*users, took)
	}
}
