package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/api"
)

// good is a request that an operation must answer with success; %A, %K, %N, %U, %V, %L, %Q, %P, %X stand for the IDs of
// the world's alert, its activity, its suppressed notification, two users, an act, a query, a policy and a token; %T for the tag of what is in the path.
type good struct{ path, body string }

// goods has at least one for every operation, by its ID: one without fails [TestEveryOperation].
func goods() map[string][]good {
	return map[string][]good{
		"list-alerts":          {{"/alerts", ""}, {"/alerts?filter=severity+%3E%3D+low&sort=-severity&limit=1", ""}},
		"count-alerts":         {{"/alerts/total?filter=status+%3D+open", ""}},
		"facet-alerts":         {{"/alerts/facets?fields=severity,application", ""}},
		"export-alerts":        {{"/alerts/export", ""}, {"/alerts/export?format=csv", ""}},
		"get-alert":            {{"/alerts/%A", ""}},
		"get-alert-history":    {{"/alerts/%A/history", ""}},
		"close-alerts":         {{"/alerts/close", `{"alerts":["%A"],"classification":"benign","comment":"known scanner"}`}},
		"reopen-alerts":        {{"/alerts/reopen", `{"alerts":["%A"]}`}},
		"assign-alerts":        {{"/alerts/assign", `{"filter":"status = open","to":"anna"}`}},
		"comment-alerts":       {{"/alerts/comment", `{"alerts":["%A"],"text":"asked the owner"}`}},
		"mark-alerts":          {{"/alerts/mark", `{"alerts":["%A"],"read":true}`}},
		"undo-act":             {{"/alerts/undo", `{"act":"%L"}`}},
		"forward-notification": {{"/alerts/%A/notifications/%N/forward", `{"why":"another machine"}`}},
		"list-activities":      {{"/activities", ""}, {"/activities?filter=action+%3D+login&sort=time", ""}},
		"count-activities":     {{"/activities/total", ""}},
		"facet-activities":     {{"/activities/facets?fields=application", ""}},
		"export-activities":    {{"/activities/export?format=csv", ""}, {"/activities/export", ""}},
		"get-activity":         {{"/activities/%K", ""}},
		"list-users":           {{"/users", ""}, {"/users?filter=user+contains+anna&sort=display", ""}, {"/users?filter=score+%3E%3D+0+and+percentile+%3C%3D+100+and+bounded+%3C+50&sort=-score", ""}},
		"get-user":             {{"/users/%U", ""}},
		"get-user-timeline":    {{"/users/%U/timeline", ""}},
		"get-user-score":       {{"/users/%U/score", ""}},
		"reset-user-score":     {{"/users/%U/score/reset", `{"why":"looked at"}`}},
		"tag-user":             {{"/users/%U/tags", `{"tags":["sensitive"]}`}},
		"join-users":           {{"/users/%U/join", `{"with":"%V"}`}},
		"split-user":           {{"/users/%U/split", `{"spellings":["bo@corp.example"]}`}},
		"list-queries":         {{"/queries", ""}},
		"create-query":         {{"/queries", `{"name":"mine","of":"alerts","filter":"status = open","shared":false}`}},
		"get-query":            {{"/queries/%Q", ""}},
		"replace-query":        {{"/queries/%Q", `{"name":"ours","of":"alerts","filter":"status = closed","shared":true}`}},
		"delete-query":         {{"/queries/%Q", ""}},
		"list-policies":        {{"/policies", ""}},
		"create-policy":        {{"/policies", `{"name":"deletions","severity":"high","filter":"action = delete","times":10,"within":"1h","enabled":true}`}},
		"get-policy":           {{"/policies/%P", ""}},
		"replace-policy":       {{"/policies/%P", `{"name":"deletions","severity":"low","filter":"action = delete","times":5,"within":"30m","enabled":false}`}},
		"delete-policy":        {{"/policies/%P", ""}},
		"preview-policy":       {{"/policies/preview", `{"name":"x","severity":"low","filter":"action = login","enabled":false,"days":3}`}},
		"get-state":            {{"/state", ""}},
		"get-me":               {{"/me", ""}},
		"list-audit":           {{"/audit", ""}, {"/audit?filter=by+%3D+otto+and+act+%3D+comment&limit=1", ""}},
		"export-audit":         {{"/audit/export", ""}, {"/audit/export?format=csv&filter=details+contains+looked", ""}},
		"list-tokens":          {{"/tokens", ""}},
		"create-token":         {{"/tokens", `{"name":"ci","role":"ingest","days":30}`}},
		"revoke-token":         {{"/tokens/%X", ""}},
		"list-fields":          {{"/fields", ""}},
	}
}

// operations are those of the document, with their IDs.
type operation struct {
	id, method, path string
	*huma.Operation
}

