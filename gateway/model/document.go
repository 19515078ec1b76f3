package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// SavedQuery is a filter that somebody keeps.
type SavedQuery struct {
	ID       string `json:"id"`       // empty for one that is new: it gets that of the act that saves it
	Revision int64  `json:"revision"` // the ETag; of the one that is replaced
	Name     string `json:"name"`
	Of       string `json:"of"`     // alerts, activities
	Filter   string `json:"filter"` // in the filter language
	Sort     string `json:"sort,omitempty"`
	Owner    string `json:"owner"`
	Shared   bool   `json:"shared"`
	Built    bool   `json:"suggested,omitempty"` // it comes with Sluice and can't be changed
}

// ActivityPolicy raises an alert of our own for activities.
type ActivityPolicy struct {
	ID          string           `json:"id"`       // empty for one that is new: it gets that of the act that saves it
	Revision    int64            `json:"revision"` // the ETag; of the one that is replaced
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Severity    formats.Severity `json:"severity"`
	Category    string           `json:"category,omitempty"`
	Filter      string           `json:"filter"`            // of activities
	Times       int              `json:"times"`             // so many activities of one user; 1 for each. With volume: in a day, at least
	Within      time.Duration    `json:"within,omitempty"`  // in so long, nanoseconds; a user is told of once in that time
	Outside     *Hours           `json:"outside,omitempty"` // only activities outside of these hours
	Beyond      *Beyond          `json:"beyond,omitempty"`  // only what isn't usual
	Enabled     bool             `json:"enabled"`
	Owner       string           `json:"owner"`
	Built       bool             `json:"built_in,omitempty"` // it comes with Sluice: only Enabled, Severity and the numbers can be changed
}

// Hours are those in which people work.
type Hours struct {
	Days []string `json:"days"` // mon, tue, …
	From string   `json:"from"` // 07:00
	To   string   `json:"to"`   // 19:00, not among them
	Zone string   `json:"zone"` // of the IANA time zone database: Europe/Berlin
}

// Beyond compares what a user does with their own past and with others'.
type Beyond struct {
	// What isn't usual. volume: more activities that fit in a day than Factor times the user's greatest day and than
	// Factor times what is usual among their peers. new: a value of Field that neither the user had nor several others.
	// dormant: any activity after as many days without.
	What   string  `json:"what"`
	Field  string  `json:"field,omitempty"`  // new: network, device, application, action
	Factor float64 `json:"factor,omitempty"` // volume
	Days   int     `json:"days"`             // of the past that count; a user who isn't known for so long has no past
}

// The kinds of documents.
const (
	kindQuery  = "query"
	kindPolicy = "policy"
)

// What may be kept.
const (
	mostQueries  = 2000
	mostOwn      = 200 // queries of one operator, so that nobody takes all the room
	mostPolicies = 200
	mostTimes    = 1000               // that are counted one by one
	mostVolume   = 1_000_000          // in a day
	mostWithin   = 7 * 24 * time.Hour //
	mostPast     = 90                 // days
)

// Queries lists the saved queries that somebody sees: the suggested ones, their own, and what others share.
func (m *Model) Queries(ctx context.Context, by string) ([]SavedQuery, error) {
	saved, err := documents[SavedQuery](ctx, m.reader, kindQuery)
	if err != nil {
		return nil, err
	}
	saved = slices.DeleteFunc(saved, func(q SavedQuery) bool { return q.Owner != by && !q.Shared })
	slices.SortStableFunc(saved, func(a, b SavedQuery) int { return strings.Compare(filter.Fold(a.Name), filter.Fold(b.Name)) })
	return append(suggested(), saved...), nil
}

// Query gives one, whoever owns it.
func (m *Model) Query(ctx context.Context, id string) (SavedQuery, error) {
	if i := slices.IndexFunc(suggested(), func(q SavedQuery) bool { return q.ID == id }); i >= 0 {
		return suggested()[i], nil
	}
	return document[SavedQuery](ctx, m.reader, kindQuery, id)
}

// Policies lists the activity policies, those that come with Sluice first.
func (m *Model) Policies(ctx context.Context) ([]ActivityPolicy, error) {
	return policies(ctx, m.reader)
}

