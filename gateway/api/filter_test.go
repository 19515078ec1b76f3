package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/api"
)

// described is a field as the API lists it.
type described struct {
	Name      string      `json:"name"`
	Operators []filter.Op `json:"operators"`
	Words     []string    `json:"words"`
}

// fits asks a list for what fits a filter.
func (w *world) fits(t *testing.T, list, filter string) (status int, answer string) {
	t.Helper()
	got := w.send(http.MethodGet, api.Prefix+"/"+list+"?filter="+url.QueryEscape(filter), "", nil)
	return got.Code, got.Body.String()
}

// TestAParameterIsThereOnce: of two filters the first alone would be heard, and one that can't be read not at all, and show, count
// and export more than was asked for.
func TestAParameterIsThereOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/alerts?", "/alerts/total?", "/alerts/export?", "/alerts/facets?fields=status&", "/activities?", "/users?"} {
		if answer := w.send(http.MethodGet, api.Prefix+path+"filter=user+contains+o&filter=user+contains+z", "", nil); answer.Code != http.StatusUnprocessableEntity ||
			!strings.Contains(answer.Body.String(), `found the parameter \"filter\" 2 times, expected it once`) {
			t.Errorf("%s with two filters: %d %s", path, answer.Code, answer.Body)
		}
		for _, unreadable := range []string{"filter=%zz", "filter=user+contains+%", "filter=user+contains+o;x"} {
			if answer := w.send(http.MethodGet, api.Prefix+path+unreadable, "", nil); answer.Code != http.StatusUnprocessableEntity ||
				!strings.Contains(answer.Body.String(), "the parameters: invalid ") {
				t.Errorf("%s%s: %d %s", path, unreadable, answer.Code, answer.Body)
			}
		}
		if answer := w.send(http.MethodGet, api.Prefix+path+"filter=user+contains+o", "", nil); answer.Code != http.StatusOK {
			t.Errorf("%s with one: %d %s", path, answer.Code, answer.Body)
		}
	}
}

// TestEveryOperatorOfEveryField: a list answers each operator that its field has, and of any other one it says which
// there are.
func TestEveryOperatorOfEveryField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var fields map[string][]described
	if err := json.Unmarshal(w.send(http.MethodGet, api.Prefix+"/fields", "", nil).Body.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	if len(fields) != 4 {
		t.Errorf("%d lists have fields, want 4", len(fields))
	}
	values := map[string]string{
		"time": "2026-11-24", "first_seen": "2026-11-24", "ip": "10.0.0.0", "drift": "yes", "read": "yes", "failed": "yes", "administrative": "yes",
		"score": "7", "bounded": "7", "percentile": "7", "user_score": "7",
	}
	for list, all := range fields {
		for _, f := range all {
			value, ok := values[f.Name]
			if len(f.Words) > 0 {
				value = f.Words[0]
			} else if !ok {
				value = "x"
			}
			for _, op := range []filter.Op{
				filter.Equals, filter.NotEquals, filter.Contains, filter.NotContains, filter.StartsWith, filter.NotStartsWith, filter.Matches,
				filter.NotMatches, filter.Above, filter.AtLeast, filter.Below, filter.AtMost, filter.Set, filter.NotSet,
			} {
				text := fmt.Sprintf("%s %s %s, %[3]s", f.Name, op, value)
				switch op {
				case filter.Above, filter.AtLeast, filter.Below, filter.AtMost:
					text, _, _ = strings.Cut(text, ",")
				case filter.Set, filter.NotSet:
					text = fmt.Sprintf("%s %s", f.Name, op)
				}
				status, answer := w.fits(t, list, text)
				if slices.Contains(f.Operators, op) {
					if status != http.StatusOK {
						t.Errorf("%s with %s: %d %s", list, text, status, answer)
					}
					continue
				}
				var problem struct{ Detail string }
				if err := json.Unmarshal([]byte(answer), &problem); err != nil || status != http.StatusUnprocessableEntity {
					t.Errorf("%s with %s: %d %s, want it refused", list, text, status, answer)
				}
				for _, op := range f.Operators {
					if !strings.Contains(problem.Detail, string(op)) {
						t.Errorf("%s with %s: %q doesn't say that there is %q", list, text, problem.Detail, op)
					}
				}
			}
		}
	}
}

