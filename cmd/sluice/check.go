package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
)

// What check assumes where nobody says how much comes in.
const (
	usualRate   = 100 // messages in a second
	usualAlerts = 1   // of a hundred
)

// check says everything that is wrong with a configuration. What only this machine lacks for it is told, and
// is no problem of it: configurations are checked in reviews and by other users than the gateway's.
func check(args []string, stdout, stderr io.Writer) error {
	f := newFlags("check", "--config FILE [--rate N/s] [--alerts PERCENT]", stderr)
	path := configFlag(f, "the configuration")
	load := gateway.Load{Rate: usualRate, Alerts: usualAlerts / 100.0}
	f.Func("rate", fmt.Sprintf("messages that come in, on the average of days, such as %d/s (the default)", usualRate), func(s string) error {
		return parseRate(s, &load.Rate)
	})
	f.Func("alerts", fmt.Sprintf("how many of a hundred of them speak of alerts (default %d); the others are activities", usualAlerts), func(s string) error {
		return parsePercent(s, &load.Alerts)
	})
	rest, err := parse(f, args)
	if err != nil {
		return help(err)
	}
	if *path == "" || len(rest) > 0 {
		return fmt.Errorf("%w: check --config FILE", errUsage)
	}
	c, err := config.Load(*path)
	if problems, ok := errors.AsType[config.Errors](err); ok {
		for _, p := range problems {
			if _, err := fmt.Fprintln(stderr, p.Error()); err != nil {
				return err
			}
		}
		return errProblems
	}
	if err != nil {
		return err
	}
	lacking, err := config.Machine(*path)
	if err != nil {
		return err
	}
	verdict := "no problems"
	if len(lacking) > 0 {
		verdict = "no problems, but this machine lacks what it names, as told on standard error"
	}
	for _, p := range lacking {
		if _, err := fmt.Fprintln(stderr, p.Error()); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(stdout, "%s: %s\n", *path, verdict); err != nil {
		return err
	}
	if err := writeRoute(stdout, c); err != nil {
		return err
	}
	if err := writeAccess(stdout, c); err != nil {
		return err
	}
	return writeNeed(stdout, c, load)
}

// writeAccess says who would get what.
func writeAccess(out io.Writer, c config.Config) error {
	if _, err := fmt.Fprintln(out, "\nWho may what, by the first line that fits:"); err != nil {
		return err
	}
	for _, line := range gateway.Access(c) {
		if _, err := fmt.Fprintf(out, "  %s.\n", line); err != nil {
			return err
		}
	}
	return nil
}

func parseRate(s string, into *float64) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64)
	if err != nil || !(n > 0) || n > 1e6 {
		return errors.New("want messages in a second, such as 100/s, and at most 1000000/s")
	}
	*into = n
	return nil
}

func parsePercent(s string, into *float64) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return errors.New("want a number from 0 to 100")
	}
	*into = n / 100
	return nil
}

// writeRoute says what each part of the way guarantees.
func writeRoute(out io.Writer, c config.Config) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nEvery input leads through the stream to every target. What is guaranteed on the way, and what can be lost or doubled:")
	plain := strings.NewReplacer("`", "")
	for _, l := range gateway.Route(c) {
		what := l.Role + " " + l.Name
		if l.Name == "" {
			what = l.Part
		}
		if l.Via != "" {
			what += " (" + l.Via + ")"
		}
		_, _ = fmt.Fprintf(w, "  %s\tguaranteed: %s. %s.\n", plain.Replace(what), plain.Replace(l.Kept), plain.Replace(atRisk(l.Lost)))
		if l.Note != "" {
			_, _ = fmt.Fprintf(w, "  \twarning: %s.\n", plain.Replace(l.Note))
		}
	}
	return w.Flush()
}

// atRisk makes a sentence of what can be lost or doubled.
func atRisk(what string) string {
	if rest, ok := strings.CutPrefix(what, "doubled"); ok {
		return "Can be doubled" + rest
	}
	return "Can be lost: " + what
}

