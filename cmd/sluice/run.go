package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
)

func runGateway(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("run", "[--config FILE] [--demo]", stderr)
	path := f.String("config", "", "the configuration; embedded defaults without it")
	demo := f.Bool("demo", false, "play a made-up morning of both services through the gateway's own sockets")
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
	if *demo {
		c = demoConfig(c, *path != "")
		if *path == "" {
			defer func() { _ = os.RemoveAll(c.DataDir) }() // it was made for this demo
		}
	}
	log := newLog(stderr)
	if err := warn(*path, log); err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	host, err := os.Hostname()
	if err != nil {
		host = "sluice"
	}
	g, err := gateway.New(ctx, gateway.Options{
		Config: c, Log: log, Metrics: reg, Gatherer: reg, Stdout: stdout, Hostname: host,
	})
	if err != nil {
		return err
	}
	if *demo {
		playing, stop := context.WithCancel(ctx)
		defer stop()
		done := make(chan error, 1)
		go func() { done <- play(playing, g.Listeners(), log) }()
		defer func() {
			stop()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				log.Error("the demo ended early", "err", err)
			}
		}()
	}
	return g.Run(ctx)
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
