package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
)

// TestEveryOperationAsEveryRole asks each operation of the description as each role, with a limit and without one, and
// as nobody. What has to come is computed of the table.
func TestEveryOperationAsEveryRole(t *testing.T) {
	w := newWorld(t)
	_, all := operations(t, w.handler)
	limited := access.Scope{Services: []string{"defender_for_identity"}}
	scopes := []access.Scope{{}, limited}
	for _, o := range all {
		rule, ok := access.RuleOf(o.id)
		if !ok || o.Extensions["x-sluice-role"] != rule.Least.String() || !strings.Contains(o.Description, rule.Least.String()) || o.Responses["403"] == nil {
			t.Errorf("%s stands in no rule, or its description doesn't name the role", o.id)
		}
		g := goods()[o.id][0]
		path, body := w.fill(t, api.Prefix+g.path), w.fill(t, g.body)
		if got := w.askAs(w.api, o.method, path, body); got.Code != http.StatusUnauthorized {
			t.Errorf("%s as nobody: %d, want 401", o.id, got.Code)
		}
		for _, role := range append(access.Roles(), access.None) {
			for _, scope := range scopes {
				p := access.Principal{ID: "eva", Role: role, Scope: scope}
				want := access.Allow(p, o.id)
				if want == nil && o.method != http.MethodGet { // what it does, the other tests say; here it would take away what others need
					continue
				}
				got := w.askAs(api.As(p, w.api), o.method, path, body)
				switch refused := got.Code == http.StatusForbidden; {
				case refused != (want != nil) || got.Code == http.StatusUnauthorized:
					t.Errorf("%s as %s who sees %s: %d, the table says %v", o.id, role, scope, got.Code, want)
				case want != nil && !strings.Contains(got.Body.String(), rule.Least.String()):
					t.Errorf("%s as %s: the refusal doesn't name the role that may: %s", o.id, role, got.Body)
				}
			}
		}
	}
	for _, r := range access.Rules() {
		if r.Operation != access.Send && !slices.ContainsFunc(all, func(o operation) bool { return o.id == r.Operation }) {
			t.Errorf("the table has a rule for %s, which is no operation", r.Operation)
		}
	}
}

// TestWritesAsWhoMay does once whatever changes something, as the least who may.
func TestWritesAsWhoMay(t *testing.T) {
	w := newWorld(t)
	_, all := operations(t, w.handler)
	for _, o := range all {
		if o.method == http.MethodGet {
			continue
		}
		rule, _ := access.RuleOf(o.id)
		p := access.Principal{ID: "otto", Role: rule.Least}
		for _, g := range goods()[o.id] {
			if o.id == "create-token" { // a viewer's is no ingest token
				g.body = `{"name":"ci","role":"viewer"}`
			}
			got := w.askAs(api.As(p, w.api), o.method, w.fill(t, api.Prefix+g.path), w.fill(t, g.body))
			if got.Code >= http.StatusBadRequest {
				t.Errorf("%s as %s: %d %s", o.id, rule.Least, got.Code, got.Body)
			}
		}
	}
	audit := w.ask(http.MethodGet, api.Prefix+"/audit?limit=500", "").Body.String()
	for _, act := range []string{"close", "comment", "join", "save_policy", "create_token", "revoke_token", "forward_after_all"} {
		if !strings.Contains(audit, fmt.Sprintf(`"act":%q`, act)) {
			t.Errorf("the audit log has no %s: %.3000s", act, audit)
		}
	}
	w.ask(http.MethodGet, api.Prefix+"/alerts/export?filter=severity+%3E%3D+low", "")
	w.do(model.Mark{Alerts: []string{"a1"}, Read: true}) // which waits until all before it is folded
	if got := w.ask(http.MethodGet, api.Prefix+"/audit/export?format=csv&filter=act+%3D+export", "").Body.String(); !strings.Contains(got, "severity") {
		t.Errorf("the audit log doesn't know of the export: %s", got)
	}
}

// TestWhoAsksForMoreThanTheyHave gets no token, and is told of.
func TestWhoAsksForMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var noted []access.Event
	door, err := access.Open(access.Options{
		Access: config.Default().Access, DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Note: func(_ context.Context, e access.Event) { noted = append(noted, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	handler := api.New(api.Options{Model: w.model, Recorder: w, Log: slog.New(slog.DiscardHandler), Door: door})
	got := w.askAs(api.As(access.Principal{ID: "eva", Role: access.Operator, How: access.ByPassword}, handler), http.MethodPost, api.Prefix+"/tokens", `{"name":"more","role":"admin"}`)
	want := []access.Event{{What: "denied", By: "eva", Text: "create-token: eva is an operator, whose tokens may no more: found role admin"}}
	if diff := cmp.Diff(want, noted); got.Code != http.StatusForbidden || diff != "" {
		t.Errorf("%d %s, noted (-want +got):\n%s", got.Code, got.Body, diff)
	}
}