// Policy gives one.
func (m *Model) Policy(ctx context.Context, id string) (ActivityPolicy, error) {
	p, err := document[ActivityPolicy](ctx, m.reader, kindPolicy, id)
	i := slices.IndexFunc(builtIn(), func(p ActivityPolicy) bool { return p.ID == id })
	switch {
	case i >= 0 && errors.Is(err, ErrNotFound):
		return builtIn()[i], nil
	case i >= 0 && err == nil:
		return builtIn()[i].with(p), nil
	}
	return p, err
}

// policies lists all. One that comes with Sluice is a document once somebody changed it.
func policies(ctx context.Context, q querier) ([]ActivityPolicy, error) {
	kept, err := documents[ActivityPolicy](ctx, q, kindPolicy)
	if err != nil {
		return nil, err
	}
	ours := builtIn()
	var theirs []ActivityPolicy
	for _, p := range kept {
		if i := slices.IndexFunc(ours, func(o ActivityPolicy) bool { return o.ID == p.ID }); i >= 0 {
			ours[i] = ours[i].with(p)
		} else {
			theirs = append(theirs, p)
		}
	}
	slices.SortStableFunc(theirs, func(a, b ActivityPolicy) int { return strings.Compare(filter.Fold(a.Name), filter.Fold(b.Name)) })
	return append(ours, theirs...), nil
}

// with is a policy that comes with Sluice with what somebody changed of it.
func (p ActivityPolicy) with(o ActivityPolicy) ActivityPolicy {
	p.Revision, p.Owner, p.Enabled, p.Severity, p.Times, p.Within = o.Revision, o.Owner, o.Enabled, o.Severity, o.Times, o.Within
	if p.Outside != nil && o.Outside != nil {
		p.Outside = o.Outside
	}
	if p.Beyond != nil && o.Beyond != nil {
		p.Beyond = &Beyond{What: p.Beyond.What, Field: p.Beyond.Field, Factor: o.Beyond.Factor, Days: o.Beyond.Days}
	}
	return p
}

func document[T any](ctx context.Context, q querier, kind, id string) (T, error) {
	var found T
	all, err := readDocuments[T](ctx, q, "SELECT data FROM documents WHERE kind = ? AND id = ?", kind, id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s %s: %w", kind, id, ErrNotFound)
	}
	if err == nil {
		found = all[0]
	}
	return found, err
}

func documents[T any](ctx context.Context, q querier, kind string) ([]T, error) {
	return readDocuments[T](ctx, q, "SELECT data FROM documents WHERE kind = ? ORDER BY id", kind)
}

func readDocuments[T any](ctx context.Context, q querier, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var out []T
	for rows.Next() {
		var data []byte
		var d T
		if err := rows.Scan(&data); err != nil {
			return nil, fmt.Errorf("read documents: %w", err)
		}
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("read documents: %w", err)
		}
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	return out, nil
}

// checkDocument says whether an act on documents can be done. When the act is folded it is asked again, but for what wasn't asked
// always: what was recorded before that still stands.
func (m *Model) checkDocument(ctx context.Context, by string, a Act) error {
	if err := checkDocument(ctx, m.reader, by, a); err != nil {
		return err
	}
	switch a := a.(type) {
	case SavePolicy:
		return a.Policy.checkKind()
	case SaveQuery:
		if a.Query.ID != "" {
			return nil
		}
		var own int
		if err := m.reader.QueryRowContext(ctx, "SELECT count(*) FROM documents WHERE kind = ? AND owner = ?", kindQuery, by).Scan(&own); err != nil {
			return fmt.Errorf("count documents: %w", err)
		}
		if own >= mostOwn {
			return fmt.Errorf("%w: %d queries are yours, and can be no more: forget some", ErrRefused, own)
		}
	}
	return nil
}

