package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/syslog"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/deadletter"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/portal"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// errTried ends a trial: it is refused, so that it leaves nothing.
var errTried = errors.New("it was a trial")

// Try implements [portal.Gateway]. The line is matched and decided in its turn among the messages, against all that is
// known now. It is cut where the input would that takes the longest.
func (p pages) Try(ctx context.Context, line string) (portal.Trial, error) {
	var most int
	for i := range p.g.config.Inputs {
		most = max(most, int(p.g.config.Inputs[i].MaxMessage))
	}
	now := time.Now()
	raw := []byte(line[:min(len(line), most)])
	m, _ := syslog.Parse(raw, now) // an empty line is an unknown one
	t := portal.Trial{Header: headerOf(&m, raw), Said: normalize(raw, now)}
	t.Said.Truncated = len(raw) < len(line)
	if event, err := cef.Parse(string(raw[m.Body:])); err == nil && m.StartsEvent(raw[m.Body:]) {
		t.Fields = fieldsOf(&event)
	}
	e := stream.Entry{Kind: stream.Notification, Time: now, Notification: t.Said}
	_, err := p.g.pipeline.give(ctx, &incoming{order: func(b *dedup.Batch, _ *stream.Entry, at time.Time) ([]*stream.Entry, error) {
		d := &p.g.pipeline.decider
		match, err := d.match(b, &t.Said, at)
		if err != nil {
			return nil, err
		}
		alert, err := d.alert(b, match.Alert)
		if err != nil {
			return nil, err
		}
		e.Time, e.Match, e.Decision = at, match, d.policy.Decide(&alert, &t.Said, &match, at)
		e.Key, e.Twins, e.Said = dedup.Key(&t.Said, at), alert.Others(t.Said.Service), alert.Said()
		return nil, &refusalError{errTried}
	}})
	if !errors.Is(err, errTried) {
		return t, err
	}
	t.Match, t.Decision = e.Match, e.Decision
	t.Sent, err = p.render(&e)
	return t, err
}

func headerOf(m *syslog.Message, raw []byte) []portal.Pair {
	out := []portal.Pair{{Name: "Form", Value: string(m.Form)}}
	if m.Priority >= 0 {
		out = append(out, portal.Pair{Name: "Priority", Value: strconv.Itoa(m.Priority)})
	}
	if !m.Time.IsZero() {
		out = append(out, portal.Pair{Name: "Time", Value: m.Time.UTC().Format(time.RFC3339Nano)})
	}
	for _, f := range []portal.Pair{{Name: "Host", Value: m.Host}, {Name: "Application", Value: m.App}, {Name: "Process", Value: m.Proc}, {Name: "Message ID", Value: m.MsgID}} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return append(out, portal.Pair{Name: "Content", Value: fmt.Sprintf("%d bytes, from byte %d on", len(raw)-m.Body, m.Body)})
}

func fieldsOf(e *cef.Event) []portal.Pair {
	out := []portal.Pair{
		{Name: "Device Vendor", Value: e.Vendor},
		{Name: "Device Product", Value: e.Product},
		{Name: "Device Version", Value: e.Device},
		{Name: "Device Event Class ID", Value: e.Class},
		{Name: "Name", Value: e.Name},
		{Name: "Severity", Value: e.Severity},
	}
	for _, f := range e.Extension {
		out = append(out, portal.Pair{Name: f.Key, Value: f.Value})
	}
	return out
}

// asker is who asks for a page, as the audit log names them.
func asker(ctx context.Context) string {
	who, _ := access.From(ctx)
	return who.By()
}

// letter does something with a dead letter.
func (p pages) letter(ctx context.Context, what, target, id string, do func(*delivery, context.Context, *deadletter.Letter) error) error {
	d, err := p.delivery(target)
	if err == nil {
		err = p.g.noteLetter(ctx, asker(ctx), what, target, id)
	}
	if err != nil {
		return err
	}
	_, err = d.letter(ctx, id, func(ctx context.Context, l *deadletter.Letter) error { return do(d, ctx, l) })
	if errors.Is(err, deadletter.ErrNotFound) {
		return fmt.Errorf("%w: %w", model.ErrNotFound, err)
	}
	if errors.Is(err, errRefused) {
		return fmt.Errorf("%w: %w", model.ErrRefused, err)
	}
	return err
}

// Retry implements [portal.Gateway].
func (p pages) Retry(ctx context.Context, target, id string) error {
	return p.letter(ctx, retriedLetter, target, id, (*delivery).retry)
}

// Drop implements [portal.Gateway].
func (p pages) Drop(ctx context.Context, target, id string) error {
	return p.letter(ctx, droppedLetter, target, id, (*delivery).giveUp)
}

// Test implements [portal.Gateway].
func (p pages) Test(ctx context.Context, target string) (string, error) {
	const patience = 15 * time.Second
	host, err := os.Hostname()
	if err != nil {
		host = "sluice"
	}
	if err := p.g.note(ctx, asker(ctx), model.Noted{What: testedTarget, Text: target}); err != nil {
		return "", fmt.Errorf("%w: %w", model.ErrUnavailable, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t, err := TryTarget(ctx, Options{Config: p.g.config, Log: p.g.log, Stdout: os.Stdout, Hostname: host}, target)
	if errors.Is(err, ErrNoTarget) {
		return "", fmt.Errorf("%w: %w", model.ErrNotFound, err)
	}
	if err != nil {
		return "", err
	}
	took := t.Took.Round(time.Millisecond)
	switch {
	case t.Delivered:
		return fmt.Sprintf("%s took the test event in %v; find it there by its event key %s.", target, took, t.Key), nil
	case t.Refused:
		return fmt.Sprintf("%s refuses the test event for good (after %v): %v", target, took, t.Err), nil
	case t.Blocked:
		return fmt.Sprintf("%s takes nothing until somebody mends it (after %v): %v", target, took, t.Err), nil
	}
	return fmt.Sprintf("%s didn't take the test event (after %v): %v", target, took, t.Err), nil
}

func (p pages) delivery(name string) (*delivery, error) {
	for _, d := range p.g.deliveries {
		if d.name == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no target %q: %w", name, model.ErrNotFound)
}
