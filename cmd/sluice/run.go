package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
)

func runGateway(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("run", "[--config FILE] [--demo]", stderr)
	path := configFlag(f, "the configuration; embedded defaults without it")
	demo := f.Bool("demo", false, "play a made-up morning of both services, to standard output: of a configuration it takes "+
		"what decides, and leaves its inputs, targets and data_dir alone")
	rest, err := parse(f, args)
	if err != nil {
		return help(err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: run takes no arguments, found %q", errUsage, rest[0])
	}
	c, err := load(*path)
	if err != nil {
		return err
	}
	log := newLog(stderr)
	quiet(log)
	if *demo {
		return runDemo(ctx, c, *path != "", stdout, log)
	}
	if err := warn(*path, log); err != nil {
		return err
	}
	defer surviveHangups(log)()
	g, err := openOrStop(ctx, func() (*gateway.Gateway, error) { return open(ctx, c, stdout, log, nil) })
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		log.Info("stopped before it had started", "during", err)
		return nil // as it was told
	}
	if err != nil {
		return err
	}
	if c.Model.Enabled {
		// The model may fill one of Go's processors for minutes. With one more the kernel shares out the real ones, and
		// wakes what forwards at once; Go would let it wait for ten milliseconds.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	running, stop := context.WithCancel(ctx)
	var sparing sync.WaitGroup
	defer sparing.Wait()
	defer stop()
	sparing.Go(func() { spareMemory(running) })
	return g.Run(ctx)
}

// patience is how long a start that was told to stop may take to close what it has opened.
const patience = 20 * time.Second

// openOrStop waits for open, but not for one that ctx should end and that hangs, in a library or a file system: that ends with
// the process, which harms no more than kill -9.
func openOrStop(ctx context.Context, open func() (*gateway.Gateway, error)) (*gateway.Gateway, error) {
	type opened struct {
		g   *gateway.Gateway
		err error
	}
	done := make(chan opened, 1)
	go func() {
		g, err := open()
		done <- opened{g, err}
	}()
	var late <-chan time.Time
	stop := ctx.Done()
	for {
		select {
		case o := <-done:
			return o.g, o.err
		case <-stop:
			stop, late = nil, time.After(patience)
		case <-late:
			return nil, fmt.Errorf("what was being opened didn't end in %s: %w", patience, context.Cause(ctx))
		}
	}
}

// surviveHangups makes of SIGHUP what it is for a daemon: whoever renames its files, such as logrotate, wants
// them opened anew. A file target looks at its path before each batch, so that nothing else is to be done.
func surviveHangups(log *slog.Logger) (stop func()) {
	if signal.Ignored(syscall.SIGHUP) { // by nohup
		return func() {}
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			log.Info("SIGHUP: a file that was renamed is opened anew with the next event")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

// open makes a gateway.
func open(ctx context.Context, c config.Config, stdout io.Writer, log *slog.Logger, decided func(gateway.Decided)) (*gateway.Gateway, error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	host, err := os.Hostname()
	if err != nil {
		host = "sluice"
	}
	return gateway.New(ctx, gateway.Options{
		Config: c, Log: log, Metrics: reg, Gatherer: reg, Stdout: stdout, Hostname: host, Decided: decided,
	})
}

// warn tells at the start what this machine lacks, for a file target tells only with its first event.
func warn(path string, log *slog.Logger) error {
	if path == "" {
		return nil
	}
	lacking, err := config.Machine(path)
	for _, p := range lacking {
		log.Warn("the configuration names what this machine lacks", "problem", p.Error())
	}
	return err
}

// quiet makes lines for who looks for faults of what libraries log by themselves. net/http does so of a receiver that says
// more than it announced: a line for each answer, in the receiver's words.
func quiet(log *slog.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer())
}

// newLog writes text where a person reads it, and JSON elsewhere.
func newLog(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(slog.NewTextHandler(w, nil))
		}
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

// help turns the wish for help, which has been fulfilled, into success.
func help(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}
