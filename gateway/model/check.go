package model

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/config/filter"
)

// What an act may hold.
const (
	MostAlerts   = 2000    // alerts that one act is on
	MostText     = 4 << 10 // bytes of a comment
	mostWord     = 200     // bytes of a name
	mostComments = 500     // of one alert
)

// Check says whether an act can be recorded: nil, or an error that is [ErrNotFound], [ErrRefused] or [ErrChanged] and
// says why. One that would change nothing is refused, but for those that say how something shall be. Of several alerts
// those that an act doesn't fit stay as they are; it is refused where it fits none, or where one isn't there or would be taken
// from somebody unseen.
//
// It looks at what is folded by now. What comes before the act in the stream may yet make it pointless, and then
// folding it does nothing.
func (m *Model) Check(ctx context.Context, by string, a Act) error {
	if err := checkWord("who does it", by); err != nil {
		return err
	}
	switch act := a.(type) {
	case Close, Reopen, Assign, Write, Mark:
		return m.checkAlerts(ctx, by, act)
	case Undo:
		return m.checkUndo(ctx, act)
	case Tag, Join, Split:
		return m.checkPeople(ctx, by, act)
	case ResetScore:
		return m.checkReset(ctx, act)
	}
	return m.checkDocument(ctx, by, a)
}

func (m *Model) checkAlerts(ctx context.Context, by string, a Act) error {
	if err := checkTexts(a); err != nil {
		return err
	}
	ids, _ := alertsOf(a)
	switch {
	case len(ids) == 0:
		return fmt.Errorf("%w: no alert is named", ErrRefused)
	case len(ids) > MostAlerts:
		return fmt.Errorf("%w: %d alerts are too many for one act, which may be on %d", ErrRefused, len(ids), MostAlerts)
	}
	d := deed{act: a, by: by, at: time.Now(), table: m.options.Config.Closure}
	var refused error
	fits := false
	for _, id := range ids {
		_, r, err := m.recordBy(ctx, id)
		if err != nil {
			return err
		}
		if act, ok := a.(Assign); ok && act.unseen(by, id, r) {
			return fmt.Errorf("%w: alert %s is assigned to %s meanwhile, and nothing was changed", ErrRefused, id, r.Assigned)
		}
		if _, err = d.on(r); err == nil || errors.Is(err, errNothing) {
			fits = true // one is enough, but each has to be there
		} else if refused == nil {
			refused = err
		}
	}
	if fits {
		return nil
	}
	return refused
}

func checkTexts(a Act) error {
	switch a := a.(type) {
	case Close:
		if err := checkClass(a.Why); err != nil {
			return err
		}
		return checkText("the comment", a.Comment)
	case Reopen:
		return checkText("the comment", a.Comment)
	case Write:
		if strings.TrimSpace(a.Text) == "" {
			return fmt.Errorf("%w: the comment is empty", ErrInvalid)
		}
		return checkText("the comment", a.Text)
	case Assign:
		if a.To != "" {
			return checkWord("who it is assigned to", a.To)
		}
	}
	return nil
}

func checkReason(why string) error {
	if strings.TrimSpace(why) == "" {
		return fmt.Errorf("%w: the reason is empty", ErrInvalid)
	}
	return checkText("the reason", why)
}

func checkText(what, text string) error {
	switch {
	case len(text) > MostText:
		return fmt.Errorf("%w: %s has %d bytes and may have %d", ErrInvalid, what, len(text), MostText)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: %s is no UTF-8", ErrInvalid, what)
	}
	return nil
}

func checkWord(what, word string) error {
	switch {
	case strings.TrimSpace(word) == "":
		return fmt.Errorf("%w: %s is not said", ErrInvalid, what)
	case len(word) > mostWord:
		return fmt.Errorf("%w: %s has %d bytes and may have %d", ErrInvalid, what, len(word), mostWord)
	case !utf8.ValidString(word) || strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%w: %s is no line of text", ErrInvalid, what)
	}
	return nil
}

func (m *Model) checkUndo(ctx context.Context, u Undo) error {
	done, err := deedsOf(ctx, m.reader, m.codec, u.Act)
	if err != nil {
		return err
	}
	if len(done) == 0 {
		return fmt.Errorf("%w: no act %s on alerts", ErrNotFound, u.Act)
	}
	if done[0].Of == "" {
		return fmt.Errorf("%w: what act %s did can't be undone", ErrRefused, u.Act)
	}
	now, err := m.now(ctx)
	if err != nil {
		return err
	}
	window := m.options.Config.UndoWindow
	if age := now.Sub(done[0].time); age > window {
		return fmt.Errorf("%w: act %s was %s ago, and acts can be undone for %s", ErrRefused, u.Act, age.Round(time.Second), window)
	}
	for i := range done {
		r, err := m.recordAt(ctx, done[i].alert)
		if err == nil && done[i].undoable(r, m.codec) {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return fmt.Errorf("%w: what act %s did has been changed since", ErrChanged, u.Act)
}

// now is the time of the newest entry or, as it may be of some time ago, of the clock. That of the clock alone wouldn't do
// for a stream that was recorded with another one.
func (m *Model) now(ctx context.Context) (time.Time, error) {
	p, err := placeOf(ctx, m.reader)
	return later(time.Now().UTC(), p.time), err
}

// Select lists the alerts that a filter fits, for an act on all of them. A filter without a condition is refused, and
// one that fits more than limit, or [MostAlerts].
func (m *Model) Select(ctx context.Context, f filter.Filter, limit int) ([]string, error) {
	if len(f) == 0 {
		return nil, fmt.Errorf("%w: a filter without a condition fits every alert", ErrInvalid)
	}
	if limit <= 0 || limit > MostAlerts {
		limit = MostAlerts
	}
	ids, err := m.alertIDs(ctx, f, limit+1)
	if err == nil && len(ids) > limit {
		return nil, fmt.Errorf("%w: the filter fits more than %d alerts, which is the most for one act", ErrRefused, limit)
	}
	return ids, err
}