func operations(t *testing.T, handler http.Handler) (*huma.OpenAPI, []operation) {
	t.Helper()
	document := api.OpenAPI("test")
	var out []operation
	for path, item := range document.Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete, http.MethodPatch: item.Patch,
		} {
			if op != nil {
				out = append(out, operation{op.OperationID, method, path, op})
			}
		}
	}
	order := orderOf()
	slices.SortFunc(out, func(a, b operation) int { return 2*(order[a.id]-order[b.id]) + strings.Compare(a.id, b.id) })
	return document, out
}

// orderOf says which operations come late, because they take away what others need.
func orderOf() map[string]int {
	return map[string]int{"close-alerts": 1, "reopen-alerts": 2, "undo-act": 2, "join-users": 2, "split-user": 3, "delete-query": 4, "delete-policy": 4, "forward-notification": 4}
}

// TestEveryOperation asks everything that the document describes, and holds the answers against it.
func TestEveryOperation(t *testing.T) {
	w := newWorld(t)
	document, all := operations(t, w.handler)
	for _, o := range all {
		requests := goods()[o.id]
		if len(requests) == 0 {
			t.Errorf("no request for operation %s", o.id)
		}
		for _, g := range requests {
			t.Run(o.id, func(t *testing.T) {
				answer := w.ask(o.method, w.fill(t, api.Prefix+g.path), w.fill(t, g.body))
				described := o.Responses[fmt.Sprint(answer.Code)]
				if answer.Code >= 400 || described == nil {
					t.Fatalf("%s %s: status %d, which isn't success or isn't described: %s", o.method, g.path, answer.Code, answer.Body)
				}
				holds(t, document, described, answer)
			})
		}
	}
}

// holds holds an answer against its description.
func holds(t *testing.T, document *huma.OpenAPI, described *huma.Response, answer *httptest.ResponseRecorder) {
	t.Helper()
	media, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	content := described.Content[media]
	if content == nil && answer.Body.Len() > 0 {
		t.Fatalf("the answer is %q, which isn't described", media)
	}
	if content == nil || content.Schema == nil {
		return
	}
	var value any
	if err := json.Unmarshal(answer.Body.Bytes(), &value); err != nil {
		t.Fatal(err)
	}
	var result huma.ValidateResult
	huma.Validate(document.Components.Schemas, content.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, &result)
	for _, err := range result.Errors {
		t.Errorf("the answer isn't as described: %v\n%s", err, answer.Body)
	}
}

// TestBadRequests asks every operation for what can't be, and wants a problem document that is no fault of ours.
func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	_, all := operations(t, w.handler)
	for _, o := range all {
		for _, g := range goods()[o.id][:1] {
			for name, request := range spoiled(o, api.Prefix+g.path, g.body) {
				t.Run(o.id+"/"+name, func(t *testing.T) {
					answer := w.send(o.method, w.fill(t, request.path), w.fill(t, request.body), request.header)
					if answer.Code < 400 || answer.Code >= 500 {
						t.Fatalf("%s %s %s: status %d, want a client's error: %s", o.method, request.path, request.body, answer.Code, answer.Body)
					}
					isProblem(t, answer)
				})
			}
		}
	}
}

func isProblem(t *testing.T, answer *httptest.ResponseRecorder) {
	t.Helper()
	if media := answer.Header().Get("Content-Type"); media != "application/problem+json" {
		t.Errorf("the answer is %q, want a problem document: %s", media, answer.Body)
	}
	var p huma.ErrorModel
	if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil || p.Status != answer.Code || p.Title == "" || p.Detail == "" {
		t.Errorf("problem document %s (%v), want status %d, a title and a detail", answer.Body, err, answer.Code)
	}
}

type request struct {
	path, body string
	header     http.Header
}

// spoiled are variants of a good request that nobody can answer.
func spoiled(o operation, path, body string) map[string]request {
	out := map[string]request{"unknown parameter": {path + join(path) + "flter=x", body, nil}}
	for _, p := range o.Parameters {
		switch {
		case p.In == "path":
			out["unknown "+p.Name] = request{replaceLast(path, "nobody-has-this"), body, http.Header{"If-Match": {`"1"`}}}
			out["huge "+p.Name] = request{replaceLast(path, strings.Repeat("a", 300)), body, http.Header{"If-Match": {`"1"`}}}
		case p.Name == "filter":
			for i, bad := range []string{"severity+%3E%3D", "nofield+%3D+x", "%22", "severity+%3D+purple", "time+%3E+yesterdayish"} {
				out[fmt.Sprintf("bad filter %d", i)] = request{strings.SplitN(path, "?", 2)[0] + "?fields=severity&filter=" + bad, body, nil}
			}
		case p.Name == "limit":
			out["limit 0"] = request{path + join(path) + "limit=0", body, nil}
			out["limit 501"] = request{path + join(path) + "limit=501", body, nil}
			out["limit x"] = request{path + join(path) + "limit=x", body, nil}
		case p.Name == "sort":
			out["bad sort"] = request{path + join(path) + "sort=colour", body, nil}
		case p.Name == "cursor":
			out["bad cursor"] = request{path + join(path) + "cursor=%00zzz", body, nil}
		case p.Name == "If-Match" && p.Required:
			out["no tag"] = request{path, body, nil}
			out["old tag"] = request{path, body, http.Header{"If-Match": {`"999"`}}}
		}
	}
	if o.id == "list-alerts" || o.id == "list-activities" {
		delete(out, "unknown id")
	}
	if o.RequestBody == nil {
		return out
	}
	tag := http.Header{"If-Match": {"%T"}}
	out["no JSON"] = request{path, "{", tag}
	out["a list"] = request{path, "[]", tag}
	out["null"] = request{path, "null", tag}
	out["nothing"] = request{path, "", tag}
	out["unknown member"] = request{path, strings.Replace(body, "{", `{"surprise":1,`, 1), tag}
	out["too much"] = request{path, `{"comment":"` + strings.Repeat("x", 2<<20) + `"}`, tag}
	return out
}

