package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/gateway"
)

// Kinds, as the verdicts name them.
const (
	alert   = "alert"
	unknown = "unknown"
)

// truth is one line of a truth file.
type truth struct {
	Line           int     `json:"line"`
	Service        *string `json:"service"`
	Kind           string  `json:"kind"`
	NotificationID *string `json:"notification_id"`
	Alert          *string `json:"alert"`
	Update         bool    `json:"update"`
	Resend         bool    `json:"resend"`
	Ambiguous      bool    `json:"ambiguous"`
}

// judged is a message with what is true of it.
type judged struct {
	truth
	gateway.Verdict
	line int // of all logs
}

// judge compares with the truth and prints the figures. Lost and merged alerts are problems.
func judge(lines []gateway.Verdict, truths []string, w io.Writer) error {
	all, err := readTruth(lines, truths)
	if err != nil {
		return err
	}
	s := &score{w: w}
	s.classification(all)
	s.grouping(all)
	s.delivery(all)
	s.merges(all)
	if s.lost+s.merged > 0 {
		return errProblems
	}
	return s.err
}

func parseTruth(line []byte) (t truth, err error) {
	switch err = json.Unmarshal(line, &t); {
	case err != nil:
	case !slices.Contains([]string{alert, "activity", "health", "garbage"}, t.Kind):
		err = fmt.Errorf("found kind %q, expected alert, activity, health or garbage", t.Kind)
	case t.NotificationID != nil && t.Service == nil:
		err = errors.New("found a notification_id without service, expected both or neither")
	}
	return t, err
}

func readTruth(lines []gateway.Verdict, truths []string) ([]judged, error) {
	var all []judged
	for i, name := range truths {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		number := 0
		for line := range bytes.Lines(data) {
			number++
			t, err := parseTruth(line)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, number, err)
			}
			if len(all) >= len(lines) {
				return nil, fmt.Errorf("%s: more lines than the logs have", truths[i])
			}
			if t.Alert != nil {
				key := fmt.Sprintf("%d %s", i, *t.Alert) // keys are unique within a file
				t.Alert = &key
			}
			all = append(all, judged{t, lines[len(all)], len(all) + 1})
		}
	}
	if len(all) != len(lines) {
		return nil, fmt.Errorf("truth for %d of %d messages", len(all), len(lines))
	}
	return all, nil
}

type score struct {
	w            io.Writer
	err          error
	lost, merged int
}

func (s *score) print(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format+"\n", args...)
	}
}

func (s *score) classification(all []judged) {
	parsed, messages, right := 0, 0, 0
	var wrong []int
	for _, j := range all {
		want, service, id := j.truth.Kind, "unknown", ""
		if want == "garbage" {
			want = unknown
		} else {
			messages++
			if string(j.Verdict.Kind) != unknown && j.Decision() != "dropped" {
				parsed++
			}
		}
		if j.truth.Service != nil {
			service = *j.truth.Service
		}
		if j.truth.NotificationID != nil {
			id = *j.truth.NotificationID
		}
		if string(j.Verdict.Kind) == want && string(j.Verdict.Service) == service && strings.EqualFold(j.Verdict.NotificationID, id) {
			right++
		} else {
			wrong = append(wrong, j.line)
		}
	}
	s.print("parse rate      %.4f  (%d of %d messages)", ratio(parsed, messages), parsed, messages)
	s.print("classification  %.4f  (%d of %d lines)%s", ratio(right, len(all)), right, len(all), at(wrong))
}

// grouping counts pairs of different notifications: made, true, and both.
func (s *score) grouping(all []judged) {
	type node struct {
		alert, truth string
		line         int
	}
	seen := map[string]bool{}
	byAlert, byTruth := map[string][]node{}, map[string][]node{}
	for _, j := range all {
		if j.Ambiguous || j.truth.Kind != alert || j.truth.Alert == nil {
			continue
		}
		key := fmt.Sprint("line ", j.line)
		if j.truth.NotificationID != nil {
			key = *j.truth.Service + " " + *j.truth.NotificationID
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		n := node{string(j.Verdict.Alert), *j.truth.Alert, j.line}
		if n.alert != "" { // what was not taken for an alert is paired with nothing
			byAlert[n.alert] = append(byAlert[n.alert], n)
		}
		byTruth[n.truth] = append(byTruth[n.truth], n)
	}
	made, wrong := pairs(byAlert, func(a, b node) bool { return a.truth == b.truth }, func(n node) int { return n.line })
	want, missed := pairs(byTruth, func(a, b node) bool { return a.alert == b.alert && a.alert != "" }, func(n node) int { return n.line })
	s.print("precision       %.4f  (%d pairs made)%s", ratio(made-len(wrong), made), made, at(wrong))
	s.print("recall          %.4f  (%d true pairs)%s", ratio(want-len(missed), want), want, at(missed))
}

// pairs counts the pairs within each group and gives the later line of each that is not right.
func pairs[N any](groups map[string][]N, right func(a, b N) bool, line func(N) int) (int, []int) {
	count := 0
	var bad []int
	for _, g := range groups {
		for i := range g {
			for j := range i {
				count++
				if !right(g[i], g[j]) {
					bad = append(bad, line(g[i]))
				}
			}
		}
	}
	slices.Sort(bad)
	return count, bad
}

func (s *score) delivery(all []judged) {
	forwarded := map[string][]int{}
	first := map[string]int{}
	updates := 0
	for _, j := range all {
		if j.truth.Alert == nil || j.Ambiguous || j.truth.Kind != alert {
			continue
		}
		key := *j.truth.Alert
		if _, ok := first[key]; !ok {
			first[key] = j.line
			forwarded[key] = nil
		}
		switch {
		case j.Decision() != "forwarded":
		case j.Update && !j.Resend:
			updates++
			if len(forwarded[key]) == 0 {
				first[key] = -1 // an update keeps the alert from being lost
			}
		default:
			forwarded[key] = append(forwarded[key], j.line)
		}
	}
	var lost, twice []int
	for key, lines := range forwarded {
		if len(lines) == 0 && first[key] > 0 {
			lost = append(lost, first[key])
		}
		if len(lines) > 1 {
			twice = append(twice, lines[1])
		}
	}
	slices.Sort(lost)
	slices.Sort(twice)
	s.lost = len(lost)
	s.print("lost            %d%s", len(lost), at(lost))
	s.print("twice           %d%s", len(twice), at(twice))
	s.print("updates         %d forwarded", updates)
}

func (s *score) merges(all []judged) {
	type group struct {
		truths []string
		line   int
	}
	groups := map[string]*group{}
	for _, j := range all {
		if j.truth.Alert == nil || j.Ambiguous || j.Verdict.Alert == "" {
			continue
		}
		g := groups[string(j.Verdict.Alert)]
		if g == nil {
			g = &group{}
			groups[string(j.Verdict.Alert)] = g
		}
		if !slices.Contains(g.truths, *j.truth.Alert) {
			g.truths, g.line = append(g.truths, *j.truth.Alert), j.line
		}
	}
	var lines []int
	for _, g := range groups {
		if len(g.truths) > 1 {
			s.merged += len(g.truths) - 1
			lines = append(lines, g.line)
		}
	}
	slices.Sort(lines)
	s.print("merged          %d%s", s.merged, at(lines))
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// at names the offending lines, the first twenty of them.
func at(lines []int) string {
	if len(lines) == 0 {
		return ""
	}
	shown := lines[:min(len(lines), 20)]
	more := cmp.Or(map[bool]string{true: " ..."}[len(shown) < len(lines)], "")
	return "  at " + strings.Trim(fmt.Sprint(shown), "[]") + more
}
