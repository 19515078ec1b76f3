package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/portal"
	"github.com/sluice-siem/sluice/test/company"
)

// ajar lets everybody in as an admin.
type ajar struct{}

func (ajar) Principal(*http.Request) (access.Principal, error)        { return access.Local(), nil }
func (ajar) Denied(context.Context, access.Principal, string, string) {}
func (ajar) Ways() access.Ways                                        { return access.Ways{} }
func (ajar) Tokens(access.Principal) []access.Token                   { return nil }

// BenchmarkPages loads a company's week into the model, as BenchmarkWeek does, and asks the portal for pages:
//
//	go test ./gateway -run '^$' -bench Pages -benchtime 1x -timeout 30m
//
// A page is sent when it is whole, so the time is that of its first byte. SLUICE_WEEK makes another number of activities.
func BenchmarkPages(b *testing.B) {
	size := company.Week()
	if s := os.Getenv("SLUICE_WEEK"); s != "" {
		if _, err := fmt.Sscan(s, &size.Activities); err != nil {
			b.Fatal(err)
		}
		size.Alerts = max(size.Activities/500, 1)
	}
	for b.Loop() {
		m, _ := load(b, week(b, size))
		pages := portal.New(portal.Options{
			Model: func(access.Scope) (*model.Model, error) { return m, nil }, Door: ajar{}, Config: config.Default(), Log: slog.New(slog.DiscardHandler),
		})
		alerts, err := m.Alerts(b.Context(), model.Query{Limit: 1})
		if err != nil {
			b.Fatal(err)
		}
		users, err := m.Users(b.Context(), model.Query{Limit: 1, Sort: "-score"})
		if err != nil {
			b.Fatal(err)
		}
		for _, path := range []string{
			"/alerts", "/alerts?open=" + alerts.Items[0].ID, "/alerts/facets", "/alerts?filter=" + url.QueryEscape(`application = "Active Directory" and user contains a`),
			"/activities", "/activities/facets", "/activities?filter=" + url.QueryEscape("action = download and time >= -24h"),
			"/activities/facets?filter=" + url.QueryEscape("action = download and time >= -24h"), "/users", "/users?sort=-time", "/users?filter=" + url.QueryEscape("percentile >= 90"), "/users/" + users.Items[0].ID,
		} {
			p50, p95 := times(b, func() error {
				w := httptest.NewRecorder()
				pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != http.StatusOK {
					return fmt.Errorf("%s: %d %.500s", path, w.Code, w.Body)
				}
				return nil
			})
			fmt.Fprintf(os.Stderr, "%-90s p50 %8v  p95 %8v\n", path, p50, p95)
		}
	}
}
