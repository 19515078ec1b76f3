package gateway

import (
	"context"
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/portal"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/company"
)

// forgetful is a gateway whose stream has nothing any more.
type forgetful struct{ portal.Gateway }

func (forgetful) Received(context.Context, *model.Activity) (*formats.Notification, error) {
	return nil, stream.ErrPurged
}

// pagesOf gives the pages over a model by their paths.
func pagesOf(t *testing.T, m *model.Model) func(path string) string {
	pages := portal.New(portal.Options{
		Model: func(access.Scope) (*model.Model, error) { return m, nil }, Door: ajar{}, Config: config.Default(), Log: slog.New(slog.DiscardHandler),
		Gateway: forgetful{},
	})
	return func(path string) string {
		t.Helper()
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %.500s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
}

// TestAUserWhileProfilesAreRead: after a start the list has the scores that were written last, and a user's page has
// everything but what the score is made of, and says so.
func TestAUserWhileProfilesAreRead(t *testing.T) {
	t.Parallel()
	o := model.Options{
		Dir: t.TempDir(), Stream: week(t, company.Size{People: 5, Activities: 50, Alerts: 5, Days: 2}), Config: config.Default(), Log: slog.New(slog.DiscardHandler),
		Raise: func(context.Context, formats.Notification) error { return nil },
	}
	follow(t, o)
	m, err := model.Open(t.Context(), o) // and it reads no profiles, as it doesn't run
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	get := pagesOf(t, m)
	list := get("/users")
	user := regexp.MustCompile(`data-open href="(/users/[^"]+)"(?s:.*?)<b class="points">`).FindStringSubmatch(list)
	if user == nil {
		t.Fatalf("no score in the list:\n%s", list)
	}
	page := get(user[1])
	for _, has := range []string{"The profiles of users are still being read", "<h2 id=\"names\">", "data-line"} {
		if !strings.Contains(page, has) {
			t.Errorf("no %q in\n%s", has, page)
		}
	}
	if strings.Contains(page, `value="reset"`) || strings.Contains(page, "made of") {
		t.Errorf("it knows what it can't:\n%s", page)
	}
}

// follow has a model follow its stream to the end, and ends it.
func follow(t *testing.T, o model.Options) {
	t.Helper()
	m, err := model.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	_, last := o.Stream.Bounds()
	if err := m.Wait(t.Context(), stream.Position{Sequence: last}); err != nil {
		t.Error(err)
	}
	stop()
	if err := errors.Join(<-done, m.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestPartsOfAScoreLeadToWhatTheyAre follows every part of every score of a company's two weeks.
func TestPartsOfAScoreLeadToWhatTheyAre(t *testing.T) {
	t.Parallel()
	m, _ := load(t, week(t, company.Size{People: 30, Activities: 4000, Alerts: 20, Days: 14}))
	get := pagesOf(t, m)
	list := get("/users")
	var scores []float64
	for _, s := range regexp.MustCompile(`<b class="points">([0-9.]+)</b>`).FindAllStringSubmatch(list, -1) {
		f, err := strconv.ParseFloat(s[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, -f)
	}
	if len(scores) < 5 || !slices.IsSorted(scores) {
		t.Errorf("the list has the scores %v, want some, the highest first", scores)
	}
	part := regexp.MustCompile(`data-open href="(/(?:alerts|activities)\?open=[^"]+)"><bdi>([^<]*)</bdi></a> <small class="nowrap">(alert|activity)`)
	followed := map[string]int{}
	for _, user := range regexp.MustCompile(`href="(/users/[^"?]+)"`).FindAllStringSubmatch(list, -1) {
		page := get(user[1])
		if strings.Contains(page, "not kept any more") {
			t.Errorf("%s: a part leads nowhere", user[1])
		}
		for _, p := range part.FindAllStringSubmatch(page, -1) {
			followed[p[3]]++
			title, _, _ := strings.Cut(html.UnescapeString(p[2]), ",") // behind the comma is the application
			if to := get(html.UnescapeString(p[1])); !strings.Contains(to, `<h2 tabindex="-1">`+html.EscapeString(title)) {
				t.Errorf("%s: %s is said to be %q, and isn't", user[1], p[1], title)
			}
		}
	}
	if followed["alert"] == 0 || followed["activity"] == 0 {
		t.Errorf("followed %v: too few", followed)
	}
}
