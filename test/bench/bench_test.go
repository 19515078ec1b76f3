package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain is also the relay, which the program under test starts by its own path.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == relayCommand {
		if err := run(context.Background(), os.Args[1:], io.Discard, os.Stderr); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

func TestMedian(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{nan, 7, nan, 9}, 8},
		{nil, nan},
		{[]float64{nan}, nan},
	}
	for _, tt := range tests {
		if got := median(tt.values); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("median(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	tests := []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
		{hundred, 0, 1},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{1, 2, 3}, 50, 2},
		{nil, 50, 0},
	}
	for _, tt := range tests {
		if got := percentile(tt.values, tt.p); got != tt.want {
			t.Errorf("percentile(%d values, %v) = %v, want %v", len(tt.values), tt.p, got, tt.want)
		}
	}
}

func TestRatiosAreTakenByRound(t *testing.T) {
	got := ratios([]float64{1, 2, 30}, []float64{10, 20, 60})
	if diff := cmp.Diff([]float64{.1, .1, .5}, got); diff != "" {
		t.Errorf("ratios: -want +got:\n%s", diff)
	}
}

// measured is a table of two rows in two rounds, made up.
func measured() []row {
	find := func(name string) program {
		for _, p := range programs() {
			if p.name == name {
				return p
			}
		}
		return program{}
	}
	s := func(rate, cpu, peak, p99 float64) sample {
		return sample{rate: rate, cpu: cpu, idle: 20, peak: peak, p50: p99 / 4, p99: p99}
	}
	return []row{
		{
			program: find(bare), one: []sample{s(1e6, .4, 6, 0), s(2e6, .5, 7, 0)},
			eight: []sample{s(1e6, .4, 9, 0), s(1e6, .4, 8, 0)}, pace: []sample{s(5000, 40, 6, .5), s(5000, 50, 6, .7)},
		},
		{
			program: find(synced), one: []sample{s(1e5, 9, 300, 0), s(1e5, 11, 310, 0)},
			eight: []sample{s(2e5, 9, 390, 0), nothing()}, pace: []sample{nothing(), nothing()},
		},
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := printTable(&b, measured()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	want := []string{
		"| bare relay, copies lines | 1,500,000 | 1.000 | 1,000,000 | 1.000 | 0.45 | 0.40 | 20 | 9 | 0.15 | 0.60 | 45 |",
		"| **Sluice**, synced (the default) | 100,000 | 0.075 | 200,000 | 0.200 | 10.0 | 9.00 | 20 | 390 | – | – | – |",
	}
	if diff := cmp.Diff(want, lines[2:]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for i, line := range lines {
		if got, want := strings.Count(line, "|"), strings.Count(lines[0], "|"); got != want {
			t.Errorf("line %d has %d bars, the head has %d", i, got, want)
		}
	}
}

func TestRequirements(t *testing.T) {
	got := map[string]string{}
	for _, r := range requirements(measured()) {
		answer := "fails"
		switch {
		case r.holds():
			answer = "holds"
		case math.IsNaN(r.value):
			answer = "not measured"
		}
		if what, ok := strings.CutPrefix(r.what, synced+": "); ok {
			got[what] = answer
		} else if answer != "not measured" {
			t.Errorf("%s: %s, but that row was not measured", r.what, answer)
		}
	}
	want := map[string]string{
		"throughput against the bare relay, 1 connection": "fails",
		"against syslog-ng disk-buffer reliable":          "not measured",
		"against rsyslog disk queue":                      "not measured",
		"against rsyslog disk queue, synced":              "not measured",
		"CPU µs per event at saturation":                  "holds",
		"p99 ms at the constant rate":                     "not measured",
		"RSS MiB at saturation":                           "holds",
		"RSS MiB idle":                                    "holds",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := printRequirements(io.Discard, measured()); err == nil {
		t.Error("no error although some don't hold")
	}
}

// TestWork: the lines are what the services write, as long as is said, and their numbers are found again.
func TestWork(t *testing.T) {
	w := newWork(0, 4000)
	bytes, twins := 0, 0
	for i := range w.ends {
		line := strings.TrimSuffix(string(w.line(i)), "\n")
		if err := understand([]byte(line), time.Now()); err != nil {
			t.Fatalf("line %d, %q: %v", i, line, err)
		}
		bytes += len(line)
		switch n, ok := number([]byte(line)); {
		case ok && n != i:
			t.Errorf("line %d has the number %d", i, n)
		case !ok:
			twins++
		}
	}
	if mean := bytes / len(w.ends); mean < 550 || mean > 650 {
		t.Errorf("a line has %d bytes, want about 600", mean)
	}
	if twins != len(w.ends)-forwarded(len(w.ends)) {
		t.Errorf("%d twins, want %d", twins, len(w.ends)-forwarded(len(w.ends)))
	}
	var parts string
	for c := range 7 {
		p := w.part(c, 7)
		parts += string(p.text)
		if len(p.ends)%cycle != 0 || len(p.ends) > 0 && last(p.ends) != len(p.text) {
			t.Errorf("part %d: %d lines, the last ends at %d of %d", c, len(p.ends), last(p.ends), len(p.text))
		}
	}
	if parts != string(w.text) {
		t.Error("the parts are not the whole")
	}
}

func TestClock(t *testing.T) {
	c := newClock(3)
	c.leave(0, c.start)
	c.leave(2, c.start.Add(time.Millisecond))
	rest := c.arrived(fmt.Appendf(nil, "a %s%09d b\n%s%09d\n%s0000", mark, 0, mark, 2, mark), c.start.Add(3*time.Millisecond))
	if string(rest) != mark+"0000" {
		t.Errorf("rest %q", rest)
	}
	if diff := cmp.Diff([]time.Duration{3 * time.Millisecond, 2 * time.Millisecond}, c.latencies(0)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestUsage(t *testing.T) {
	stat := "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 9 0 100 1000 200"
	if got, err := cpuTime(stat); err != nil || got != 1750*time.Millisecond {
		t.Errorf("cpuTime = %v, %v; want 1.75s", got, err)
	}
	if got := mebibytes("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n", "VmHWM:"); got != 2 {
		t.Errorf("mebibytes = %v, want 2", got)
	}
}

// TestSmoke runs the relays and Sluice on a few lines. It looks at what comes out, which the program
// itself counts, and at no time.
func TestSmoke(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc")
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out, log bytes.Buffer
	args := []string{"-rounds", "1", "-events", "640", "-rate", "200", "-seconds", "1", "-only", "relay,parse,synced,process"}
	if err := run(t.Context(), args, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	for _, title := range []string{"| bare relay, copies lines |", "| relay, and", "synced (the default)", "`durability: process`"} {
		if !strings.Contains(out.String(), title) {
			t.Errorf("%s is no row:\n%s", title, &out)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestSmokeRemember does the same for the other table.
func TestSmokeRemember(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc")
	}
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{"-rounds", "2", "-events", "320", "-remember", "2000"}, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	if !strings.Contains(out.String(), "| 2,000 activities remembered |") {
		t.Errorf("no such row:\n%s", &out)
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"-only", "nobody"}, {"-rounds", "0"}, {"-events", "10"}, {"surplus"}, {"-rate", "0"}} {
		if _, err := parseFlags(args, io.Discard); err == nil {
			t.Errorf("parseFlags(%q): no error", args)
		}
	}
}
