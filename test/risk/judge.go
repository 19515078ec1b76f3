package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/test/threats"
)

// The ways to rank that are compared.
const (
	priority = iota // ours
	bounded         // ours, by the bounded value
	severities
	count
	ways
)

// judge holds what each way gives each user each day against the truth.
type judge struct {
	o       *threats.Organisation
	scores  [ways][]map[string]float64 // by day and user
	parts   []map[string]model.UserScore
	verbose bool
}

func newJudge(o *threats.Organisation, verbose bool) *judge {
	j := &judge{o: o, verbose: verbose}
	for w := range j.scores {
		for range o.Size.Days {
			j.scores[w] = append(j.scores[w], map[string]float64{})
		}
	}
	for range o.Size.Days {
		j.parts = append(j.parts, map[string]model.UserScore{})
	}
	return j
}

func (j *judge) day(t time.Time) int { return int(math.Floor(t.Sub(j.o.Start).Hours() / 24)) }

func (j *judge) score(s model.UserScore) error {
	t, err := time.Parse(time.DateOnly, s.Date)
	if day := j.day(t); err == nil && day >= 0 && day < j.o.Size.Days {
		j.scores[priority][day][s.User] = s.Score
		j.scores[bounded][day][s.User] = s.Bounded
		if j.verbose {
			j.parts[day][s.User] = s
		}
	}
	return err
}

// baselines counts forwarded alerts over seven days, as a SIEM would that is told each alert once.
func (j *judge) baselines(verdicts []gateway.Verdict) {
	users := j.o.Names()
	for i := range verdicts {
		v := &verdicts[i]
		if v.Kind != formats.Alert || v.Decision() != "forwarded" {
			continue
		}
		user, severity := threats.Subject(j.o.Lines[i].Text, users)
		for d := max(j.day(j.o.Lines[i].Sent), 0); d < min(j.day(j.o.Lines[i].Sent)+7, j.o.Size.Days); d++ {
			j.scores[severities][d][user] += severity
			j.scores[count][d][user]++
		}
	}
}

// standing is where somebody compromised stands on a day of it.
type standing struct {
	kind       string
	day, since int
	user       string
	rank       [ways]float64
	percentile [ways]float64
}

// measure is a result.
type measure struct {
	standings []standing
	alarms    [ways][]float64 // others in the top 20, a week for a thousand users
	lines     int
	took      time.Duration
}

func (m *measure) add(n measure) {
	m.standings = append(m.standings, n.standings...)
	for w := range m.alarms {
		m.alarms[w] = append(m.alarms[w], n.alarms[w]...)
	}
	m.lines += n.lines
	m.took += n.took
}

func (j *judge) measure() measure {
	var m measure
	for _, i := range j.o.Incidents {
		for day := i.First; day <= i.Last; day++ {
			s := standing{kind: i.Kind, day: day, since: day - i.First, user: i.User}
			for w := range ways {
				s.rank[w], s.percentile[w] = j.rank(j.scores[w][day], i.User)
			}
			m.standings = append(m.standings, s)
			if j.verbose {
				j.print(s)
			}
		}
	}
	weeks := float64(j.o.Size.Days-j.o.Size.Quiet) / 7
	for w := range ways {
		seen := map[string]bool{} // a user a week
		for day := j.o.Size.Quiet; day < j.o.Size.Days; day++ {
			for user, score := range j.scores[w][day] {
				if r, _ := j.rank(j.scores[w][day], user); score > 0 && r <= 20 && !j.compromised(user, day) {
					seen[fmt.Sprint(user, (day-j.o.Size.Quiet)/7)] = true
				}
			}
		}
		m.alarms[w] = append(m.alarms[w], float64(len(seen))/weeks*1000/float64(j.o.Size.People))
	}
	return m
}

// compromised says whether somebody is, or was within the seven days that a score looks back on.
func (j *judge) compromised(user string, day int) bool {
	return slices.ContainsFunc(j.o.Incidents, func(i threats.Incident) bool { return i.User == user && day >= i.First && day <= i.Last+7 })
}

// rank is the place among all, where equals share the middle one.
func (j *judge) rank(scores map[string]float64, user string) (rank, percentile float64) {
	mine := scores[user]
	above, equal := 0, 0
	for other, s := range scores {
		switch {
		case other == user:
		case s > mine:
			above++
		case s == mine:
			equal++
		}
	}
	if mine == 0 {
		equal = j.o.Size.People - 1 - above
	}
	rank = 1 + float64(above) + float64(equal)/2
	return rank, 100 * (1 - (rank-1)/float64(j.o.Size.People-1))
}

func (j *judge) print(s standing) {
	mine := j.parts[s.day][s.user]
	fmt.Printf("%-18s day %d of it, %s: rank %.0f, score %.1f\n", s.kind, s.since+1, s.user, s.rank[priority], mine.Score)
	if s.rank[priority] <= 20 {
		return
	}
	for _, p := range mine.Parts {
		fmt.Printf("      %6.2f %s %s: %s\n", p.Score, p.Time.Format("01-02 15:04"), p.Title, words(p))
	}
	others := slices.SortedFunc(maps.Values(j.parts[s.day]), func(a, b model.UserScore) int { return cmp.Compare(b.Score, a.Score) })
	for _, o := range others[:min(12, len(others))] {
		if !j.compromised(o.User, s.day) {
			fmt.Printf("   above: %.1f %s: %.2f %s: %s\n", o.Score, o.User, o.Parts[0].Score, o.Parts[0].Title, words(o.Parts[0]))
		}
	}
}

func words(p model.PriorityPart) string {
	out := make([]string, len(p.Reasons))
	for i, r := range p.Reasons {
		out[i] = r.Text
	}
	return strings.Join(out, "; ")
}

func (m *measure) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %-22s %8s %8s %8s %8s %12s %14s\n", "", "top 10", "top 20", "top 50", "in time", "percentile", "false alarms")
	for w, name := range [ways]string{"investigation priority", "its bounded value", "sum of severities", "count of alerts"} {
		recall := func(k float64) float64 {
			n := 0
			for _, s := range m.standings {
				if s.rank[w] <= k {
					n++
				}
			}
			return float64(n) / float64(max(1, len(m.standings)))
		}
		found, users := map[string]bool{}, map[string]bool{}
		percentile := 0.0
		for _, s := range m.standings {
			users[s.user] = true
			found[s.user] = found[s.user] || s.rank[w] <= 20
			percentile += s.percentile[w]
		}
		hits, alarms := 0, 0.0
		for _, f := range found {
			if f {
				hits++
			}
		}
		for _, a := range m.alarms[w] {
			alarms += a
		}
		fmt.Fprintf(&b, "  %-22s %8.3f %8.3f %8.3f %8.3f %12.2f %14.1f\n", name, recall(10), recall(20), recall(50),
			float64(hits)/float64(max(1, len(users))), percentile/float64(max(1, len(m.standings))), alarms/float64(len(m.alarms[w])))
	}
	fmt.Fprintf(&b, "  %d lines in %.0f s, %d days of compromised users\n", m.lines, m.took.Seconds(), len(m.standings))
	return b.String()
}

// kinds tells the recall in the top 20 of each kind of attack.
func (m *measure) kinds() string {
	all, hit := map[string]int{}, map[string]int{}
	for _, s := range m.standings {
		all[s.kind]++
		if s.rank[priority] <= 20 {
			hit[s.kind]++
		}
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "  %-22s %3d of %3d days in the top 20\n", k, hit[k], all[k])
	}
	return b.String()
}
