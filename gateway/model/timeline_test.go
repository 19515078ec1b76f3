package model

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// did folds an activity.
func (c *crowd) did(who, what string) {
	c.Helper()
	e := c.entry(formats.CloudAppSecurity, who)
	e.At = stream.Position{Sequence: uint64(c.count)}
	e.Notification.Kind, e.Notification.Title, e.Notification.Start = formats.Activity, what, e.Time
	c.begin()
	c.must(c.f.activity(context.Background(), e, lineOf(e)))
}

// raised folds an alert's line, and that the alert names these.
func (c *crowd) raised(what string, who ...string) {
	c.Helper()
	e := c.entry(formats.DefenderForIdentity, who...)
	e.At = stream.Position{Sequence: uint64(c.count)}
	e.Notification.Kind, e.Notification.Title, e.Notification.Start = formats.Alert, what, e.Time
	c.begin()
	for _, w := range who {
		n, err := c.f.name(context.Background(), e, w)
		c.must(err)
		c.must(c.f.exec(context.Background(), "INSERT INTO alert_names (name, alert) VALUES (?, ?)", n, c.count))
	}
	c.must(c.f.exec(context.Background(), "INSERT INTO alerts (n, id, revision, closed, severity, first, last, seen, folded, data) VALUES (?, ?, 1, ?, 1, 1, 1, 0, 1, '')",
		c.count, fmt.Sprint("alert ", c.count), strings.HasPrefix(what, "closed")))
	c.must(c.f.logAlert(context.Background(), e, int64(c.count), &Alert{}))
}

// timeline reads all pages.
func (c *crowd) timeline(id string, q Query) []string {
	c.Helper()
	got := []string{}
	for range 100 {
		page, err := c.m.Timeline(context.Background(), id, q)
		c.must(err)
		for _, a := range page.Items {
			got = append(got, a.Title)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	return got
}

func TestTimeline(t *testing.T) {
	c := newCrowd(t, hill())
	c.did("ibrook@hill.example", "a")
	c.raised("b", `HILL\ibrook`, "max")
	c.did("max", "not hers")
	c.raised("c", "max", "Ida Brook", "ibrook")
	c.raised("closed d", "zoe", "ibrook")
	c.raised("not hers either", "max")
	c.did("Ida Brook", "e")
	c.commit()
	ida := c.id("ibrook")
	hers := []string{"closed d", "c", "b", "a"}
	for limit := 1; limit < 6; limit++ {
		if diff := cmp.Diff(hers, c.timeline(ida, Query{Limit: limit})); diff != "" {
			t.Errorf("%d at once, -want +got:\n%s", limit, diff)
		}
	}
	c.act(Join{User: ida, With: c.id("Ida Brook")})
	hers = append([]string{"e"}, hers...)
	if diff := cmp.Diff(hers, c.timeline(idOf("ida brook"), Query{Limit: 2})); diff != "" {
		t.Errorf("joined, -want +got:\n%s", diff)
	}
	slices.Reverse(hers)
	if diff := cmp.Diff(hers, c.timeline(ida, Query{Limit: 2, Sort: "time"})); diff != "" {
		t.Errorf("rising, -want +got:\n%s", diff)
	}
	for _, tt := range []struct {
		c    filter.Condition
		want []string
	}{
		{filter.Condition{Field: "kind", Op: filter.Equals, Values: []string{"alert"}}, []string{"closed d", "c", "b"}},
		{filter.Condition{Field: "kind", Op: filter.NotEquals, Values: []string{"alert"}}, []string{"e", "a"}},
		{filter.Condition{Field: "title", Op: filter.Equals, Values: []string{"c", "not hers", "a"}}, []string{"c", "a"}},
		{filter.Condition{Field: "user", Op: filter.Equals, Values: []string{"max"}}, []string{"c"}},
	} {
		if diff := cmp.Diff(tt.want, c.timeline(ida, Query{Filter: filter.Filter{tt.c}, Limit: 2})); diff != "" {
			t.Errorf("%v, -want +got:\n%s", tt.c, diff)
		}
	}
	if u := c.user(ida); u.Activities != 3 || u.Alerts != 2 {
		t.Errorf("%d activities and %d open alerts, want 3 and 2", u.Activities, u.Alerts)
	}
	if _, err := c.m.Timeline(t.Context(), "nobody", Query{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("Timeline(nobody) = %v", err)
	}
	if _, err := c.m.Timeline(t.Context(), ida, Query{Cursor: "x"}); !errors.Is(err, ErrCursor) {
		t.Errorf("Timeline from nowhere = %v", err)
	}
}

// BenchmarkTimeline: the newest lines of users who do little and much, among 200,000 activities (SLUICE_LINES says
// otherwise), and how long counting theirs takes.
func BenchmarkTimeline(b *testing.B) {
	c := newCrowd(b, hill())
	n := 200_000
	if s := os.Getenv("SLUICE_LINES"); s != "" {
		_, err := fmt.Sscan(s, &n)
		c.must(err)
	}
	for i := range n {
		who := fmt.Sprintf("user%d@hill.example", i%1000)
		switch {
		case i%10 == 0:
			who = "service@hill.example"
		case i%1000 == 1:
			who = "ida@hill.example"
		case i%5000 == 2:
			c.raised("an alert", "max", who, "ida@hill.example")
		}
		c.time = c.time.Add(-59 * time.Second)
		c.did(who, "Run command")
		if i%batchEntries == 0 {
			c.commit()
		}
	}
	c.commit()
	for _, name := range []string{"service@hill.example", "ida@hill.example", "user7@hill.example"} {
		id := c.id(name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := c.m.Timeline(context.Background(), id, Query{Limit: 50}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/user", func(b *testing.B) {
			for b.Loop() {
				c.user(id)
			}
		})
	}
}