func join(path string) string {
	if strings.Contains(path, "?") {
		return "&"
	}
	return "?"
}

// replaceLast puts a value in place of the first of a path's IDs.
func replaceLast(path, with string) string {
	for _, id := range []string{"%A", "%K", "%U", "%Q", "%P", "%X"} {
		if strings.Contains(path, id) {
			return strings.Replace(path, id, with, 1)
		}
	}
	return path
}

// ask sends a request as the operator of the world.
func (w *world) ask(method, path, body string) *httptest.ResponseRecorder {
	header := http.Header{}
	if method == http.MethodPut || method == http.MethodDelete {
		header.Set("If-Match", w.send(http.MethodGet, path, "", nil).Header().Get("ETag"))
	}
	return w.send(method, path, body, header)
}

// askAs asks a handler for which somebody stands, with the tag where one is needed.
func (w *world) askAs(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	var tag string
	if method == http.MethodPut || method == http.MethodDelete {
		tag = w.send(http.MethodGet, path, "", nil).Header().Get("ETag")
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if tag != "" {
		r.Header.Set("If-Match", tag)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func (w *world) send(method, path, body string, header http.Header) *httptest.ResponseRecorder {
	var content io.Reader
	if body != "" {
		content = bytes.NewReader([]byte(body))
	}
	r := httptest.NewRequest(method, path, content)
	for key, values := range header {
		for _, v := range values {
			if v == "%T" {
				v = w.send(http.MethodGet, path, "", nil).Header().Get("ETag")
			}
			r.Header.Add(key, v)
		}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

// TestPolicyComesBack: what is made of a policy's document has all that the document says, those that come with
// Sluice among them.
func TestPolicyComesBack(t *testing.T) {
	w := newWorld(t)
	var all []map[string]any
	if err := json.Unmarshal(w.send(http.MethodGet, api.Prefix+"/policies", "", nil).Body.Bytes(), &all); err != nil || len(all) < 6 {
		t.Fatalf("%d policies, %v; want ours and those that come with Sluice", len(all), err)
	}
	for _, p := range all {
		want := maps.Clone(p)
		for _, key := range []string{"id", "revision", "owner", "built_in"} {
			delete(p, key)
			delete(want, key)
		}
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		answer := w.send(http.MethodPost, api.Prefix+"/policies", string(body), nil)
		var got map[string]any
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || answer.Code != http.StatusCreated {
			t.Fatalf("%s: %v", answer.Body, err)
		}
		for _, key := range []string{"id", "revision", "owner", "built_in"} {
			delete(got, key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestOneOfManyWhoSawTheSame: of those who act on an alert as they saw it, the first alone succeeds.
func TestOneOfManyWhoSawTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tag := w.send(http.MethodGet, "/api/v1/alerts/a1", "", nil).Header().Get("ETag")
	const many = 10
	statuses := make(chan int, many)
	for i := range many {
		go func() {
			body := fmt.Sprintf(`{"alerts":["a1"],"to":"analyst%d"}`, i)
			statuses <- w.send(http.MethodPost, "/api/v1/alerts/assign", body, http.Header{"If-Match": {tag}}).Code
		}()
	}
	count := map[int]int{}
	for range many {
		count[<-statuses]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed] != many-1 {
		t.Errorf("answers by status: %v, want one 200 and %d times 412", count, many-1)
	}
}

// TestWithoutLicence: every answer says which service it knows nothing of.
func TestWithoutLicence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *config.Config) { c.Services.CloudAppSecurity.Enabled = false })
	for _, path := range []string{
		"/alerts", "/alerts/total", "/alerts/facets?fields=status", "/alerts/a1", "/alerts/export",
		"/activities", "/activities/total", "/activities/facets?fields=user", "/activities/export", "/users",
	} {
		answer := w.send(http.MethodGet, "/api/v1"+path, "", nil)
		if got := answer.Header().Get("Sluice-Not-Available"); answer.Code != http.StatusOK || got != "cloud_app_security" {
			t.Errorf("%s: %d, without %q", path, answer.Code, got)
		}
	}
	if got := w.send(http.MethodGet, "/api/v1/activities/total", "", nil).Body.String(); !strings.Contains(got, `"not_available":["cloud_app_security"]`) {
		t.Errorf("total: %s", got)
	}
}
