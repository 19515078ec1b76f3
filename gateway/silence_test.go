package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// quietly is a pipeline in dir whose clock the test moves.
type quietly struct {
	*pipeline
	t     *testing.T
	clock time.Time
	log   bytes.Buffer
	close func()
}

func openQuietly(t *testing.T, dir string, c config.Config, at time.Duration) *quietly {
	t.Helper()
	q := &quietly{t: t, clock: monday.Add(at)}
	q.pipeline, q.close = newPipelineIn(t, dir, c, slog.New(slog.NewTextHandler(&q.log, nil)), q.clock)
	q.now = func() time.Time { return q.clock }
	return q
}

// at moves the clock, in the steps in which run would look, and takes the messages then.
func (q *quietly) at(after time.Duration, lines ...string) {
	q.t.Helper()
	end := monday.Add(after)
	for !q.silent.next.IsZero() && q.silent.next.Before(end) {
		q.clock = q.silent.next
		q.take()
		if !q.silent.next.After(q.clock) {
			q.t.Fatal("it would look without end")
		}
	}
	q.clock = end
	q.take(lines...)
}

func (q *quietly) take(lines ...string) {
	q.t.Helper()
	var messages []*incoming
	for _, l := range lines {
		m := &incoming{of: &request{left: len(lines), done: make(chan error, 1)}, entry: entryOf("test", normalize([]byte(l), q.clock))}
		messages = append(messages, m)
	}
	if _, err := q.attempt(q.t.Context(), messages); err != nil {
		q.t.Fatal(err)
	}
}

// told lists the silences of the stream: when each was decided, after monday.
func (q *quietly) told() []string {
	q.t.Helper()
	out := []string{}
	for m, err := range q.stream.Scan(q.t.Context(), 1) {
		if err != nil {
			q.t.Fatal(err)
		}
		for _, e := range m.Entries {
			if e.Kind == stream.Silence {
				out = append(out, fmt.Sprintf("%s %s %s", e.Time.Sub(monday).Round(time.Second), e.Notification.Origin, e.Decision.Action))
			}
		}
	}
	return out
}

func limits(mdi, mcas config.Quiet, event bool) func(*config.Config) {
	return func(c *config.Config) {
		c.Silence = config.Silence{DefenderForIdentity: mdi, CloudAppSecurity: mcas, Event: event}
	}
}

func ofMDI(n int) string { return incident{number: n, user: "ida.brook", host: "WS-17"}.mdi() }

func TestSilenceIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	c := with(limits(config.Quiet(30*m), config.Off, true))
	q := openQuietly(t, dir, c, 0)
	q.at(20*m, ofMDI(1))
	q.at(49*m, cloudAlert(1)) // another service is no sign of life
	if got := q.told(); len(got) > 0 {
		t.Fatalf("told of %q", got)
	}
	q.at(5 * h)
	want := []string{"50m0s defender_for_identity forward"}
	if diff := cmp.Diff(want, q.told()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}

	// Neither a restart nor a rebuild tells of it again.
	q.close()
	q = openQuietly(t, dir, c, 6*h)
	q.at(8 * h)
	if r := folded(t, entriesOf(t, q.stream)).Rhythm(formats.DefenderForIdentity); !cmp.Equal(r, q.index.Rhythm(formats.DefenderForIdentity)) {
		t.Error("the rhythm folded from the stream differs")
	}
	q.at(9*h, ofMDI(2))
	if diff := cmp.Diff(want, q.told()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	q.at(9*h+29*m, ofMDI(2)) // a resend is a sign of life too
	q.at(12 * h)
	want = append(want, "9h59m0s defender_for_identity forward")
	if diff := cmp.Diff(want, q.told()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	if silent, again := strings.Count(q.log.String(), "gone silent"), strings.Count(q.log.String(), "heard again"); silent != 1 || again != 1 {
		t.Errorf("the log tells %d times of a silence and %d times of its end, want once each:\n%s", silent, again, q.log.String())
	}
}

func entriesOf(t *testing.T, s *stream.Stream) (out []*stream.Entry) {
	t.Helper()
	for m, err := range s.Scan(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m.Entries...)
	}
	return out
}

