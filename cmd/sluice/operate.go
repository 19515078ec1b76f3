package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
)

// operator asks the running gateway for something.
type operator struct {
	client http.Client
	config config.Config
	out    io.Writer
	json   bool // print the answer as it is
}

// errDown says that no gateway runs.
var errDown = errors.New("no gateway runs")

// newOperator reads the flags that every such command has, and gives the other arguments.
func newOperator(f *flag.FlagSet, args []string, stdout io.Writer) (*operator, []string, error) {
	path := configFlag(f, "the gateway's configuration; embedded defaults without it")
	asJSON := f.Bool("json", false, "print JSON")
	rest, err := parse(f, args)
	if err != nil {
		return nil, nil, err
	}
	c, err := settings(*path)
	if err != nil {
		return nil, nil, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return gateway.DialControl(ctx, c.DataDir) }
	client := http.Client{Transport: &http.Transport{DialContext: dial}}
	return &operator{client: client, config: c, out: stdout, json: *asJSON}, rest, nil
}

// ask sends a request and decodes the answer.
func (o *operator) ask(ctx context.Context, method, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, nil)
	if err != nil {
		return err
	}
	response, err := o.client.Do(r)
	if err != nil {
		return o.unanswered(err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		if json.Unmarshal(body, &problem) != nil || problem.Detail == "" {
			problem.Detail = response.Status
		}
		return errors.New(problem.Detail)
	}
	if o.json {
		if _, err := o.out.Write(body); err != nil {
			return err
		}
	}
	return json.Unmarshal(body, into)
}

// unanswered says why nobody answers, and what to do.
func (o *operator) unanswered(err error) error {
	dir := o.config.DataDir
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w with data_dir %s: start it, or name the configuration that it runs with by --config", errDown, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not ask the gateway with data_dir %s: run this as the gateway's user", dir)
	}
	return fmt.Errorf("the gateway with data_dir %s doesn't answer: %w", dir, errors.Unwrap(err))
}

func reconcile(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, rest, err := newOperator(newFlags("reconcile", "[--config FILE] [--json]", stderr), args, stdout)
	if err != nil {
		return help(err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: reconcile takes no arguments, found %q", errUsage, rest[0])
	}
	var r gateway.Report
	err = o.ask(ctx, http.MethodGet, "/reconcile", &r)
	if errors.Is(err, errDown) {
		r, err = o.reconcileFiles(ctx, stderr)
	}
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	if !o.json {
		if err := writeReport(stdout, &r); err != nil {
			return err
		}
	}
	if len(r.Unequal)+len(r.Lost) > 0 {
		return errProblems
	}
	return nil
}

// reconcileFiles accounts from the files of a gateway that doesn't run.
func (o *operator) reconcileFiles(ctx context.Context, stderr io.Writer) (gateway.Report, error) {
	dir := o.config.DataDir
	r, err := gateway.ReconcileStore(ctx, o.config, newLog(stderr))
	if err != nil {
		return r, fmt.Errorf("%w with data_dir %s, and its files give no account: %w\n"+
			"Name the configuration that it runs with by --config, look at the files with \"sluice store check\", or start it: that mends what can be mended",
			errDown, dir, err)
	}
	_, _ = fmt.Fprintf(stderr, "sluice: no gateway runs with data_dir %s; this is the account of its files\n", dir)
	if o.json {
		err = json.NewEncoder(o.out).Encode(r)
	}
	return r, err
}

func writeReport(out io.Writer, r *gateway.Report) error {
	const hour = "2006-01-02 15:04"
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "HOUR (UTC)\tSERVICE\tRECEIVED\t=\tFORWARDED\tSUPPRESSED\tDROPPED\tHELD")
	for _, l := range r.Stream {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t\t%d\t%d\t%d\t%d\n", l.Hour.Format(hour), l.Service,
			l.Terms["received"], l.Terms["forwarded"], l.Terms["suppressed"], l.Terms["dropped"], l.Terms["held"])
	}
	for _, t := range r.Targets {
		_, _ = fmt.Fprintf(w, "\nTARGET %s\nHOUR (UTC)\tSERVICE\tFORWARDED\t=\tDELIVERED\tFILTERED\tQUEUED\tDEAD-LETTERED\n", t.Target)
		for _, l := range t.Lines {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t\t%d\t%d\t%d\t%d\n", l.Hour.Format(hour), l.Service,
				l.Terms["forwarded"], l.Terms["delivered"], l.Terms["filtered"], l.Terms["queued"], l.Terms["dead_lettered"])
		}
	}
	_, _ = fmt.Fprintln(w)
	for _, u := range r.Unequal {
		left, right := "received", "forwarded + suppressed + dropped + held"
		if u.Target != "" {
			left, right = "forwarded", "delivered + filtered + queued + dead-lettered at target "+u.Target
		}
		link, sum := "but", strconv.FormatInt(u.Right, 10)
		if u.Left == u.Right {
			link, sum = "and", "as many, but not the same ones"
		}
		_, _ = fmt.Fprintf(w, "UNEQUAL %s %s: %d %s, %s %s is %s\n", u.Hour.Format(hour), u.Service, u.Left, left, link, right, sum)
		for _, e := range u.Events {
			event := "" // of what can't be named
			if e.Key != "" {
				event = "event " + e.Key + ": "
			}
			_, _ = fmt.Fprintf(w, "  %s%s\n", event, e.Why)
		}
	}
	for _, l := range r.Lost {
		entries := "an unknown number of"
		if l.Entries > 0 {
			entries = strconv.FormatUint(l.Entries, 10)
		}
		_, _ = fmt.Fprintf(w, "LOST batches %d to %d with %s entries, noticed %s: a file of the stream was damaged, and no equation speaks of them\n",
			l.First, l.Last, entries, l.Noticed.UTC().Format(time.DateTime))
	}
	switch {
	case len(r.Unequal) > 0:
	case len(r.Lost) > 0:
		_, _ = fmt.Fprintf(w, "equal: every equation holds of what is not lost\n")
	default:
		_, _ = fmt.Fprintf(w, "equal: every equation holds\n")
	}
	return w.Flush()
}

