package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// record is what the stream says, read when nobody writes it any more.
type record struct {
	lines []line
	rank  map[string]int // place among the forwarded events, by key
	order []*line        // the forwarded events
	cuts  int            // releases that a crash parted from what caused them
	kinds map[string]int // entries by kind and decision
	end   uint64         // sequence of the last message
}

// line is what the account needs of an entry.
type line struct {
	at     stream.Position
	kind   stream.Kind
	input  string
	is     digest
	key    string
	time   time.Time
	action dedup.Action
	reason policy.Reason
}

// readRecord reads the stream and decides it once more.
func readRecord(ctx context.Context, dir string) (r *record, problems []string, err error) {
	c, err := config.Load(filepath.Join(dir, configName))
	if err != nil {
		return nil, nil, err
	}
	again, err := gateway.NewRetrace(c)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, again.Close()) }()
	data := filepath.Join(dir, c.DataDir)
	s, err := stream.Open(ctx, stream.Options{Dir: filepath.Join(data, "stream"), Cursors: filepath.Join(data, "cursors")})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r = &record{rank: map[string]int{}, kinds: map[string]int{}}
	for m, err := range s.Scan(ctx, 1) {
		if err != nil {
			return nil, nil, err
		}
		for _, e := range m.Entries {
			r.lines = append(r.lines, newLine(e))
		}
		found, err := again.Message(m)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range found {
			problems = append(problems, deviation(&d))
		}
		r.end = m.Sequence
	}
	r.cuts = again.Cuts()
	return r, append(problems, r.sort()...), nil
}

func newLine(e *stream.Entry) line {
	return line{
		at: e.At, kind: e.Kind, input: e.Input, is: digestOf(e.Notification.Raw), key: string(e.Key), time: e.Time,
		action: e.Decision.Action, reason: e.Decision.Reason,
	}
}

func deviation(d *gateway.Deviation) string {
	show := func(entries []*stream.Entry) string {
		var out []string
		for _, e := range entries {
			out = append(out, fmt.Sprintf("%s %s of %s at %s: %s %s %s of alert %s", e.Kind, e.Key, e.Notification.ID,
				e.Time.Format(time.RFC3339Nano), e.Decision.Action, e.Decision.Reason, e.Match.Relation, e.Match.Alert))
		}
		return strings.Join(out, "; ")
	}
	return fmt.Sprintf("batch %d, entry %d: the stream has [%s], undisturbed it is [%s]",
		d.At.Sequence, d.At.Index, show(d.Recorded), show(d.Decided))
}

// sort puts the forwarded events in order and looks for keys that are forwarded twice and for holds that
// ended twice or never.
func (r *record) sort() (problems []string) {
	held := map[string]int{}
	for i := range r.lines {
		l := &r.lines[i]
		r.kinds[fmt.Sprintf("%s %s", l.kind, l.action)]++
		switch {
		case l.action == dedup.Hold:
			held[l.key]++
		case l.kind == stream.Release:
			held[l.key]--
		}
		if l.action != dedup.Forward {
			continue
		}
		if _, ok := r.rank[l.key]; ok {
			problems = append(problems, fmt.Sprintf("event %s is forwarded twice in the stream", l.key))
		}
		r.rank[l.key] = len(r.order)
		r.order = append(r.order, l)
	}
	for key, n := range held {
		if n != 0 {
			problems = append(problems, fmt.Sprintf("event %s: holds minus releases is %d", key, n))
		}
	}
	return problems
}
