package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/networks"
	"github.com/sluice-siem/sluice/gateway/risk"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// UserScore is a user's investigation priority at the end of a day.
type UserScore struct {
	Date       string         `json:"date"` // of UTC
	User       string         `json:"user"` // UPN in lower case, or what else the user is called where none is known
	Score      float64        `json:"score"`
	Bounded    float64        `json:"bounded"`    // 0 to 100
	Percentile float64        `json:"percentile"` // how many of the other users have less
	Parts      []PriorityPart `json:"parts"`      // largest first; they add up to the score
}

// Scoring is a model of entries that are in no stream, for the users' scores alone: it keeps no log of what was done, and
// nobody can ask it anything. It isn't safe for concurrent use.
type Scoring struct {
	m     *Model
	f     *folder
	dir   string
	last  uint64
	write func(UserScore) error
}

// NewScoring begins with what the configuration says of people and networks, whose files have to be there. write is
// given the scores of each day that is over by the entries' time, highest first.
func NewScoring(ctx context.Context, c config.Config, write func(UserScore) error) (*Scoring, error) {
	if _, err := readDirectory(c.Organisation.DirectoryFile); err != nil {
		return nil, fmt.Errorf("organisation.directory_file %s: %w", c.Organisation.DirectoryFile, err)
	}
	if _, err := networks.LoadPlaces(c.Organisation.NetworksFile, c.Organisation.GeoIPFile); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-scores-")
	if err != nil {
		return nil, err
	}
	s := &Scoring{dir: dir, write: write}
	if s.m, err = Open(ctx, Options{Dir: dir, Config: c, Log: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.m.daily = s.day
	if s.f, err = s.m.newFolder(ctx); err == nil {
		err = s.f.heed(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Entries takes what was decided together, and gives it places.
func (s *Scoring) Entries(ctx context.Context, entries []*stream.Entry) error {
	m := stream.Message{Sequence: s.last + 1, Entries: entries}
	for i, e := range entries {
		e.At = stream.Position{Sequence: m.Sequence, Index: i}
		m.Size += len(e.Notification.Raw)
	}
	s.last = m.Sequence
	r := s.f.prepare(&m, nil)
	if r.err != nil {
		return r.err
	}
	if err := s.f.message(ctx, r); err != nil {
		return err
	}
	if s.f.entries < batchEntries && s.f.bytes < batchBytes {
		return nil
	}
	return s.f.commit(ctx)
}

// Until has the scores written of the days that are over at t. Entries do it by themselves.
func (s *Scoring) Until(ctx context.Context, t time.Time) error {
	if err := s.f.begin(ctx); err != nil {
		return err
	}
	return s.f.priority.until(ctx, t)
}

// Close gives up what is not written, and removes the files.
func (s *Scoring) Close() error {
	if s.f != nil {
		s.f.close()
	}
	return errors.Join(s.m.Close(), os.RemoveAll(s.dir))
}

// day writes the scores at the end of a day.
func (s *Scoring) day(ctx context.Context, day time.Time, ranking []risk.Score) error {
	for _, r := range ranking {
		out := UserScore{
			Date: day.UTC().Format(time.DateOnly), Score: r.Points.Float(), Bounded: hundredths(r.Bounded), Percentile: hundredths(r.Percentile),
			Parts: []PriorityPart{},
		}
		if _, err := s.f.row(ctx, "SELECT coalesce(upn_folded, folded) FROM persons WHERE id = ?", []any{r.User}, &out.User); err != nil {
			return err
		}
		for _, p := range r.Parts {
			out.Parts = append(out.Parts, partOf(p))
		}
		if err := s.write(out); err != nil {
			return err
		}
	}
	return nil
}
