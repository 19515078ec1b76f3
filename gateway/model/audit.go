package model

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Noted is an act that changes nothing that the model shows: it is for the audit log.
type Noted struct {
	What string `json:"-"`              // log_in, log_in_failed, log_out, denied, export, create_token, revoke_token
	From string `json:"from,omitempty"` // the address that asked
	Text string `json:"text,omitempty"` // how it went
	Left int    `json:"left,omitempty"` // how many like it before were too many to be noted
}

func (n Noted) verb() string { return n.What }

// Audited is a line of the audit log: something that an operator did, or tried.
type Audited struct {
	Key     string          `json:"key"` // the act's ID
	Time    time.Time       `json:"time"`
	By      string          `json:"by"`
	What    string          `json:"act"`
	Details json.RawMessage `json:"details"` // what was done, to what
	n       int64
}

// AuditFields are the fields of the audit log.
func AuditFields() filter.Fields {
	return filter.Fields{
		{Name: "by", Help: "Who did it."},
		{Name: "act", Help: "What was done, such as close, export or log_in_failed."},
		{Name: "details", Help: "The rest, as text: IDs, comments, filters, addresses."},
		{Name: "time", Kind: filter.Time, Help: "When."},
	}
}

// audit notes an act, whatever becomes of it.
func (f *folder) audit(ctx context.Context, e *stream.Entry) error {
	details := e.Act.Args
	if !json.Valid(details) {
		details = []byte("{}")
	}
	return f.exec(ctx, "INSERT INTO audit (key, time, who, who_folded, act, details, details_folded, scope) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		string(e.Key), millis(e.Time), e.Act.By, filter.Fold(e.Act.By), e.Act.Verb, string(details), filter.Fold(typed(details)), e.Act.Scope)
}

// typed is JSON with quotes, backslashes and the ends of lines in its text as they were typed, which is how they are searched for.
func typed(details []byte) string {
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\r`, "\r", `\t`, "\t").Replace(string(details))
}

// Audit gives a page of the audit log, the newest first or by time rising. The filter's fields are [AuditFields].
func (m *Model) Audit(ctx context.Context, q Query) (Page[Audited], error) {
	page := Page[Audited]{Items: []Audited{}}
	rising, err := byTime(q.Sort)
	if err != nil {
		return page, err
	}
	where, args, err := auditWhere(q.Filter, time.Now())
	if err != nil {
		return page, err
	}
	if q.Cursor != "" {
		n, err := strconv.ParseInt(q.Cursor[1:], 36, 64)
		if err != nil || cursorOf(n, rising) != q.Cursor {
			return page, fmt.Errorf("%.50q: %w", q.Cursor, ErrCursor)
		}
		where, args = where+map[bool]string{true: " AND n > ?", false: " AND n < ?"}[rising], append(args, n)
	}
	limit := limitOf(q.Limit)
	order := map[bool]string{true: " ORDER BY n", false: " ORDER BY n DESC"}[rising]
	page.Items, err = m.audited(ctx, where+order+" LIMIT ?", append(args, limit+1)...)
	if err == nil && len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = cursorOf(page.Items[limit-1].n, rising)
	}
	return page, err
}

// EachAudited gives every line that fits, the oldest first. It may be stopped at any time.
func (m *Model) EachAudited(ctx context.Context, f filter.Filter) iter.Seq2[Audited, error] {
	return func(yield func(Audited, error) bool) {
		where, args, err := auditWhere(f, time.Now())
		for after := int64(0); err == nil; {
			var lines []Audited
			if lines, err = m.audited(ctx, where+" AND n > ? ORDER BY n LIMIT ?", append(slices.Clone(args), after, mostLimit)...); err != nil {
				break
			}
			for i := range lines {
				if !yield(lines[i], nil) {
					return
				}
				after = lines[i].n
			}
			if len(lines) < mostLimit {
				return
			}
		}
		yield(Audited{}, err)
	}
}

func (m *Model) audited(ctx context.Context, where string, args ...any) ([]Audited, error) {
	rows, err := m.reader.QueryContext(ctx, "SELECT n, key, time, who, act, details FROM audit WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	out := []Audited{}
	for rows.Next() {
		var a Audited
		var ms int64
		var details string
		if err := rows.Scan(&a.n, &a.Key, &ms, &a.By, &a.What, &details); err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		a.Time, a.Details = instant(ms), json.RawMessage(details)
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return out, nil
}

// auditWhere is the filter as a condition on audit.
func auditWhere(f filter.Filter, now time.Time) (where string, args []any, err error) {
	return allOf("TRUE", f, func(c filter.Condition) (string, []any, error) { return auditCondition(c, now) })
}

// auditCondition is the positive form of a condition.
func auditCondition(c filter.Condition, now time.Time) (sql string, args []any, err error) {
	switch column := map[string]string{"by": "who_folded", "act": "act", "details": "details_folded"}[c.Field]; {
	case column != "":
		return textCondition(column, c)
	case c.Field == "time":
		return timeCondition("time", c, now)
	}
	return "", nil, fmt.Errorf("%w: the audit log has no field %s", ErrRefused, c.Field)
}