// TestWhatATimeEquals: a second and a day, in every list.
func TestWhatATimeEquals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for list, key := range map[string]string{"alerts": "last_seen", "activities": "time", "users": "last_seen", "audit": "time"} {
		_, answer := w.fits(t, list, "")
		var all struct{ Items []map[string]any }
		if err := json.Unmarshal([]byte(answer), &all); err != nil || len(all.Items) == 0 {
			t.Fatalf("%s: %v in %s", list, err, answer)
		}
		at, _ := all.Items[0][key].(string)
		count := func(filter string) int {
			t.Helper()
			var found struct{ Items []any }
			status, answer := w.fits(t, list, filter)
			if err := json.Unmarshal([]byte(answer), &found); err != nil || status != http.StatusOK {
				t.Errorf("%s with %s: %d %s", list, filter, status, answer)
			}
			return len(found.Items)
		}
		second, day := at[:len("2026-11-24T08:00:00")]+"Z", at[:len("2026-11-24")]
		some, others := count("time = "+second), count("time != "+second)
		if some == 0 || some+others != len(all.Items) {
			t.Errorf("%s: %d of %d at %s, and %d not then", list, some, len(all.Items), second, others)
		}
		if n := count("time = " + day); n < some {
			t.Errorf("%s: %d of the day of %s, of which %d are of that second", list, n, second, some)
		}
		if n := count("time = " + second + ", 2020-01-01"); n != some {
			t.Errorf("%s: %d at %s or on a day of which there is nothing, want %d", list, n, second, some)
		}
		if n := count("time = 2020-01-01"); n != 0 {
			t.Errorf("%s: %d on a day of which there is nothing", list, n)
		}
	}
}

// TestAFilterThatCantBeRead: wherever it stands, the problem says where, and at which column.
func TestAFilterThatCantBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const policy = `{"name":"x","severity":"low","enabled":false,"times":1,"filter":"action = "}`
	for _, do := range []struct{ method, path, body, location string }{
		{http.MethodGet, "/alerts?filter=status+%3D+", "", "query.filter"},
		{http.MethodGet, "/activities/export?filter=status+%3D+", "", "query.filter"},
		{http.MethodPost, "/alerts/comment", `{"filter":"status = ","text":"x"}`, "body.filter"},
		{http.MethodPost, "/queries", `{"name":"x","of":"alerts","filter":"status = ","shared":false}`, "body.filter"},
		{http.MethodPut, "/queries/%Q", `{"name":"x","of":"alerts","filter":"status = ","shared":false}`, "body.filter"},
		{http.MethodPost, "/policies", policy, "body.filter"},
		{http.MethodPut, "/policies/%P", policy, "body.filter"},
		{http.MethodPost, "/policies/preview", policy, "body.filter"},
	} {
		answer := w.ask(do.method, api.Prefix+w.fill(t, do.path), do.body)
		var problem struct {
			Detail string
			Errors []struct{ Message, Location string }
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s %s: %d %s, want 422", do.method, do.path, answer.Code, answer.Body)
		}
		if len(problem.Errors) != 1 || problem.Errors[0].Location != do.location || !strings.Contains(problem.Errors[0].Message, "column") || !strings.Contains(problem.Detail, "column") {
			t.Errorf("%s %s: %s, want the column, and %s", do.method, do.path, answer.Body, do.location)
		}
	}
	for _, do := range []struct{ path, body string }{ // what can be read and never be meant
		{"/alerts/comment", `{"filter":"","text":"x"}`},
		{"/policies", `{"name":"x","severity":"low","enabled":false,"times":1,"filter":""}`},
		{"/policies", `{"name":"x","severity":"low","enabled":false,"times":1,"filter":"time = 2026-11-24"}`},
		{"/queries", `{"name":"x","of":"alerts","filter":"","sort":"colour","shared":false}`},
	} {
		if answer := w.ask(http.MethodPost, api.Prefix+do.path, do.body); answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s %s: %d %s, want 422", do.path, do.body, answer.Code, answer.Body)
		}
	}
}
