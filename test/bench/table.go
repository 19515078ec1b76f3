package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// printTable prints the medians as Markdown.
func printTable(w io.Writer, rows []row) error {
	var b strings.Builder
	b.WriteString("| program | events/s, 1 connection | bare relay = 1 | events/s, 8 connections | bare relay = 1 " +
		"| CPU µs/event, 1 | CPU µs/event, 8 | RSS idle MiB | RSS peak MiB | p50 ms | p99 ms | CPU µs/event at that rate |\n")
	b.WriteString("|---" + strings.Repeat("|---:", 11) + "|\n")
	for i := range rows {
		r := &rows[i]
		peaks := column(append(append([]sample(nil), r.one...), r.eight...), peak)
		cells := []string{
			r.program.title,
			whole(median(column(r.one, rate))), ratio(against(rows, r.program.name, bare, one)),
			whole(median(column(r.eight, rate))), ratio(against(rows, r.program.name, bare, eight)),
			decimal(median(column(r.one, cpu))), decimal(median(column(r.eight, cpu))),
			whole(median(column(r.one, idle))), whole(highest(peaks)),
			decimal(median(column(r.pace, p50))), decimal(median(column(r.pace, p99))),
			whole(median(column(r.pace, cpu))),
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// highest is the greatest of what was measured.
func highest(values []float64) float64 {
	out := math.NaN()
	for _, v := range values {
		if math.IsNaN(out) || v > out {
			out = v
		}
	}
	return out
}

const gap = "–"

// whole writes a number without decimals, its thousands apart.
func whole(v float64) string {
	if math.IsNaN(v) {
		return gap
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// decimal writes three digits of what is small.
func decimal(v float64) string {
	switch {
	case math.IsNaN(v):
		return gap
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

func ratio(v float64) string {
	if math.IsNaN(v) {
		return gap
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// footer says where, with what and how it was measured.
func (b *bench) footer(ctx context.Context, w io.Writer, rows []row) error {
	lines := []string{
		fmt.Sprintf("%d rounds, interleaved; medians, ratios taken within a round, the highest peak. Lines of about 600 bytes over loopback, "+
			"of 20 one alert and one its twin; sender and target on the same cores. Latency from the sender's write to the "+
			"target's read at %d events/s on one connection, the first quarter left out.", b.rounds, b.rate),
		fmt.Sprintf("%d cores, %s; %s; %s on %s; %s; %s", runtime.NumCPU(), processor(), first(ctx, "uname", "-srm"), b.dir,
			fileSystem(b.dir), runtime.Version(), time.Now().UTC().Format(time.DateOnly)),
		"Sluice: " + first(ctx, b.sluice, "version"),
	}
	for _, name := range []string{diskQueue, reliable} {
		if r := named(rows, name); r != nil {
			flag := "--version"
			if name == diskQueue {
				flag = "-v"
			}
			lines = append(lines, first(ctx, r.found, flag))
		}
	}
	lines = append(lines, "`"+b.command+"`")
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(lines, "  \n"))
	return err
}

// first is the first line that a command says.
func first(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return fmt.Sprintf("%s: %v", name, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// processor is the model by /proc/cpuinfo.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if key, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

// fileSystem is the type of what the directory lies on, by /proc/mounts.
func fileSystem(dir string) string {
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "an unknown file system"
	}
	best, kind := "", "an unknown file system"
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(best) {
			continue
		}
		if f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/") {
			best, kind = f[1], f[2]
		}
	}
	return kind
}
