// Command sluice is the gateway between Microsoft's identity and cloud services and the SIEM: it
// receives what they notify, recognises the notifications of one alert and forwards one stream.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Usage: sluice COMMAND [ARGUMENTS]

  run [--config FILE] [--demo]      the gateway; or a made-up morning, which reaches none of FILE's targets
  check --config FILE [--rate N/s] [--alerts PERCENT]
                                    say everything that is wrong with a configuration; where nothing is, what its
                                    routes guarantee, and the disk and memory it needs. Directories that this
                                    machine lacks are told too, and change no exit status
  replay [--config FILE] [--arrivals FILE]... [--truth FILE]... [--scores FILE] LOG...
                                    decide captured messages, forward nothing; score their users
  reconcile [--config FILE] [--json]
                                    account for every notification: what was received and what became of it
  deadletter list [TARGET] | show TARGET ID | retry TARGET ID|--all | drop TARGET ID|--all
                                    what a target refused for good
  alerts | activities | users ...   ask the running gateway, and manage alerts; --help tells how
  token list | create NAME --role ROLE | revoke ID
                                    what programs show to the API
  audit [list | export]             who did what, and whom it was refused
  target test NAME [--config FILE]  send one test event to a target, and say what came back
  store check | repair | export [--config FILE]
                                    look at the files of a gateway that doesn't run
  health [--config FILE] [--address HOST:PORT]
                                    ask the running gateway whether it is ready
  version

Exit status: 0 done, 1 failed or problems found, 2 wrong usage.
"sluice COMMAND --help" tells the flags of a command.
`

// errUsage marks wrong usage; what is wrong has been said already or is in the text it wraps.
var errUsage = errors.New("wrong usage")

// errProblems says that the command did its work and found what it looks for; it has printed it.
var errProblems = errors.New("problems found")

func main() {
	// A reader of standard output that goes away is a target that is down, no reason to die.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // room for both: none is missed, however close they come
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		<-signals // somebody doesn't want to wait for the draining
		os.Exit(1)
	}()
	os.Exit(status(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr), os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w\n%s", errUsage, usage)
	}
	switch name, rest := args[0], args[1:]; name {
	case "run":
		return runGateway(ctx, rest, stdout, stderr)
	case "check":
		return check(rest, stdout, stderr)
	case "replay":
		return replay(ctx, rest, stdin, stdout, stderr)
	case "reconcile":
		return reconcile(ctx, rest, stdout, stderr)
	case "deadletter":
		return deadletter(ctx, rest, stdout, stderr)
	case "alerts":
		return alerts(ctx, rest, stdout, stderr)
	case "activities":
		return activities(ctx, rest, stdout, stderr)
	case "users":
		return users(ctx, rest, stdout, stderr)
	case "token":
		return token(ctx, rest, stdout, stderr)
	case "audit":
		return auditCommand(ctx, rest, stdout, stderr)
	case "target":
		return targetCommand(ctx, rest, stdout, stderr)
	case "store":
		return store(ctx, rest, stdout, stderr)
	case "health":
		return health(ctx, rest, stdout, stderr)
	case "version", "--version":
		return version(stdout)
	case "help", "-h", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	default:
		return fmt.Errorf("%w: no command %q\n%s", errUsage, name, usage)
	}
}

// unread says that whoever read standard output has seen enough, as "head" has.
func unread(err error) bool {
	at, ok := errors.AsType[*fs.PathError](err)
	return ok && at.Path == os.Stdout.Name() && errors.Is(at, syscall.EPIPE)
}

// status is the one place that turns an error into text and an exit status.
func status(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errProblems), unread(err):
		return 1
	}
	_, _ = fmt.Fprintf(stderr, "sluice: %v\n", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}
