package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/durable"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// silences says which services have gone silent. The decider asks it now and then, and records what it
// says: a silence is an entry of the stream, so it is told of once, whatever is started anew or rebuilt,
// and ends with the service's next notification.
//
// Only the time in which the gateway listened counts: a service is not silent because nobody heard it.
type silences struct {
	watched []watchedService
	path    string    // where deaf is kept: a restart after a long pause must not count that as quiet
	started time.Time // this gateway
	deaf    []pause   // in which nothing was accepted, the earliest first, with the time before each start
	full    time.Time // since when nothing is accepted; zero while something is
	next    time.Time // when to look again; zero where nobody is watched
}

type watchedService struct {
	name  formats.Service
	limit config.Quiet
	told  bool // the log knows that it is silent
}

// pause is a time in which the gateway didn't listen.
type pause struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

const (
	// lookEvery is how often what is usual is asked for. A slot of it has five minutes.
	lookEvery = time.Minute
	// mostPauses are kept; where there are more, what was before them doesn't count.
	mostPauses = 64
)

// newSilences watches over the services that are enabled, and those with a limit of their own. heard is
// the time up to which the gateway is known to have listened before, now that of its start. The error is that
// of the file of pauses, without which some of them may count as quiet.
func newSilences(c config.Config, x *dedup.Index, heard, now time.Time) (silences, error) {
	s := silences{path: filepath.Join(c.DataDir, "pauses"), started: now}
	err := s.load()
	err = errors.Join(err, s.pause(heard, now))
	for _, name := range c.Services.Order() {
		limit := c.Silence.Of(name)
		if limit == config.Off || limit == config.Auto && !c.Services.Enabled(name) {
			continue
		}
		service := formats.Service(name)
		s.watched = append(s.watched, watchedService{service, limit, !x.Rhythm(service).Silent.IsZero()})
	}
	s.plan(x, now)
	return s, err
}

// load reads the pauses that were kept.
func (s *silences) load() error {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.deaf)
	}
	if err != nil {
		s.deaf = nil
		return fmt.Errorf("read pauses: %w", err)
	}
	return nil
}

// pause keeps one more.
func (s *silences) pause(from, to time.Time) error {
	s.deaf = append(s.deaf, pause{from, to})
	if len(s.deaf) > mostPauses {
		s.deaf = s.deaf[1:]
		s.deaf[0].From = time.Time{}
	}
	data, err := json.Marshal(s.deaf)
	if err == nil {
		err = durable.WriteFile(s.path, data)
	}
	if err != nil {
		return fmt.Errorf("keep pauses: %w", err)
	}
	return nil
}

// plan says when to look again.
func (s *silences) plan(x *dedup.Index, now time.Time) {
	s.next = time.Time{}
	for _, w := range s.watched {
		wait := lookEvery
		if w.limit != config.Auto {
			wait = time.Duration(w.limit)
			if r := x.Rhythm(w.name); r.Silent.IsZero() {
				wait = max(wait-s.quiet(&r, now), time.Millisecond)
			}
		}
		if at := now.Add(wait); s.next.IsZero() || at.Before(s.next) {
			s.next = at
		}
	}
}

// stopped takes note that from now on nothing is accepted, until heard.
func (s *silences) stopped(now time.Time) {
	if s.full.IsZero() {
		s.full = now
	}
}

// heard takes note that something was accepted. The error is that a pause is not kept beyond a restart.
func (s *silences) heard(now time.Time) error {
	if s.full.IsZero() {
		return nil
	}
	from := s.full
	s.full = time.Time{}
	return s.pause(from, now)
}

// each visits the times since the service's last notification in which the gateway listened; those since
// the start where there is none.
func (s *silences) each(r *dedup.Rhythm, now time.Time, visit func(from, to time.Time)) {
	from := r.Last
	if from.IsZero() {
		from = s.started
	}
	for _, p := range s.deaf {
		if !p.To.After(from) {
			continue
		}
		if p.From.After(from) {
			visit(from, p.From)
		}
		from = p.To
	}
	if now.After(from) {
		visit(from, now)
	}
}

// quiet is for how long nothing was heard of the service.
func (s *silences) quiet(r *dedup.Rhythm, now time.Time) (sum time.Duration) {
	s.each(r, now, func(from, to time.Time) { sum += to.Sub(from) })
	return sum
}

// gone says whether the service is silent by its limit, or by what is usual.
func (s *silences) gone(w watchedService, r *dedup.Rhythm, now time.Time) bool {
	if w.limit != config.Auto {
		return s.quiet(r, now) >= time.Duration(w.limit)
	}
	surprise := 0.0
	if !r.Last.IsZero() {
		s.each(r, now, func(from, to time.Time) { surprise += r.Surprise(from, to) })
	}
	return surprise >= dedup.Astonishing
}

// fallen gives the entry that records the first service that has gone silent and isn't on record as such.
func (s *silences) fallen(b *dedup.Batch, d *decider, t time.Time) ([]*stream.Entry, error) {
	for _, w := range s.watched {
		r := b.Rhythm(w.name)
		if !r.Silent.IsZero() || !s.gone(w, &r, t) {
			continue
		}
		entry := silence(w, &r, t)
		entry.Decision = d.policy.Silence()
		return []*stream.Entry{entry}, b.Apply(outcome(entry))
	}
	return nil, nil
}

// silence is the event that tells of a service that has gone silent.
func silence(w watchedService, r *dedup.Rhythm, t time.Time) *stream.Entry {
	limit := "it usually is at this time"
	if w.limit != config.Auto {
		limit = time.Duration(w.limit).String()
	}
	since := "the start"
	if !r.Last.IsZero() {
		since = r.Last.UTC().Format(time.RFC3339)
	}
	sum := sha256.Sum256([]byte("silence of " + w.name))
	n := formats.Notification{
		Service: formats.Sluice, Kind: formats.Silence, Channel: "sluice", Origin: w.name, Type: "silence",
		Title: "A service has gone silent", Severity: formats.Medium, Start: r.Last, Arrived: t,
		Message: fmt.Sprintf("Nothing was received from %s since %s, for longer than %s", w.name, since, limit),
		Content: [16]byte(sum[:16]),
	}
	return &stream.Entry{Kind: stream.Silence, Time: t, Key: dedup.Key(&n, t), Notification: n}
}

// back lists the services that were silent and are heard again since it was called before.
func (s *silences) back(x *dedup.Index) (out []formats.Service) {
	for i := range s.watched {
		w := &s.watched[i]
		r := x.Rhythm(w.name)
		if w.told && r.Silent.IsZero() {
			out = append(out, w.name)
		}
		w.told = !r.Silent.IsZero()
	}
	return out
}

// names lists the watched services.
func (s *silences) names() []formats.Service {
	out := make([]formats.Service, len(s.watched))
	for i := range s.watched {
		out[i] = s.watched[i].name
	}
	return out
}
