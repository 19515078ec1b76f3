package access_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
)

func (h *house) shows(token string) (int, string) {
	return h.browser().do(http.MethodGet, "/me", nil, http.Header{"Authorization": {"Bearer " + token}})
}

func TestTokensAreLessThanTheirCreator(t *testing.T) {
	h := newHouse(t)
	mdi := access.Scope{Services: []string{"defender_for_identity"}}
	week := h.clock().Add(7 * 24 * time.Hour)
	admin := access.Principal{ID: "entra/a5", Name: "al", Role: access.Admin, How: access.ByOpenID}
	operator := access.Principal{ID: "entra/o5", Name: "bo", Role: access.Operator, Scope: mdi, How: access.ByOpenID}
	for _, tt := range []struct {
		name    string
		by      access.Principal
		role    access.Role
		scope   access.Scope
		expires time.Time
		want    string
	}{
		{"more", operator, access.Admin, mdi, week, "whose tokens may no more"},
		{"ingest by an operator", operator, access.Ingest, mdi, week, "whose tokens may no more"},
		{"elsewhere", operator, access.Viewer, access.Scope{Services: []string{"cloud_app_security"}}, week, "would see more"},
		{"by a token", access.Principal{ID: "token x", Role: access.Admin, How: access.ByToken}, access.Viewer, access.Scope{}, week, "a token makes no other tokens"},
		{"a service that isn't one", admin, access.Viewer, access.Scope{Services: []string{"defender"}}, week, `found the service "defender", expected one of`},
		{"an application without a name", admin, access.Viewer, access.Scope{Applications: []string{" "}}, week, "an application without a name"},
		{"an empty list", admin, access.Viewer, access.Scope{Services: []string{}}, week, "found an empty list"},
		{"a limit for who sends", admin, access.Ingest, mdi, week, "sees nothing"},
		{"over already", operator, access.Viewer, mdi, h.clock(), "expected one that is to come"},
		{"for ever", operator, access.Viewer, mdi, h.clock().Add(10 * 365 * 24 * time.Hour), "within 365 days"},
		{"two\nlines", operator, access.Viewer, mdi, week, "expected a line"},
	} {
		_, _, err := h.door.Create(tt.by, tt.name, tt.role, tt.scope, tt.expires)
		var refused *access.RefusalError
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &refused) && !errors.Is(err, access.ErrToken) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	token, _, err := h.door.Create(operator, "no limit named", access.Viewer, access.Scope{}, week)
	if err != nil || token.Scope.Key() != mdi.Key() {
		t.Errorf("a limited creator's token sees %s, %v", token.Scope, err)
	}
	long := access.Scope{Applications: []string{strings.Repeat("x", 300<<10)}}
	operator.Scope.Applications = []string{"Box"}
	if _, _, err := h.door.Create(operator, "long", access.Viewer, long, week); err == nil || len(err.Error()) > 1<<10 {
		t.Errorf("refused in %d bytes, which no line of the audit log takes", len(err.Error()))
	}
}

// TestTokensFollowTheirCreator: what was given is taken with what was given to the creator.
func TestTokensFollowTheirCreator(t *testing.T) {
	h := newHouse(t)
	if status, body := h.browser().get("/login/entra?to=/me"); status != http.StatusOK {
		t.Fatal(status, body)
	}
	anna := access.Principal{ID: "entra/o1", Name: "anna", Role: access.Admin, How: access.ByOpenID}
	token, secret, err := h.door.Create(anna, "ci", access.Operator, access.Scope{}, h.clock().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(h.options.DataDir, "access", "tokens"))
	if err != nil || strings.Contains(string(kept), secret) {
		t.Fatalf("the file has the token itself, or there is none: %v", err)
	}
	wants := func(status int, text string) {
		t.Helper()
		if got, body := h.shows(secret); got != status || !strings.Contains(body, text) {
			t.Errorf("the token gets %d %s, want %d %q", got, body, status, text)
		}
	}
	wants(http.StatusOK, "|operator|everything")
	h.open()
	wants(http.StatusOK, "|operator|everything") // after a restart too

	h.issuer.says(map[string]any{"roles": nil}) // she is a viewer by her name alone, from her next log-in on
	if status, body := h.browser().get("/login/entra?to=/me"); status != http.StatusOK {
		t.Fatal(status, body)
	}
	wants(http.StatusOK, "|viewer|everything")
	h.options.Access.Roles = []config.Grant{{User: "o1", Role: "admin", Services: []string{"defender_for_identity"}}} // another configuration
	h.open()
	wants(http.StatusOK, "|operator|what defender_for_identity says")
	h.options.Access.Roles = []config.Grant{{User: "o2", Role: "admin"}}
	h.open()
	wants(http.StatusForbidden, "who may nothing any more")

	h.options.Access.Roles = []config.Grant{{User: "o1", Role: "admin"}}
	h.open()
	if list := h.door.Tokens(anna); len(list) != 1 || list[0].Used.IsZero() {
		t.Errorf("the list is %+v, want one that was used", list)
	}
	if list := h.door.Tokens(access.Principal{ID: "eva", Role: access.Operator}); len(list) != 0 {
		t.Errorf("eva sees %+v", list)
	}
	if _, ok, _ := h.door.Revoke(access.Principal{ID: "eva", Role: access.Operator}, token.ID); ok {
		t.Error("eva revokes anna's token")
	}
	h.pass(25 * time.Hour)
	wants(http.StatusForbidden, "expired")
	if _, ok, err := h.door.Revoke(anna, token.ID); !ok || err != nil {
		t.Error(ok, err)
	}
	wants(http.StatusUnauthorized, "")
}

// TestExplain: check says in the order in which the lines count, whatever their order in the file.
func TestExplain(t *testing.T) {
	h := newHouse(t)
	got := strings.Join(access.Explain(h.options.Access), "\n")
	want := "who has the app role Sluice.Admin of entra is an admin and sees everything\n" +
		"who is in the group " + teamGroup + " is an operator and sees what defender_for_identity says\n" +
		"the user o1 is a viewer and sees everything\n" +
		"whoever else logs in gets nothing\n" +
		"the local admin is an admin and sees everything, with the password in data_dir\n" +
		"who reaches the control socket in data_dir is an admin and sees everything"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add("o1", "Sluice.Admin", teamGroup, false)
	f.Add("", "", "", true)
	roles := []config.Grant{{AppRole: adminRole, Role: "admin"}, {Group: teamGroup, Role: "operator"}, {User: "o1", Role: "viewer"}}
	f.Fuzz(func(t *testing.T, user, role, group string, overage bool) {
		i := access.Identity{Issuer: "entra", User: user, AppRoles: []string{role}, Groups: []string{group}, Overage: overage}
		got, _, err := i.Grant(roles)
		want := access.None
		switch {
		case role == adminRole:
			want = access.Admin
		case overage:
		case group == teamGroup:
			want = access.Operator
		case user == "o1":
			want = access.Viewer
		}
		if got != want || (err == nil) != (want != access.None) {
			t.Errorf("%+v is %s, %v; want %s", i, got, err, want)
		}
	})
}
