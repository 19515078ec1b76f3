package gateway

import (
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
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/portal"
	"github.com/sluice-siem/sluice/test/company"
)

// TestPartsOfAScoreLeadToWhatTheyAre follows every part of every score of a company's two weeks.
func TestPartsOfAScoreLeadToWhatTheyAre(t *testing.T) {
	t.Parallel()
	m, _ := load(t, week(t, company.Size{People: 30, Activities: 4000, Alerts: 20, Days: 14}))
	pages := portal.New(portal.Options{
		Model: func(access.Scope) (*model.Model, error) { return m, nil }, Door: ajar{}, Config: config.Default(), Log: slog.New(slog.DiscardHandler),
	})
	get := func(path string) string {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %.500s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
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