func checkDocument(ctx context.Context, q querier, by string, a Act) error {
	switch a := a.(type) {
	case SaveQuery:
		if err := a.Query.check(); err != nil {
			return err
		}
		return checkOwned[SavedQuery](ctx, q, by, owned{kind: kindQuery, id: a.Query.ID, revision: a.Query.Revision, most: mostQueries})
	case DropQuery:
		return checkOwned[SavedQuery](ctx, q, by, owned{kind: kindQuery, id: a.ID, drop: true, shared: a.Shared})
	case SavePolicy:
		if err := a.Policy.check(); err != nil {
			return err
		}
		return checkPolicy(ctx, q, by, &a.Policy)
	case DropPolicy:
		if slices.ContainsFunc(builtIn(), func(p ActivityPolicy) bool { return p.ID == a.ID }) {
			return fmt.Errorf("%w: policy %s comes with Sluice; switch it off instead", ErrRefused, a.ID)
		}
		return checkOwned[ActivityPolicy](ctx, q, by, owned{kind: kindPolicy, id: a.ID, drop: true})
	}
	return fmt.Errorf("%w: %s is no act on documents", ErrRefused, a.verb())
}

// owned is a document that somebody wants to save or drop.
type owned struct {
	kind, id string
	revision int64
	drop     bool
	shared   bool // others' too, if they are shared
	most     int  // of the kind
}

// checkOwned says whether somebody may do that. What others keep for themselves isn't there.
func checkOwned[T SavedQuery | ActivityPolicy](ctx context.Context, q querier, by string, o owned) error {
	if slices.ContainsFunc(suggested(), func(s SavedQuery) bool { return s.ID == o.id }) {
		return fmt.Errorf("%w: %s %s comes with Sluice and can't be changed", ErrRefused, o.kind, o.id)
	}
	if o.id == "" {
		var count int
		if err := q.QueryRowContext(ctx, "SELECT count(*) FROM documents WHERE kind = ?", o.kind).Scan(&count); err != nil {
			return fmt.Errorf("count documents: %w", err)
		}
		if count >= o.most {
			return fmt.Errorf("%w: there are %d of them, and can be no more", ErrRefused, count)
		}
		return nil
	}
	d, err := document[T](ctx, q, o.kind, o.id)
	if err != nil {
		return err
	}
	owner, revision, shared := "", int64(0), true
	switch d := any(d).(type) {
	case SavedQuery:
		owner, revision, shared = d.Owner, d.Revision, d.Shared
	case ActivityPolicy: // everybody's business
		owner, revision = by, d.Revision
	}
	switch {
	case owner != by && !shared:
		return fmt.Errorf("%s %s: %w", o.kind, o.id, ErrNotFound)
	case owner != by && !o.shared:
		return fmt.Errorf("%w: %s %s is %s's", ErrRefused, o.kind, o.id, owner)
	case !o.drop && revision != o.revision:
		return fmt.Errorf("%w: %s %s has revision %d and not %d", ErrChanged, o.kind, o.id, revision, o.revision)
	}
	return nil
}

