package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/gateway"
)

// trialTime is how long a target may take for one event, which is more than any of its timeouts that matter.
const trialTime = time.Minute

// targetCommand is "sluice target test NAME".
func targetCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("target", "test NAME [--config FILE]", stderr)
	path := configFlag(f, "the configuration; embedded defaults without it")
	rest, err := parse(f, args)
	if err != nil {
		return help(err)
	}
	if len(rest) != 2 || rest[0] != "test" {
		return fmt.Errorf("%w: want target test NAME", errUsage)
	}
	c, err := load(*path)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "sluice"
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	trial, err := gateway.TryTarget(ctx, gateway.Options{Config: c, Log: newLog(stderr), Stdout: stdout, Hostname: host}, rest[1])
	if err != nil {
		return err
	}
	return tellTrial(stdout, rest[1], trial)
}

// tellTrial says in words what came back.
func tellTrial(out io.Writer, name string, t gateway.Trial) error {
	took := t.Took.Round(time.Millisecond)
	if t.Delivered {
		_, err := fmt.Fprintf(out, "target %s took the test event in %v; find it there by its event key %s\n", name, took, t.Key)
		return err
	}
	word, hint := "didn't take it", "This may pass by itself: a gateway would try again for ever."
	switch {
	case t.Refused:
		word, hint = "refuses this event for good", "A gateway would keep such events as dead letters: see \"sluice deadletter\"."
	case t.Blocked:
		word, hint = "takes nothing until somebody mends it", "A gateway would keep everything for it, raise sluice_target_blocked and try every two minutes."
	case t.After > 0:
		word, hint = "asks to come again later", fmt.Sprintf("A gateway would wait %v, and try again.", t.After)
	}
	if _, err := fmt.Fprintf(out, "target %s %s (after %v)\n  %s\n%s\n", name, word, took, inWords(t), hint); err != nil {
		return err
	}
	return errProblems
}

// inWords is why a target didn't take the event, without what only Go's own errors call so.
func inWords(t gateway.Trial) string {
	if t.Err == nil {
		return "it gave no reason"
	}
	silent := fmt.Sprintf("no answer within %v", t.Took.Round(100*time.Millisecond))
	text := t.Err.Error()
	for _, own := range []struct {
		err   error
		words string
	}{
		{context.DeadlineExceeded, silent},
		{os.ErrDeadlineExceeded, silent},
		{context.Canceled, "interrupted"},
		{io.ErrUnexpectedEOF, "the connection was closed in the middle of an answer"},
		{io.EOF, "the connection was closed without an answer"},
	} {
		if errors.Is(t.Err, own.err) {
			text = strings.ReplaceAll(text, own.err.Error(), own.words)
		}
	}
	return text
}