const deadletterUsage = "list [TARGET] | show TARGET ID | retry TARGET ID|--all | drop TARGET ID|--all"

func deadletter(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("deadletter", deadletterUsage+" [--config FILE] [--json]", stderr)
	all := f.Bool("all", false, "retry or drop every dead letter of the target")
	o, rest, err := newOperator(f, args, stdout)
	if err != nil {
		return help(err)
	}
	verb := ""
	if len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	switch {
	case verb == "list" && len(rest) <= 1:
		return o.list(ctx, append(rest, "")[0])
	case verb == "show" && len(rest) == 2:
		return o.show(ctx, rest[0], rest[1])
	case (verb == "retry" || verb == "drop") && (len(rest) == 2 && !*all || len(rest) == 1 && *all):
		return o.each(ctx, verb, rest[0], rest[1:])
	}
	return fmt.Errorf("%w: deadletter %s", errUsage, deadletterUsage)
}

func (o *operator) letters(ctx context.Context, target string) ([]gateway.LetterLine, error) {
	var lines []gateway.LetterLine
	err := o.ask(ctx, http.MethodGet, "/deadletters?target="+url.QueryEscape(target), &lines)
	return lines, err
}

func (o *operator) list(ctx context.Context, target string) error {
	lines, err := o.letters(ctx, target)
	if err != nil || o.json {
		return err
	}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TARGET\tID\tREFUSED\tTIMES\tSERVICE\tTITLE\tREPLY")
	for _, l := range lines {
		if l.Damaged != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\t\t\t\t\tdamaged: %s\n", l.Target, l.ID, oneLine(l.Damaged))
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", l.Target, l.ID, l.Refused.UTC().Format(time.DateTime),
			l.Attempts, l.Service, cell(l.Title), oneLine(l.Reply))
	}
	return w.Flush()
}

// oneLine keeps what senders and targets wrote from moving the cursor of a terminal, and from turning round what
// stands behind it.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r): // U+0080 to U+009F, too, which terminals obey as they do ESC
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// cell is text in a column of a table, which one that is long would push out of everybody's sight.
func cell(s string) string {
	const widest = 100
	if r := []rune(s); len(r) > widest {
		s = string(r[:widest]) + "…"
	}
	return oneLine(s)
}

// escaped is JSON in which what a terminal obeys is an escape, and means the same.
func escaped(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r >= 0x7f && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) { // encoding/json has escaped the others
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func letterPath(target, id string) string {
	return "/deadletters/" + url.PathEscape(target) + "/" + url.PathEscape(id)
}

func (o *operator) show(ctx context.Context, target, id string) error {
	o.json = true
	var any json.RawMessage
	return o.ask(ctx, http.MethodGet, letterPath(target, id), &any)
}

// each retries or drops one dead letter, or all of the target. It goes on behind one that fails, and
// says so.
func (o *operator) each(ctx context.Context, verb, target string, ids []string) error {
	if len(ids) == 0 {
		quiet := *o
		quiet.json = false
		lines, err := quiet.letters(ctx, target)
		if err != nil {
			return err
		}
		for _, l := range lines {
			ids = append(ids, l.ID)
		}
	}
	method, suffix, done := http.MethodPost, "/retry", "delivered"
	if verb == "drop" {
		method, suffix, done = http.MethodDelete, "", "dropped"
	}
	failed := false
	for _, id := range ids {
		var l gateway.LetterLine
		text := done
		if err := o.ask(ctx, method, letterPath(target, id)+suffix, &l); err != nil {
			failed, text = true, oneLine(err.Error())
		}
		if !o.json {
			_, _ = fmt.Fprintf(o.out, "%s %s: %s\n", target, id, text)
		}
	}
	if failed {
		return errProblems
	}
	return nil
}