// TestOnlyListeningCounts: a service isn't silent because the gateway was down, or its disk full; what was
// quiet before that counts.
func TestOnlyListeningCounts(t *testing.T) {
	dir := t.TempDir()
	c := with(limits(config.Quiet(30*m), config.Off, false))
	q := openQuietly(t, dir, c, 0)
	q.at(0, ofMDI(1))
	q.at(10*m, cloudAlert(1)) // the last sign that the gateway lived
	q.close()
	q = openQuietly(t, dir, c, 5*h)
	q.at(5*h + 10*m)
	q.silent.stopped(q.clock)
	q.clock = monday.Add(7 * h)
	if err := q.silent.heard(q.clock); err != nil {
		t.Fatal(err)
	}
	q.at(7*h+2*m, cloudAlert(2))
	q.close()
	q = openQuietly(t, dir, c, 17*h) // which doesn't make it forget the other pauses
	q.clock = monday.Add(17 * h)
	q.at(17*h + 7*m)
	if got := q.told(); len(got) > 0 {
		t.Fatalf("told of %q", got)
	}
	q.at(17*h + 9*m)
	if diff := cmp.Diff([]string{"17h8m0s defender_for_identity drop"}, q.told()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for range 2 * mostPauses {
		q.silent.stopped(q.clock)
		if err := q.silent.heard(q.clock.Add(s)); err != nil {
			t.Fatal(err)
		}
	}
	if len(q.silent.deaf) != mostPauses {
		t.Errorf("%d pauses are kept, want %d", len(q.silent.deaf), mostPauses)
	}
}

// TestNeverHeard: by what is usual nobody is missed who was never heard; by a limit everybody is.
func TestNeverHeard(t *testing.T) {
	q := openQuietly(t, t.TempDir(), with(limits(config.Auto, config.Quiet(2*h), false)), 0)
	q.at(30 * h)
	if diff := cmp.Diff([]string{"2h0m0s cloud_app_security drop"}, q.told()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if log := q.log.String(); !strings.Contains(log, "last_notification=never") || strings.Contains(log, "0001-01-01") {
		t.Errorf("the log doesn't say that it was never heard:\n%s", log)
	}
	off := openQuietly(t, t.TempDir(), with(func(c *config.Config) {
		c.Services.DefenderForIdentity.Enabled, c.Services.CloudAppSecurity.Enabled, c.Services.IdentityProtection.Enabled = false, false, false
	}), 0)
	if !off.silent.next.IsZero() {
		t.Error("services that are disabled are watched")
	}
}

// TestAutoWithinMinutes: a service that speaks every five minutes is missed within half an hour, once it
// is known.
func TestAutoWithinMinutes(t *testing.T) {
	q := openQuietly(t, t.TempDir(), with(), 0)
	const known = 3 * 24 * h
	n := 0
	for at := time.Duration(0); at < known; at += 5 * m {
		n++
		q.at(at, activity(n))
	}
	if got := q.told(); len(got) > 0 {
		t.Fatalf("told of %q", got)
	}
	q.at(known + 24*h)
	got := q.told()
	if len(got) != 1 || !strings.HasSuffix(got[0], " cloud_app_security drop") {
		t.Fatalf("told of %q, want of one silence of cloud_app_security", got)
	}
	r := q.index.Rhythm(formats.CloudAppSecurity)
	if quiet := r.Silent.Sub(r.Last); quiet > 6*h { // of the fourth day of the week nothing is known yet
		t.Errorf("missed after %s", quiet)
	}
}

func TestHealthOfServices(t *testing.T) {
	q := openQuietly(t, t.TempDir(), with(limits(config.Quiet(30*m), config.Auto, false)), 0)
	g := &Gateway{index: q.index, watched: q.silent.names()}
	look := func() (int, string) {
		w := httptest.NewRecorder()
		g.saySilent(w)
		return w.Code, w.Body.String()
	}
	q.at(0, ofMDI(1))
	last := monday.UTC().Format(time.RFC3339)
	code, body := look()
	want := "defender_for_identity: not silent, last notification " + last + "\ncloud_app_security: not silent, nothing was ever received\n"
	if code != 200 || body != want {
		t.Errorf("%d %q, want 200 %q", code, body, want)
	}
	q.at(h)
	if code, body := look(); code != 503 || !strings.HasPrefix(body, "defender_for_identity: silent, last notification "+last) {
		t.Errorf("%d %q, want 503 and the silent service", code, body)
	}
	var none dedup.Rhythm
	for _, s := range []formats.Service{formats.IdentityProtection, formats.UnknownService, formats.Sluice} {
		if r := q.index.Rhythm(s); !cmp.Equal(r, none) {
			t.Errorf("%s was never heard, or is no service of Microsoft's, and has a rhythm: %+v", s, r)
		}
	}
}