// checkPolicy says whether a policy may replace what is there. Of one that comes with Sluice what it looks for stays.
func checkPolicy(ctx context.Context, q querier, by string, p *ActivityPolicy) error {
	i := slices.IndexFunc(builtIn(), func(o ActivityPolicy) bool { return o.ID == p.ID && p.ID != "" })
	if i < 0 {
		return checkOwned[ActivityPolicy](ctx, q, by, owned{kind: kindPolicy, id: p.ID, revision: p.Revision, most: mostPolicies})
	}
	was, err := document[ActivityPolicy](ctx, q, kindPolicy, p.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if was.Revision != p.Revision {
		return fmt.Errorf("%w: policy %s has revision %d and not %d", ErrChanged, p.ID, was.Revision, p.Revision)
	}
	if !sameButNumbers(builtIn()[i], *p) {
		return fmt.Errorf("%w: policy %s comes with Sluice: only whether it is enabled, its severity, hours and numbers can be changed; save a new one instead", ErrRefused, p.ID)
	}
	return nil
}

// sameButNumbers says whether two policies look for the same.
func sameButNumbers(a, b ActivityPolicy) bool {
	if (a.Outside == nil) != (b.Outside == nil) || (a.Beyond == nil) != (b.Beyond == nil) {
		return false
	}
	if a.Beyond != nil && (a.Beyond.What != b.Beyond.What || a.Beyond.Field != b.Beyond.Field) {
		return false
	}
	return a.Name == b.Name && a.Filter == b.Filter && a.Category == b.Category && a.Description == b.Description
}

// sameLessons says whether what a policy counted and learned is good for another version of it.
func sameLessons(a, b ActivityPolicy) bool {
	same := a.Filter == b.Filter && (a.Beyond == nil) == (b.Beyond == nil)
	return same && (a.Beyond == nil || a.Beyond.What == b.Beyond.What && a.Beyond.Field == b.Beyond.Field)
}

// Kept is the query as an act of that ID keeps it. One that replaces another says whose that is.
func (q SavedQuery) Kept(act, by string) SavedQuery {
	if q.ID == "" {
		q.ID, q.Owner = act, by
	}
	q.Revision, q.Built = q.Revision+1, false
	return q
}

// Kept is the policy as an act of that ID keeps it. Who changed it last answers for it.
func (p ActivityPolicy) Kept(act, by string) ActivityPolicy {
	p.Built = slices.ContainsFunc(builtIn(), func(o ActivityPolicy) bool { return o.ID == p.ID && p.ID != "" })
	if p.ID == "" {
		p.ID = act
	}
	p.Owner, p.Revision = by, p.Revision+1
	return p
}

// actOnDocuments folds an act on documents. One that no longer fits, because another one came first, is left out.
func (f *folder) actOnDocuments(ctx context.Context, e *stream.Entry, act Act) error {
	if err := checkDocument(ctx, f.conn, e.Act.By, act); err != nil {
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrRefused) || errors.Is(err, ErrChanged) {
			f.m.log.Info("an act no longer fits", "act", string(e.Key), "verb", act.verb(), "err", err)
			return nil
		}
		return err
	}
	if err := f.flushPolicies(ctx); err != nil {
		return err
	}
	f.policies = nil // they are read again
	switch a := act.(type) {
	case SaveQuery:
		q := a.Query.Kept(string(e.Key), e.Act.By)
		if a.Query.ID != "" {
			was, err := document[SavedQuery](ctx, f.conn, kindQuery, q.ID)
			if err != nil {
				return err
			}
			q.Owner = was.Owner
		}
		return f.keepDocument(ctx, owned{kind: kindQuery, id: q.ID, revision: q.Revision}, q.Owner, q)
	case SavePolicy:
		return f.keepPolicy(ctx, a.Policy.Kept(string(e.Key), e.Act.By))
	case DropQuery:
		return f.exec(ctx, "DELETE FROM documents WHERE kind = ? AND id = ?", kindQuery, a.ID)
	case DropPolicy:
		if err := f.exec(ctx, "DELETE FROM documents WHERE kind = ? AND id = ?", kindPolicy, a.ID); err != nil {
			return err
		}
		return f.forgetPolicy(ctx, a.ID)
	}
	return nil
}

// keepPolicy replaces a policy by another version, which knows what is usual as if it had always been there.
func (f *folder) keepPolicy(ctx context.Context, p ActivityPolicy) error {
	was, err := document[ActivityPolicy](ctx, f.conn, kindPolicy, p.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	knows := err == nil && was.Enabled && sameLessons(was, p)
	if !knows || !p.Enabled {
		if err := f.forgetPolicy(ctx, p.ID); err != nil {
			return err
		}
	}
	if !knows && p.learns() {
		if err := f.relearn(ctx, p); err != nil {
			return err
		}
	}
	return f.keepDocument(ctx, owned{kind: kindPolicy, id: p.ID, revision: p.Revision}, p.Owner, p)
}

func (f *folder) keepDocument(ctx context.Context, o owned, owner string, d any) error {
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", o.kind, o.id, err)
	}
	return f.exec(ctx, "INSERT INTO documents (kind, id, owner, revision, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE "+
		"SET owner = excluded.owner, revision = excluded.revision, data = excluded.data", o.kind, o.id, owner, o.revision, string(data))
}

