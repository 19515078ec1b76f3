// Crash kills Sluice with SIGKILL at random instants under load, again and again, and accounts for
// every notification afterwards:
//
//	go run ./test/crash -kills 1000            prints its seed, progress, and an account; exit status 1 with what is wrong
//	go run ./test/crash -kills 1000 -seed 7    the same traffic, faults and instants, as far as scheduling allows
//	go run ./test/crash -powercuts 200         most kills take with them what was not synced, by [powercut]; needs strace
//
// # What happens
//
// The real binary receives over RELP and HTTP (with Idempotency-Key) from senders that send again what
// was not acknowledged, and over plain TCP from one that doesn't. It delivers to a file and to a SIEM
// that refuses connections, stalls, resets them with messages unread, and takes messages and breaks the
// connection before it acknowledges them. The traffic has alerts of both services in both orders,
// near and far apart, updates, resends, activities, health alerts, risk detections and lines that nobody
// understands. Holds are short, so that some end by a twin, some in time, some after a crash. Kills come
// in the middle of it all and while the gateway starts.
//
// # What must hold
//
// Every message is counted where it is sent, and compared with the stream, read when all is over:
// acknowledged over RELP at least once and not more often than it was sent, sent under a key exactly
// once, over TCP a beginning of what went into each connection. Every alert is forwarded by exactly one of
// its services. Each decision is what an undisturbed gateway decides on what the stream says was received
// ([gateway.Retrace]). Every forwarded event reached both targets. sluice reconcile says that the
// equations hold, in the middle and at the end.
//
// An event that reached the SIEM again must be explained by what the SIEM itself did or by a kill: on one
// connection nothing comes twice, and on the next one of the same gateway only if the SIEM broke the
// one before. Then it may be of the batch in flight, or of the last ten seconds and the last mebibyte that
// were acknowledged by the SIEM's kernel before a reset. After a kill the batch in flight may come again, and
// as much more only if the SIEM broke a connection after the event had been forwarded: before the kill, in the
// same instant or after it. Positions in the stream tell which events those are.
//
// A power cut may take the commits of the last second too, of the file's lines those that were not synced, and
// whatever the state had; the stream has everything that was acknowledged, and no cursor is damaged.
//
// Nothing is lost, not even what the SIEM's kernel had acknowledged and threw away in a reset while the gateway
// was dead. The SIEM closes a connection in order only when it has taken what it has read: what a SIEM throws
// away after that no sender of syslog over TCP can know.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own, whose exit status is its answer
	}
}

// settings say what to do.
type settings struct {
	kills  int
	power  bool // most of them are power cuts
	seed   uint64
	dir    string // for everything; empty
	binary string // sluice
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	keep := false
	f := flag.NewFlagSet("crash", flag.ContinueOnError)
	f.IntVar(&s.kills, "kills", 1000, "how often the gateway is killed")
	cuts := f.Int("powercuts", 0, "how often it is killed instead, most times together with what it has not synced; needs strace")
	f.Uint64Var(&s.seed, "seed", 0, "of everything random; 0 chooses one")
	f.BoolVar(&keep, "keep", false, "keep the directory with the gateway's data, log and configuration")
	race := f.Bool("race", false, "build the gateway with the race detector")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *cuts > 0 {
		s.kills, s.power = *cuts, true
	}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "sluice-crash-"); err != nil {
		return err
	}
	if s.binary, err = build(ctx, s.dir, *race); err != nil {
		return err
	}
	err = crash(ctx, s, out)
	if keep || err != nil {
		_, _ = fmt.Fprintf(out, "what is left is in %s\n", s.dir)
		return err
	}
	return os.RemoveAll(s.dir)
}

// build makes the gateway's binary.
func build(ctx context.Context, dir string, race bool) (string, error) {
	path := filepath.Join(dir, "sluice")
	args := []string{"build", "-o", path}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/sluice-siem/sluice/cmd/sluice")...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return path, nil
}
