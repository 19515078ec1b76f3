package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
)

// verdict is one line of replay's output.
type verdict struct {
	Line           int     `json:"line"`
	Kind           string  `json:"kind"`
	Service        string  `json:"service"`
	NotificationID *string `json:"notification_id"`
	AlertID        *string `json:"alert_id"`
	Decision       string  `json:"decision"`
	Reason         string  `json:"reason"`
	MatchedBy      any     `json:"matched_by"`
}

// message is a captured message with its arrival.
type message struct {
	raw []byte
	at  time.Time
}

func replay(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	f := newFlags("replay", "[--config FILE] [--arrivals FILE]... [--truth FILE]... [--scores FILE] LOG...", stderr)
	path := configFlag(f, "the configuration; embedded defaults without it")
	var arrivals, truths files
	f.Var(&arrivals, "arrivals", "arrival times, one RFC 3339 time a line; one file for each LOG")
	f.Var(&truths, "truth", "the true alerts, one JSON object a line; one file for each LOG")
	scores := f.String("scores", "", "write the users' investigation priority there, a JSON object a line for each user and day")
	logs, err := parse(f, args)
	switch {
	case err != nil:
		return help(err)
	case len(logs) == 0:
		return fmt.Errorf("%w: replay: no LOG named; - is standard input", errUsage)
	case len(arrivals) > 0 && len(arrivals) != len(logs):
		return fmt.Errorf("%w: replay: %d --arrivals for %d LOG: want one for each", errUsage, len(arrivals), len(logs))
	case len(truths) > 0 && len(truths) != len(logs):
		return fmt.Errorf("%w: replay: %d --truth for %d LOG: want one for each", errUsage, len(truths), len(logs))
	}
	c, err := load(*path)
	if err != nil {
		return err
	}
	messages, err := readMessages(logs, arrivals, stdin)
	if err != nil {
		return err
	}
	if len(arrivals) == 0 {
		_, _ = fmt.Fprintln(stderr, "sluice: no --arrivals: the clock is the greatest time of a syslog header so far; "+
			"Cloud App Security writes the event's time there, so holds and windows may come out otherwise than they did")
		guessArrivals(messages)
	}
	r, err := gateway.NewReplay(c)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // in memory
	finish := func() error { return nil }
	if *scores != "" {
		if finish, err = writeScores(r, c, *scores); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if ctx.Err() != nil {
			return errors.New("replay: broken off")
		}
		if err := r.Message(m.raw, m.at); err != nil {
			return err
		}
	}
	lines, err := r.Finish()
	if err := errors.Join(err, finish()); err != nil {
		return err
	}
	if err := writeVerdicts(stdout, lines); err != nil || len(truths) == 0 {
		return err
	}
	return judge(lines, truths, stderr)
}

// readMessages reads the logs, whose messages end with LF and nothing else, and their arrivals.
func readMessages(logs, arrivals []string, stdin io.Reader) ([]message, error) {
	var out []message
	for i, name := range logs {
		data, err := readInput(name, stdin)
		if err != nil {
			return nil, err
		}
		var lines [][]byte
		if len(data) > 0 {
			lines = bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
		}
		times := make([]time.Time, len(lines))
		if len(arrivals) > 0 {
			if times, err = readTimes(arrivals[i], len(lines)); err != nil {
				return nil, err
			}
		}
		for j, line := range lines {
			out = append(out, message{line, times[j]})
		}
	}
	return out, nil
}

func readInput(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

func readTimes(name string, want int) ([]time.Time, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var out []time.Time
	for line := range bytes.Lines(data) {
		t, err := time.Parse(time.RFC3339, string(bytes.TrimSpace(line)))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, len(out)+1, err)
		}
		out = append(out, t)
	}
	if len(out) != want {
		return nil, fmt.Errorf("%s: %d times for %d messages", name, len(out), want)
	}
	return out, nil
}

// guessArrivals sets each arrival to the greatest header time so far. Headers without a year are read
// near the first one that has one, so that every run says the same.
func guessArrivals(messages []message) {
	plausible := func(t time.Time) bool { return t.Year() > 1990 }
	reference := time.Unix(0, 0).UTC()
	for _, m := range messages {
		if t := gateway.HeaderTime(m.raw, reference); plausible(t) {
			reference = t
			break
		}
	}
	for i, m := range messages {
		if t := gateway.HeaderTime(m.raw, reference); plausible(t) && t.After(reference) {
			reference = t
		}
		messages[i].at = reference
	}
}

func writeVerdicts(w io.Writer, lines []gateway.Verdict) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for i, v := range lines {
		line := verdict{
			Line: i + 1, Kind: string(v.Kind), Service: string(v.Service), NotificationID: optional(v.NotificationID),
			AlertID: optional(string(v.Alert)), Decision: v.Decision(), Reason: string(v.Reason), MatchedBy: v.Evidence,
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// writeScores has the scores written to a file, which finish completes.
func writeScores(r *gateway.Replay, c config.Config, name string) (finish func() error, err error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(file)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	finish = func() error { return errors.Join(out.Flush(), file.Close()) }
	if err := r.Score(c, func(s gateway.UserScore) error { return enc.Encode(s) }); err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return finish, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
