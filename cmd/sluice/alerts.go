package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

const alertsUsage = `[list] | show ID | history ID | export
    close ID...|--filter F --why WHY | reopen ID...|--filter F | assign ID...|--filter F --to WHOM
    comment ID...|--filter F --text TEXT | mark ID...|--filter F | undo ACT | forward ID EVENT-KEY`

// alerts is "sluice alerts": the queue, and what is done to it.
func alerts(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, a := newFlags("alerts", alertsUsage, stderr), asked{}
	f.StringVar(&a.filter, "filter", "", "which, such as 'severity >= medium and user contains alice'")
	f.StringVar(&a.sort, "sort", "", "-time, time, -severity or first_seen")
	f.StringVar(&a.format, "format", "ndjson", "csv or ndjson")
	f.StringVar(&a.in, "in", "", "the service; the one that manages each without it")
	f.StringVar(&a.why, "why", "", "true_positive, benign or false_positive")
	f.StringVar(&a.comment, "comment", "", "a comment")
	f.StringVar(&a.to, "to", "", "whom; nobody without it")
	f.StringVar(&a.text, "text", "", "the text")
	f.IntVar(&a.limit, "limit", 50, "how many")
	f.BoolVar(&a.all, "all", false, "every one")
	f.BoolVar(&a.unread, "unread", false, "as unread")
	a.takes("list", "filter", "sort", "limit", "all")
	a.takes("export", "filter", "format")
	a.takes("close", "filter", "in", "why", "comment")
	a.takes("reopen", "filter", "in", "comment")
	a.takes("assign", "filter", "to")
	a.takes("comment", "filter", "text")
	a.takes("mark", "filter", "unread")
	a.takes("forward", "comment")
	s, rest, err := newAsker(f, &a, args, stdout)
	if err != nil {
		return help(err)
	}
	verb, rest := verbOf(rest)
	if found, err := s.alert(ctx, &a, verb, rest); found {
		return err
	}
	return fmt.Errorf("%w: alerts %s", errUsage, alertsUsage)
}

// verbOf takes the verb of a command; list where there is none.
func verbOf(args []string) (string, []string) {
	if len(args) == 0 {
		return "list", nil
	}
	return args[0], args[1:]
}

// alert does what is asked; false where the arguments fit nothing.
func (s *asker) alert(ctx context.Context, a *asked, verb string, ids []string) (bool, error) {
	switch {
	case verb == "list" && len(ids) == 0:
		return true, pages(ctx, s, "/alerts", a, []string{"filter", a.filter}, "LAST SEEN (UTC)\tSEVERITY\tSTATUS\tMANAGED IN\tTITLE\tUSERS\tID", alertRow)
	case verb == "export" && len(ids) == 0:
		return true, s.stream(ctx, "/alerts/export"+params("filter", a.filter, "format", a.format))
	case verb == "show" && len(ids) == 1:
		return true, s.print(ctx, "/alerts/"+url.PathEscape(ids[0]))
	case verb == "history" && len(ids) == 1:
		return true, s.history(ctx, ids[0])
	case verb == "undo" && len(ids) == 1:
		return true, s.act(ctx, "/alerts/undo", map[string]string{"act": ids[0]}, "undone")
	case verb == "forward" && len(ids) == 2:
		path := "/alerts/" + url.PathEscape(ids[0]) + "/notifications/" + url.PathEscape(ids[1]) + "/forward"
		return true, s.act(ctx, path, map[string]string{"why": a.comment}, "forwarded after all")
	case (len(ids) > 0) != (a.filter != ""):
		return s.manage(ctx, a, verb, ids)
	}
	return false, nil
}

// manage does one thing to several alerts.
func (s *asker) manage(ctx context.Context, a *asked, verb string, ids []string) (bool, error) {
	send := map[string]any{}
	if len(ids) > 0 {
		send["alerts"] = ids
	} else {
		send["filter"] = a.filter
	}
	set := func(key, value string) {
		if value != "" {
			send[key] = value
		}
	}
	done := map[string]string{"close": "closed", "reopen": "open again", "assign": "assigned", "comment": "commented", "mark": "marked"}[verb]
	switch verb {
	case "close":
		if a.why == "" {
			return true, fmt.Errorf("%w: close needs --why true_positive, benign or false_positive", errUsage)
		}
		set("in", a.in)
		set("classification", a.why)
		set("comment", a.comment)
	case "reopen":
		set("in", a.in)
		set("comment", a.comment)
	case "assign":
		send["to"] = a.to
	case "comment":
		send["text"] = a.text
	case "mark":
		send["read"] = !a.unread
	default:
		return false, nil
	}
	return true, s.act(ctx, "/alerts/"+verb, send, done)
}

// alertLine is what a list shows of an alert.
type alertLine struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"`
	Title     string    `json:"title"`
	Severity  string    `json:"severity"`
	ManagedIn string    `json:"managed_in"`
	Last      time.Time `json:"last_seen"`
	Drift     time.Time `json:"drift_since"`
	Users     []struct {
		User    string `json:"user"`
		Display string `json:"display"`
	} `json:"users"`
}

func alertRow(w io.Writer, l *alertLine) {
	status := l.Status
	if !l.Drift.IsZero() {
		status += ", drift"
	}
	var users, seen []string
	for _, u := range l.Users {
		if !slices.Contains(seen, u.User) { // or it is the same one in the other service's spelling
			users, seen = append(users, u.Display), append(seen, u.User)
		}
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Last.UTC().Format(time.DateTime), l.Severity, status, l.ManagedIn,
		cell(l.Title), cell(strings.Join(users, ", ")), l.ID)
}

func (s *asker) history(ctx context.Context, id string) error {
	var lines []struct {
		Act  string    `json:"act"`
		Time time.Time `json:"time"`
		By   string    `json:"by"`
		Text string    `json:"text"`
	}
	if err := s.do(ctx, "GET", "/alerts/"+url.PathEscape(id)+"/history", nil, &lines); err != nil || s.operator.json {
		return err
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(s.operator.out, "%s  %s: %s (act %s)\n", l.Time.UTC().Format(time.DateTime), oneLine(l.By), oneLine(l.Text), l.Act); err != nil {
			return err
		}
	}
	return nil
}