func (q *SavedQuery) check() error {
	if err := checkWord("the name", q.Name); err != nil {
		return err
	}
	fields, sorts := filter.Alerts(), []string{"time", "-time", "severity", "-severity", "first_seen", "-first_seen"}
	switch q.Of {
	case "alerts":
	case "activities":
		fields, sorts = filter.Activities(), []string{"time", "-time"}
	default:
		return fmt.Errorf("%w: a query is of alerts or of activities, not of %q", ErrInvalid, q.Of)
	}
	if _, err := fields.Parse(q.Filter); err != nil {
		return fmt.Errorf("%w: the filter: %w", ErrInvalid, err)
	}
	if q.Sort != "" && !slices.Contains(sorts, q.Sort) {
		return fmt.Errorf("%w: %s are sorted by %s, not by %q", ErrInvalid, q.Of, strings.Join(sorts, ", "), q.Sort)
	}
	return nil
}

// check says what is wrong with a policy.
func (p *ActivityPolicy) check() error {
	if err := errors.Join(checkWord("the name", p.Name), checkText("the description", p.Description)); err != nil {
		return err
	}
	if p.Category != "" {
		if err := checkWord("the category", p.Category); err != nil {
			return err
		}
	}
	f, err := filter.Activities().Parse(p.Filter)
	if err != nil {
		return fmt.Errorf("%w: the filter: %w", ErrInvalid, err)
	}
	if i := slices.IndexFunc(f, func(c filter.Condition) bool { return c.Field == "time" || c.Field == "alert" }); i >= 0 {
		return fmt.Errorf("%w: the filter asks for the %s, which a policy that judges what comes in doesn't know", ErrInvalid, f[i].Field)
	}
	switch {
	case len(f) == 0:
		return fmt.Errorf("%w: a policy without a filter would raise an alert for everything", ErrInvalid)
	case p.Severity < formats.Informational || p.Severity > formats.High:
		return fmt.Errorf("%w: the severity is informational, low, medium or high, not %s", ErrInvalid, p.Severity)
	case p.Times < 1 || p.Times > mostTimes && (p.Beyond == nil || p.Beyond.What != beyondVolume) || p.Times > mostVolume:
		return fmt.Errorf("%w: times is from 1 to %d, and with volume to %d, not %d", ErrInvalid, mostTimes, mostVolume, p.Times)
	case p.Within < 0 || p.Within > mostWithin:
		return fmt.Errorf("%w: within is at most 7 days, not %s", ErrInvalid, p.Within)
	case p.Times > 1 && p.Within < time.Second && (p.Beyond == nil || p.Beyond.What != beyondVolume):
		return fmt.Errorf("%w: %d times within how long?", ErrInvalid, p.Times)
	}
	if p.Outside != nil {
		if _, err := p.Outside.clock(); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return p.Beyond.check()
}

// checkKind says whether a policy's filter is for something else than activities.
func (p *ActivityPolicy) checkKind() error {
	f, err := filter.Activities().Parse(p.Filter)
	if err != nil {
		return fmt.Errorf("%w: the filter: %w", ErrInvalid, err)
	}
	activity := func(field string) []string { return map[string][]string{"kind": {string(formats.Activity)}}[field] }
	if i := slices.IndexFunc(f, func(c filter.Condition) bool {
		return c.Field == "kind" && !filter.Filter{c}.Match(time.Time{}, activity)
	}); i >= 0 {
		return fmt.Errorf("%w: by %s no activity fits, and a policy judges nothing else", ErrInvalid, f[i:i+1])
	}
	return nil
}

func (b *Beyond) check() error {
	if b == nil {
		return nil
	}
	if b.Days < 1 || b.Days > mostPast {
		return fmt.Errorf("%w: the past has 1 to %d days, not %d", ErrInvalid, mostPast, b.Days)
	}
	switch b.What {
	case beyondVolume:
		if b.Factor < 1 || b.Factor > 1000 {
			return fmt.Errorf("%w: the factor is from 1 to 1000, not %g", ErrInvalid, b.Factor)
		}
	case beyondNew:
		if !slices.Contains([]string{"network", "device", "application", "action"}, b.Field) {
			return fmt.Errorf("%w: new is a network, device, application or action, not %q", ErrInvalid, b.Field)
		}
	case beyondDormant:
	default:
		return fmt.Errorf("%w: beyond is volume, new or dormant, not %q", ErrInvalid, b.What)
	}
	return nil
}
