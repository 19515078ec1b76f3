// Bench measures Sluice beside what somebody would otherwise put in its place, all in one run on one
// machine, and prints one table:
//
//	go run ./test/bench                      every row, five rounds, some minutes
//	go run ./test/bench -only relay,synced   some rows; the relay is what the ratios are against
//	go run ./test/bench -require             and says whether what must hold holds
//	go run ./test/bench -remember 5000000    the cost of an event and the memory with that many known IDs
//	go run ./test/bench -behind 400000 -rate 500 -seconds 24
//	                                         how fast a model takes in so many activities that it missed, and the latency meanwhile
//	go run ./test/bench -memory 512          as in a container with so many MiB; needs root
//
// # Decisions
//
// The work is what the services write: of 20 lines 18 are activities, one is an alert of Defender for
// Identity and one its twin from Cloud App Security, 600 bytes each, more or less. An alert happens every ten
// minutes, so that a day brings 144: a large organisation's. How many lines a program forwards is known before it is
// started, all of them or all without the twins, and a measurement ends when the target has counted
// so many. After the program has ended the count must still be exactly that.
//
// Every measurement starts its program anew in an empty directory. Within a round all rows are
// measured one after the other, so that what changes on the machine meanwhile, changes for all. A
// ratio is taken within a round; the table has the medians of the rounds. Absolute figures are worth
// little beyond their run.
//
// Sender and target are this process, the measured program is a child, whose CPU time and memory
// are its own by /proc. The relays are this program too, started again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own, whose exit status is its answer
	}
}

// settings are the flags.
type settings struct {
	rounds   int
	events   int
	rate     int
	seconds  int
	only     []string
	strict   bool
	require  bool
	remember int
	behind   int
	memory   int
	command  string // as it was given, for the footer
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	if len(args) > 0 && args[0] == relayCommand {
		return relay(ctx, args[1:])
	}
	s, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	b := &bench{settings: s, dir: dir, log: stderr}
	defer func() { _ = os.RemoveAll(dir) }()
	if b.cage, err = newCage(s.memory); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cage.remove()) }()
	if b.sluice, err = buildSluice(ctx, dir); err != nil {
		return err
	}
	if s.remember > 0 {
		return b.remembering(ctx, stdout)
	}
	if s.behind > 0 {
		return b.catchingUp(ctx, stdout)
	}
	return b.compare(ctx, stdout)
}

func parseFlags(args []string, stderr io.Writer) (settings, error) {
	s := settings{command: strings.Join(append([]string{"go run ./test/bench"}, args...), " ")}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&s.rounds, "rounds", 5, "how often every row is measured")
	f.IntVar(&s.events, "events", 200_000, "lines in one measurement of throughput; rows of other speeds get a share or a multiple of it")
	f.IntVar(&s.rate, "rate", 5000, "events per second at which latency is measured")
	f.IntVar(&s.seconds, "seconds", 4, "how long that takes; the first quarter isn't counted")
	only := f.String("only", "", "rows to measure, with commas between: "+strings.Join(names(), ", "))
	f.BoolVar(&s.strict, "strict", false, "fail where a program is missing")
	f.BoolVar(&s.require, "require", false, "compare with what must hold, and fail where something doesn't")
	f.IntVar(&s.remember, "remember", 0, "compare an empty state with one that remembers that many activities, instead of the table")
	f.IntVar(&s.behind, "behind", 0, "measure the latency while a model takes in that many activities that it missed, instead of the table")
	f.IntVar(&s.memory, "memory", 0, "MiB that a measured program may take, as in a container; 0: as many as it wants")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	for _, name := range s.only {
		if !slices.Contains(names(), name) {
			return s, fmt.Errorf("-only %s: want some of %s", name, strings.Join(names(), ", "))
		}
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case s.rounds < 1 || s.rate*s.seconds < cycle:
		return s, errors.New("-rounds, -rate and -seconds must be positive")
	case s.memory < 0:
		return s, errors.New("-memory must not be negative")
	case s.events < minEvents:
		return s, fmt.Errorf("-events must be at least %d", minEvents)
	}
	return s, nil
}
