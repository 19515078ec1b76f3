package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

const activitiesUsage = "[list] | show KEY | export"

// activities is "sluice activities": the activity log.
func activities(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, a := newFlags("activities", activitiesUsage, stderr), asked{}
	f.StringVar(&a.filter, "filter", "", "which, such as 'action = login and failed = yes and time >= -24h'")
	f.StringVar(&a.sort, "sort", "", "-time or time")
	f.StringVar(&a.format, "format", "ndjson", "csv or ndjson")
	f.IntVar(&a.limit, "limit", 50, "how many")
	f.BoolVar(&a.all, "all", false, "every one")
	a.takes("list", "filter", "sort", "limit", "all")
	a.takes("export", "filter", "format")
	s, rest, err := newAsker(f, &a, args, stdout)
	if err != nil {
		return help(err)
	}
	switch verb, rest := verbOf(rest); {
	case verb == "list" && len(rest) == 0:
		return pages(ctx, s, "/activities", &a, []string{"filter", a.filter}, activityHeader, activityRow)
	case verb == "export" && len(rest) == 0:
		return s.stream(ctx, "/activities/export"+params("filter", a.filter, "format", a.format))
	case verb == "show" && len(rest) == 1:
		return s.print(ctx, "/activities/"+url.PathEscape(rest[0]))
	}
	return fmt.Errorf("%w: activities %s", errUsage, activitiesUsage)
}

const activityHeader = "TIME (UTC)\tKIND\tAPPLICATION\tUSER\tIP\tWHAT\tKEY"

// activityLine is what a list shows of an activity.
type activityLine struct {
	Key     string    `json:"key"`
	Kind    string    `json:"kind"`
	Time    time.Time `json:"time"`
	App     string    `json:"application"`
	Title   string    `json:"title"`
	Type    string    `json:"type"`
	Message string    `json:"message"`
	IPs     []string  `json:"ips"`
	User    *struct {
		Spelling string `json:"spelling"`
	} `json:"user"`
}

func activityRow(w io.Writer, l *activityLine) {
	user, what := "", l.Message
	if l.User != nil {
		user = l.User.Spelling
	}
	for _, s := range []string{l.Title, l.Type} {
		if what == "" {
			what = s
		}
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Time.UTC().Format(time.DateTime), l.Kind, cell(l.App), cell(user),
		cell(strings.Join(l.IPs, ", ")), cell(what), l.Key)
}

const usersUsage = "[list] | show ID | score ID | reset ID --why TEXT | timeline ID | tag ID [TAG...] | join ID --with ID | split ID SPELLING..."

// users is "sluice users": the people, whatever they are called.
func users(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, a := newFlags("users", usersUsage, stderr), asked{}
	f.StringVar(&a.filter, "filter", "", "which, such as 'user contains anna and tag = admin' or 'percentile >= 90', and of a timeline 'kind = alert'")
	f.StringVar(&a.sort, "sort", "", "-time or time; a list also display, -display, score or -score")
	f.StringVar(&a.with, "with", "", "the user who becomes part of this one")
	f.StringVar(&a.why, "why", "", "why what happened so far is to count no more")
	f.IntVar(&a.limit, "limit", 50, "how many")
	f.BoolVar(&a.all, "all", false, "every one")
	a.takes("list", "filter", "sort", "limit", "all")
	a.takes("timeline", "filter", "sort", "limit", "all")
	a.takes("join", "with")
	a.takes("reset", "why")
	s, rest, err := newAsker(f, &a, args, stdout)
	if err != nil {
		return help(err)
	}
	verb, rest := verbOf(rest)
	path := ""
	if len(rest) > 0 {
		path = "/users/" + url.PathEscape(rest[0])
	}
	switch {
	case verb == "list" && len(rest) == 0:
		return pages(ctx, s, "/users", &a, []string{"filter", a.filter}, "LAST SEEN (UTC)\tUSER\tSCORE\tPERCENTILE\tDEPARTMENT\tTAGS\tNAMES\tID", userRow)
	case verb == "show" && len(rest) == 1:
		return s.print(ctx, path)
	case verb == "score" && len(rest) == 1:
		return s.score(ctx, path)
	case verb == "reset" && len(rest) == 1 && a.why != "":
		return s.act(ctx, path+"/score/reset", map[string]string{"why": a.why}, "reset")
	case verb == "timeline" && len(rest) == 1:
		return pages(ctx, s, path+"/timeline", &a, []string{"filter", a.filter}, activityHeader, activityRow)
	case verb == "tag" && len(rest) >= 1:
		return s.act(ctx, path+"/tags", map[string]any{"tags": append([]string{}, rest[1:]...)}, "tagged")
	case verb == "join" && len(rest) == 1 && a.with != "":
		return s.act(ctx, path+"/join", map[string]string{"with": a.with}, "joined")
	case verb == "split" && len(rest) >= 2:
		return s.act(ctx, path+"/split", map[string]any{"spellings": rest[1:]}, "split")
	}
	return fmt.Errorf("%w: users %s", errUsage, usersUsage)
}

// userLine is what a list shows of a user.
type userLine struct {
	ID         string    `json:"id"`
	Display    string    `json:"display"`
	Department string    `json:"department"`
	Score      float64   `json:"score"`
	Percentile float64   `json:"percentile"`
	Tags       []string  `json:"tags"`
	Last       time.Time `json:"last_seen"`
	Names      []struct {
		Spelling string `json:"spelling"`
	} `json:"names"`
}

func userRow(w io.Writer, l *userLine) {
	names := make([]string, len(l.Names))
	for i, n := range l.Names {
		names[i] = n.Spelling
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\t%.2f\t%.2f\t%s\t%s\t%s\t%s\n", l.Last.UTC().Format(time.DateTime), cell(l.Display), l.Score, l.Percentile, cell(l.Department),
		strings.Join(l.Tags, ", "), cell(strings.Join(names, ", ")), l.ID)
}
