package model

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// RedFrom is the percentile from which a user is red.
const RedFrom = 90

// Priority is a user's investigation priority with all that it is made of.
type Priority struct {
	User       string         `json:"user"` // ID
	Time       time.Time      `json:"time"` // as of which: scores fade
	Score      float64        `json:"score"`
	Bounded    float64        `json:"bounded"`    // 0 to 100
	Percentile float64        `json:"percentile"` // how many of the other users have less
	Red        bool           `json:"red"`        // from the 90th percentile
	Parts      []PriorityPart `json:"parts"`      // largest first; they add up to the score
	History    []PriorityDay  `json:"history"`    // of the days before, the oldest first; none where the score was 0
	Resets     []ScoreReset   `json:"resets"`     // the newest first
}

// PriorityPart is what an alert or an activity adds to a score.
type PriorityPart struct {
	Kind    formats.Kind     `json:"kind"` // alert, activity
	ID      string           `json:"id"`   // of the alert: Sluice's own; of the activity: the service's
	Time    time.Time        `json:"time"`
	Title   string           `json:"title"`
	Score   float64          `json:"score"`
	Without float64          `json:"without"` // what the score would be without it
	Reasons []PriorityReason `json:"reasons"`
}

// PriorityReason is one finding in words.
type PriorityReason struct {
	Text string  `json:"text"`
	Bits float64 `json:"bits"` // of surprise, above what is expected
}

// PriorityDay is the score at the end of a day.
type PriorityDay struct {
	Date       string  `json:"date"` // of UTC
	Score      float64 `json:"score"`
	Bounded    float64 `json:"bounded"`
	Percentile float64 `json:"percentile"`
}

// ScoreReset says who began a score anew.
type ScoreReset struct {
	Act  string    `json:"act"`
	Time time.Time `json:"time"`
	By   string    `json:"by"`
	Why  string    `json:"why"`
}

// Priority gives a user's investigation priority as of now.
func (m *Model) Priority(ctx context.Context, id string) (Priority, error) {
	out := Priority{Parts: []PriorityPart{}, History: []PriorityDay{}, Resets: []ScoreReset{}}
	n, err := userBy(ctx, m.reader, id)
	if err != nil {
		return out, err
	}
	if err := m.reader.QueryRowContext(ctx, "SELECT id FROM persons WHERE n = ?", n).Scan(&out.User); err != nil {
		return out, fmt.Errorf("read user %.50q: %w", id, err)
	}
	if out.Time, err = m.now(ctx); err != nil {
		return out, err
	}
	score, err := m.score(out.User, out.Time)
	if err != nil {
		return out, err
	}
	out.Score, out.Bounded = score.Points.Float(), hundredths(score.Bounded)
	for _, p := range score.Parts {
		out.Parts = append(out.Parts, partOf(p))
	}
	if score.Points > 0 {
		var most, all int
		if err := m.reader.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM scores WHERE points >= ?1 OR user = ?2), "+allUsers, int64(score.Points), out.User).
			Scan(&most, &all); err != nil {
			return out, fmt.Errorf("rank user %s: %w", out.User, err)
		}
		out.Percentile = hundredths(risk.Percentile(max(most, 1), all))
	}
	out.Red = out.Percentile >= RedFrom
	return out, m.past(ctx, &out)
}

// allUsers is how many there are.
const allUsers = "(SELECT count(*) FROM persons WHERE into_n IS NULL)"

// score is that of a user by ID.
func (m *Model) score(id string, at time.Time) (risk.Score, error) {
	m.scores.mu.Lock()
	defer m.scores.mu.Unlock()
	if m.scores.scorer == nil {
		return risk.Score{}, fmt.Errorf("%w: the profiles of users are still being read", ErrUnavailable)
	}
	return m.scores.scorer.Score(id, at), nil
}

func hundredths(x float64) float64 { return math.Round(100*x) / 100 }

func partOf(p risk.Part) PriorityPart {
	out := PriorityPart{
		Kind: formats.Activity, ID: p.ID, Time: p.At, Title: p.Title, Score: p.Points.Float(), Without: p.Without.Float(), Reasons: []PriorityReason{},
	}
	if p.Alert {
		out.Kind = formats.Alert
	}
	for _, r := range p.Reasons {
		out.Reasons = append(out.Reasons, PriorityReason{r.Words, r.Bits})
	}
	return out
}

// past adds what was before today.
func (m *Model) past(ctx context.Context, out *Priority) error {
	days, err := m.reader.QueryContext(ctx, "SELECT day, points, bounded, percentile FROM score_days WHERE user = ? ORDER BY day", out.User)
	if err != nil {
		return fmt.Errorf("read the scores of user %s: %w", out.User, err)
	}
	defer func() { _ = days.Close() }() // Err says what went wrong
	for days.Next() {
		var d PriorityDay
		var day, points int64
		if err := days.Scan(&day, &points, &d.Bounded, &d.Percentile); err != nil {
			return fmt.Errorf("read the scores of user %s: %w", out.User, err)
		}
		d.Date, d.Score = time.Unix(day*86400, 0).UTC().Format(time.DateOnly), risk.Points(points).Float()
		d.Bounded, d.Percentile = hundredths(d.Bounded), hundredths(d.Percentile)
		out.History = append(out.History, d)
	}
	if err := days.Err(); err != nil {
		return fmt.Errorf("read the scores of user %s: %w", out.User, err)
	}
	resets, err := m.reader.QueryContext(ctx, "SELECT act, time, who, why FROM score_resets WHERE user = ? ORDER BY n DESC LIMIT 20", out.User)
	if err != nil {
		return fmt.Errorf("read the resets of user %s: %w", out.User, err)
	}
	defer func() { _ = resets.Close() }() // Err says what went wrong
	for resets.Next() {
		var r ScoreReset
		var at int64
		if err := resets.Scan(&r.Act, &at, &r.By, &r.Why); err != nil {
			return fmt.Errorf("read the resets of user %s: %w", out.User, err)
		}
		r.Time = instant(at)
		out.Resets = append(out.Resets, r)
	}
	return resets.Err()
}

// checkReset says whether a score can be reset.
func (m *Model) checkReset(ctx context.Context, a ResetScore) error {
	if err := checkReason(a.Why); err != nil {
		return err
	}
	p, err := m.Priority(ctx, a.User)
	if err == nil && p.Score == 0 {
		err = fmt.Errorf("%w: user %s has no score", ErrRefused, a.User)
	}
	return err
}

// resetScore folds a reset.
func (f *folder) resetScore(ctx context.Context, e *stream.Entry, a ResetScore) error {
	var id string
	ok, err := f.row(ctx, "SELECT id FROM persons WHERE n = ("+userQuery()+")", []any{a.User, a.User}, &id)
	if err != nil || !ok {
		f.m.log.Warn("a reset of a score is left out, as the user isn't there any more", "key", string(e.Key))
		return err
	}
	f.priority.tell(risk.Event{Reset: &risk.Reset{User: id, At: e.Time.UTC()}})
	return f.exec(ctx, "INSERT INTO score_resets (user, time, act, who, why) VALUES (?, ?, ?, ?, ?)", id, millis(e.Time), string(e.Key), e.Act.By, a.Why)
}
