package portal

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

// priority is a user's investigation priority with all that explains it.
type priority struct {
	model.Priority
	Reading bool // the profiles of users are still being read: there is nothing else yet
	Most    []scorePart
	Rest    []scorePart // smaller ones
	Spark   spark
	Missing []string // services without licence
	Reset   bool     // the visitor may begin it anew, and there is something to
}

// scorePart is a part of a score with the way to what it is.
type scorePart struct {
	model.PriorityPart
	To string // its alert or activity; empty where that isn't kept any more
}

// mostParts is how many parts are shown at once: the others unfold.
const mostParts = 8

// points writes a score, or a part of one.
func points(p float64) string { return fmt.Sprintf("%.2f", p) }

// red says whether a percentile is.
func red(percentile float64) bool { return percentile >= model.RedFrom }

// priority reads where a user stands.
func (v *visit) priority(user string) (*priority, error) {
	p := &priority{Missing: v.m.Missing()}
	var err error
	p.Priority, err = v.m.Priority(v.r.Context(), user)
	if errors.Is(err, model.ErrUnavailable) {
		p.Reading = true
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := v.parts(p.Parts)
	if err != nil {
		return nil, err
	}
	p.Most, p.Rest = all[:min(len(all), mostParts)], all[min(len(all), mostParts):]
	p.Spark = draught(p.History, p.Time, p.Score)
	p.Reset = p.Score > 0 && v.May("reset-user-score")
	return p, nil
}

// RestScore is what the smaller parts are together.
func (p *priority) RestScore() (sum float64) {
	for i := range p.Rest {
		sum += p.Rest[i].Score
	}
	return sum
}

// parts finds the lines of the activities: what counts has the service's ID, and the log opens a line by its key.
func (v *visit) parts(parts []model.PriorityPart) ([]scorePart, error) {
	out := make([]scorePart, len(parts))
	var ids []string
	for i := range parts {
		out[i].PriorityPart = parts[i]
		if parts[i].Kind == formats.Alert {
			out[i].To = "/alerts?open=" + segment(parts[i].ID)
			continue
		}
		ids = append(ids, parts[i].ID)
	}
	if len(ids) == 0 {
		return out, nil
	}
	f := filter.Filter{{Field: "id", Op: filter.Equals, Values: ids}}
	page, err := v.m.Activities(v.r.Context(), model.Query{Filter: f, Limit: 2 * len(ids)})
	keys := map[string]string{}
	for i := range page.Items {
		if page.Items[i].Kind == formats.Activity {
			keys[page.Items[i].ID] = page.Items[i].Key
		}
	}
	for i := range out {
		if key := keys[out[i].ID]; key != "" && out[i].To == "" {
			out[i].To = "/activities?open=" + segment(key)
		}
	}
	return out, err
}

// resetDeed begins a user's score anew.
func (v *visit) resetDeed(at string) (*done, error) {
	why := strings.TrimSpace(v.r.PostForm.Get("why"))
	if why == "" {
		return nil, &refusal{http.StatusUnprocessableEntity, "The score was not reset: say why it is to begin anew."}
	}
	return v.post("reset", at+"/score/reset", map[string]string{"why": why})
}

// known is somebody whom an alert names, with where they stand.
type known struct {
	model.Named
	Score float64 // 0 where there is none
}

// standings adds to users where they stand.
func (v *visit) standings(named []model.Named) []known {
	out := make([]known, len(named))
	for i, n := range named {
		s, _ := v.m.Standing(n.Spelling)
		out[i] = known{n, s.Score}
	}
	return out
}

// spark is a picture of a score day by day, today's on the right.
type spark struct {
	Line, Area string  // paths in a box of sparkWide by sparkHigh; empty where there was no score
	Today      float64 // how high today's is
	Words      string  // what the picture shows
}

// Measures of the picture, in its own units, and its days.
const (
	sparkDays            = 30
	sparkWide, sparkHigh = 290, 48 // 10 for a day
	sparkTop             = 4       // room for the point
)

// draught draws the days before and today. Days are those of UTC.
func draught(before []model.PriorityDay, now time.Time, score float64) spark {
	const today = sparkDays - 1
	at := map[string]float64{now.UTC().Format(time.DateOnly): score}
	for _, d := range before {
		at[d.Date] = d.Score
	}
	var days [sparkDays]float64
	most, on, without := score, "", 0
	for i := range days {
		date := now.UTC().AddDate(0, 0, i-today).Format(time.DateOnly)
		days[i] = at[date]
		if days[i] > most {
			most, on = days[i], date
		}
		if days[i] == 0 && i < today {
			without++
		}
	}
	if most == 0 {
		return spark{Words: fmt.Sprintf("No score on any of the last %d days.", sparkDays)}
	}
	words := fmt.Sprintf("The score on the last %d days: %.2f today", sparkDays, score)
	if on != "" {
		words += fmt.Sprintf(", at most %.2f on %s", most, on)
	}
	if without > 0 {
		words += ", none on " + plural(without, "day", "days") + " before"
	}
	var line strings.Builder
	high := func(s float64) float64 { return sparkHigh - (sparkHigh-sparkTop)*s/most }
	for i, s := range days {
		_, _ = fmt.Fprintf(&line, "%c%d %.1f", "ML"[min(i, 1)], i*sparkWide/today, high(s)) // a builder never fails
	}
	text := line.String()
	return spark{text, fmt.Sprintf("%sV%dH0Z", text, sparkHigh), high(score), words + "."}
}
