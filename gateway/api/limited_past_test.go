package api_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/gateway/access"
)

// TestANewLimitSeesThePast: what the stream has no more, a role that is limited only now sees as one that always was.
func TestANewLimitSeesThePast(t *testing.T) {
	for name, scope := range map[string]access.Scope{
		"service":     {Services: []string{"defender_for_identity"}},
		"application": {Applications: []string{"Box", "Active Directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTwins(6)
			w.calm = true // or what was done before is the other alert's by now, for the whole model
			for range 120 {
				w.step()
			}
			s, last := recorded(t, w.more)
			always := limitedOf(t, s, last, scope, nil)
			whole := follow(t, s, last, access.Scope{}, nil)
			if err := s.Purge(t.Context(), last.Sequence); err != nil {
				t.Fatal(err)
			}
			anew := limitedOf(t, s, last, scope, whole)
			for _, path := range []string{"/alerts?limit=500&sort=time", "/activities?limit=500", "/users?limit=500&sort=display"} {
				want, got := essence(t, answer(always, path)), essence(t, answer(anew, path))
				if d := cmp.Diff(want, got); d != "" || len(want) < 3 {
					t.Errorf("GET %s (-always limited +limited now): %.3000s; of %d", path, d, len(want))
				}
			}
			if x := answer(anew, "/state"); !strings.Contains(x, `"gaps":[]`) {
				t.Errorf("it misses a part: %s", x)
			}
			if name == "service" {
				for _, secret := range []string{"cloud_app_security", "some rule"} {
					if x := answer(anew, "/alerts?limit=500") + answer(anew, "/activities?limit=500"); strings.Contains(x, secret) {
						t.Errorf("it tells of %q", secret)
					}
				}
			}
		})
	}
}

// essence is a list without what counts how something came to be.
func essence(t *testing.T, answer string) []map[string]any {
	t.Helper()
	var page struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(answer[strings.Index(answer, "{\"items"):]), &page); err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		// Which order and number of changes say, and by what order habits were learnt.
		for _, key := range []string{"revision", "read", "names", "score", "bounded", "percentile"} {
			delete(item, key)
		}
	}
	slices.SortStableFunc(page.Items, func(a, b map[string]any) int { return strings.Compare(textOf(a["id"]), textOf(b["id"])) })
	return page.Items
}

func textOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
