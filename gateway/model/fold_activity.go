package model

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/gateway/stream"
)

const (
	mostValues  = 100      // objects, policies, addresses of one activity that filters find
	mostText    = 16 << 10 // bytes of each of its texts in which words are looked for
	ahead       = 24 * time.Hour
	serialBits  = 20
	serialBound = 1 << serialBits
)

// activity folds an activity, whose line is l. What the service tells anew under an ID that was there takes the
// old line's place in the log.
func (f *folder) activity(ctx context.Context, e *stream.Entry, l *line) error {
	if err := f.called(ctx, e, l); err != nil {
		return err
	}
	if e.Match.Relation == dedup.Update && e.Match.Of != "" {
		if err := f.replace(ctx, l, e.Match.Of); err != nil {
			return err
		}
	}
	f.write(l)
	if e.Match.Relation == dedup.Update {
		return nil // it was judged when it came first
	}
	if err := f.priority.activity(ctx, l); err != nil {
		return err
	}
	matched, err := f.judge(ctx, l.name, &l.Activity)
	l.match(matched)
	return err
}

// match notes for which policies a line counted, which nobody could know ahead.
func (l *line) match(policies []string) {
	if len(policies) > 0 {
		l.Matched, l.data, l.hashes = policies, nil, nil
	}
}

// logAlert writes an alert's line of the log. It is called with the first notification of an alert.
func (f *folder) logAlert(ctx context.Context, e *stream.Entry, alertN int64, a *Alert) error {
	l := lineOf(e)
	if err := f.called(ctx, e, l); err != nil {
		return err
	}
	l.Kind, l.alert = formats.Alert, alertN
	l.App, l.Severity = cmp.Or(a.App, l.App), max(a.Severity, l.Severity)
	f.write(l)
	return nil
}

// lineOf reads what the entry's notification says.
func lineOf(e *stream.Entry) *line {
	n := &e.Notification
	deed := mcas.DeedOf(n.Class)
	l := &line{record: record{Activity: Activity{
		Event: e.Key, ID: n.ID, Kind: formats.Activity, Time: happened(e), Service: n.Service, Source: e.Input,
		App: n.App, Type: cmp.Or(n.Class, n.Type), Action: string(deed.Verb), Title: n.Title,
		Addresses: distinct(n.Addresses), Devices: distinct(names(n.Devices)),
		Agent: n.Extra["requestClientApplication"], Objects: list(n.Extra["targetObjects"]), Policies: list(n.Extra["policyIDs"]),
		Failed: deed.Failed, Admin: deed.Admin, Severity: n.Severity, Message: n.Message, URL: n.URL, At: e.At,
		Extra: n.Extra, // which the record has without what stands elsewhere
	}}}
	l.n = number(l.Time, e.At)
	if len(n.Accounts) > 0 {
		l.User = &Named{Spelling: n.Accounts[0].Name}
	}
	return l
}

// called finds out whose line it is.
func (f *folder) called(ctx context.Context, e *stream.Entry, l *line) (err error) {
	if l.User != nil {
		l.name, err = f.name(ctx, e, l.User.Spelling)
	}
	return err
}

// happened is when it happened as well as anybody knows, to the millisecond. A time that is yet to come is a
// wrong clock's, and would keep the line at the head of the log, and out of reach of the retention, for years.
func happened(e *stream.Entry) time.Time {
	n := &e.Notification
	t := cmp.Or(n.Start, n.Raised, n.End, n.Sent, n.Arrived, e.Time)
	if now := cmp.Or(n.Arrived, e.Time); t.After(now.Add(ahead)) || t.UnixMilli() < 0 {
		t = now
	}
	return instant(max(0, t.UnixMilli()))
}

// number makes the number of a line: numbers are in the order of time, and for the same place in the stream
// the same. Where it is taken, another one follows, see insertRow.
func number(t time.Time, at stream.Position) int64 {
	return t.UnixMilli()<<serialBits | int64((at.Sequence*stream.MaxEntries+uint64(at.Index))%serialBound)
}

// timeOf is the time of a line by its number.
func timeOf(n int64) time.Time { return instant(n >> serialBits) }

// keyOf is the number as the world sees it.
func keyOf(n int64) string { return strconv.FormatInt(n, 36) }

// numberOf reads what keyOf wrote.
func numberOf(key string) (n int64, ok bool) {
	n, err := strconv.ParseInt(key, 36, 64)
	return n, err == nil && n >= 0 && keyOf(n) == key
}

func names(entities []formats.Entity) []string {
	out := make([]string, len(entities))
	for i := range entities {
		out[i] = entities[i].Name
	}
	return out
}

// list splits a list of the service's at its commas, of which it writes too many.
func list(s string) []string {
	if s == "" {
		return nil
	}
	return distinct(strings.Split(s, ","))
}

// distinct leaves out what is empty and what is there already, in any letter case.
func distinct(values []string) []string {
	var out []string
	for _, v := range values {
		v = strings.TrimSpace(v)
		if v == "" || slices.ContainsFunc(out, func(o string) bool { return filter.Fold(o) == filter.Fold(v) }) {
			continue
		}
		if out = append(out, v); len(out) == mostValues {
			break
		}
	}
	return out
}

// texts are those in which free text is looked for.
func (a *Activity) texts() []string {
	return append([]string{a.Message, a.Title}, a.Objects...)
}
