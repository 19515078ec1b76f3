package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
)

// scoreAnswer is a user's investigation priority.
type scoreAnswer struct {
	Time       time.Time `json:"time"`
	Score      float64   `json:"score"`
	Bounded    float64   `json:"bounded"`
	Percentile float64   `json:"percentile"`
	Red        bool      `json:"red"`
	Parts      []struct {
		Kind    string    `json:"kind"`
		ID      string    `json:"id"`
		Time    time.Time `json:"time"`
		Title   string    `json:"title"`
		Score   float64   `json:"score"`
		Without float64   `json:"without"`
		Reasons []struct {
			Text string `json:"text"`
		} `json:"reasons"`
	} `json:"parts"`
	History []struct {
		Date  string  `json:"date"`
		Score float64 `json:"score"`
	} `json:"history"`
	NotAvailable []string `json:"not_available"`
}

// score shows a user's investigation priority with its parts.
func (s *asker) score(ctx context.Context, path string) error {
	var a scoreAnswer
	if err := s.do(ctx, http.MethodGet, path+"/score", nil, &a); err != nil || s.operator.json {
		return err
	}
	red := ""
	if a.Red {
		red = ", red"
	}
	out := s.operator.out
	_, _ = fmt.Fprintf(out, "score %.2f (bounded %.2f of 100), percentile %.2f%s, as of %s UTC\n", a.Score, a.Bounded, a.Percentile, red, a.Time.UTC().Format(time.DateTime))
	if len(a.History) > 0 {
		var days []string
		for _, d := range a.History[max(0, len(a.History)-14):] {
			days = append(days, fmt.Sprintf("%s %.2f", d.Date, d.Score))
		}
		_, _ = fmt.Fprintf(out, "before: %s\n", strings.Join(days, ", "))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(a.Parts) > 0 {
		_, _ = fmt.Fprintln(w, "POINTS\tWITHOUT IT\tTIME (UTC)\tKIND\tWHAT\tWHY\tID")
	}
	a.rows(w)
	return s.close(w, "", a.NotAvailable)
}

func (a *scoreAnswer) rows(w io.Writer) {
	for _, p := range a.Parts {
		var why []string
		for _, r := range p.Reasons {
			why = append(why, oneLine(r.Text))
		}
		_, _ = fmt.Fprintf(w, "%.2f\t%.2f\t%s\t%s\t%s\t%s\t%s\n", p.Score, p.Without, p.Time.UTC().Format(time.DateTime), p.Kind, cell(p.Title),
			strings.Join(why, "; "), oneLine(p.ID))
	}
}