// writeNeed says what a load needs.
func writeNeed(out io.Writer, c config.Config, load gateway.Load) error {
	n := gateway.NeedOf(c, load)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "\nAt %s messages/s of some 600 bytes, %s %% of them of alerts and the others activities (--rate, --alerts):\n",
		number(load.Rate), number(100*load.Alerts))
	kept := fmt.Sprintf("stream.retention of %s", long(c.Stream.Retention))
	if n.Kept < c.Stream.Retention {
		kept = fmt.Sprintf("%s, not the stream.retention of %s: what all targets have goes earlier, to stay below stream.max_disk of %s",
			long(n.Kept), long(c.Stream.Retention), c.Stream.MaxDisk)
	}
	_, _ = fmt.Fprintf(w, "  stream\t%s\t%s\n", size(n.Stream), kept)
	remembered := long(c.Dedup.Remember.Activities)
	if n.Remembered < c.Dedup.Remember.Activities {
		remembered = fmt.Sprintf("%s, not %s: of so many the oldest are forgotten earlier, and forwarded again if they are sent again",
			long(n.Remembered), remembered)
	}
	_, _ = fmt.Fprintf(w, "  state\t%s\tdedup.remember: alerts %s, activities %s\n", size(n.State), long(c.Dedup.Remember.Alerts), remembered)
	_, _ = fmt.Fprintf(w, "  checkpoint\t%s\ta copy of the state\n", size(n.Checkpoint()))
	writeModelNeed(w, c, n)
	_, _ = fmt.Fprintf(w, "  disk in all\t%s\tstream, twice the state, for what is over and not cleaned up yet, twice the checkpoint, while it is replaced, "+
		"models, and what has to stay free\n", size(n.Disk()))
	_, _ = fmt.Fprintf(w, "  memory\t%s\tat most, in a flood, with a table of the activities that are remembered; the system keeps of the files what it has room for\n", size(n.Memory))
	_, _ = fmt.Fprintf(w, "  a target may be down for\t%s\tthen stream.max_disk of %s is reached, and senders wait\n", long(n.Buffer), c.Stream.MaxDisk)
	return w.Flush()
}

// writeModelNeed says what the models need.
func writeModelNeed(out io.Writer, c config.Config, n gateway.Need) {
	if !c.Model.Enabled {
		return
	}
	shown := long(c.Model.Retention.Activities)
	switch {
	case n.Shown == 0:
		shown = fmt.Sprintf("none, as alerts alone take more than model.max_disk of %s", c.Model.MaxDisk)
	case n.Shown < c.Model.Retention.Activities:
		shown = fmt.Sprintf("%s, not %s: the oldest make room, to stay below model.max_disk of %s", long(n.Shown), shown, c.Model.MaxDisk)
	}
	_, _ = fmt.Fprintf(out, "  model\t%s\tmodel.retention: alerts %s, activities %s\n", size(n.Model), long(c.Model.Retention.Alerts), shown)
	_, _ = fmt.Fprintf(out, "  its snapshots\t%s\ta copy of the last day, and the one that replaces it\n", size(n.Snapshots()))
	if n.Views > 0 {
		_, _ = fmt.Fprintf(out, "  limited roles\t%s\tat most: models and snapshots of the %d limits in access.roles; limits of tokens come on top\n",
			size(int64(n.Views)*(n.Model+n.Snapshots())), n.Views)
	}
}

// number writes as few digits as a number needs.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// size writes a size as people do, with two digits or three.
func size(n int64) string {
	f, unit := float64(n)/(1<<20), "MiB"
	for _, u := range []string{"GiB", "TiB", "PiB"} {
		if f >= 1000 {
			f, unit = f/1024, u
		}
	}
	if f < 9.95 { // what isn't 10 with one digit
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}

// long writes a duration of hours in days where it has many, without what doesn't matter beside them.
func long(d time.Duration) string {
	switch h := d.Hours(); {
	case h >= 10*365*24:
		return "more than 10 years"
	case h > 72:
		return number(math.Floor(h/24*10)/10) + "d"
	case h >= 10:
		return number(math.Floor(h*10)/10) + "h"
	}
	return d.Round(time.Second).String()
}
