package access_test

import (
	"slices"
	"testing"

	"github.com/sluice-siem/sluice/gateway/access"
)

func TestEveryRuleStandsOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range access.Rules() {
		if seen[r.Operation] || r.Least == access.None {
			t.Errorf("rule %+v stands twice or lets nobody in", r)
		}
		seen[r.Operation] = true
	}
}

func TestWhoMay(t *testing.T) {
	limited := access.Scope{Services: []string{"defender_for_identity"}}
	for _, tt := range []struct {
		role      access.Role
		scope     access.Scope
		operation string
		refused   string
	}{
		{access.Viewer, access.Scope{}, "list-alerts", ""},
		{access.Viewer, limited, "list-alerts", ""},
		{access.Viewer, access.Scope{}, "close-alerts", "eva is a viewer, and close-alerts needs the role operator or admin"},
		{access.Operator, limited, "close-alerts", ""},
		{access.Operator, limited, "join-users", "eva sees what defender_for_identity says, and join-users needs the role operator or admin without a limit"},
		{access.Admin, access.Scope{}, "list-audit", ""},
		{access.Admin, access.Scope{}, access.Send, "eva is an admin, and send-notifications needs the role ingest"},
		{access.Ingest, access.Scope{}, "list-alerts", "eva is a token that may only ingest, and list-alerts needs the role viewer, operator or admin"},
		{access.None, access.Scope{}, "get-me", "eva is nobody in particular, and get-me needs the role viewer, operator or admin"},
		{access.Admin, access.Scope{}, "no-such", "operation no-such stands in no rule, so nobody may do it"},
	} {
		err := access.Allow(access.Principal{ID: "eva", Role: tt.role, Scope: tt.scope}, tt.operation)
		if got := text(err); got != tt.refused {
			t.Errorf("%s of %v doing %s: %q, want %q", tt.role, tt.scope, tt.operation, got, tt.refused)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestScopes(t *testing.T) {
	mdi := access.Scope{Services: []string{"defender_for_identity"}}
	box := access.Scope{Applications: []string{"Box"}}
	two := mdi.Within(box)
	if !two.Sees("Defender_For_Identity", "box") || two.Sees("defender_for_identity", "Dropbox") || two.Sees("cloud_app_security", "Box") {
		t.Errorf("%v: kinds of limits are joined by and, and letter case doesn't count", two)
	}
	none := mdi.Within(access.Scope{Services: []string{"cloud_app_security"}})
	if none.Whole() || none.Service("defender_for_identity") || none.Service("cloud_app_security") || none.String() != "nothing" {
		t.Errorf("%v sees something, and the two have nothing in common", none)
	}
	if mdi.Key() == box.Key() || two.Key() != box.Within(mdi).Key() || (access.Scope{Services: []string{"B", "a"}}).Key() != (access.Scope{Services: []string{"A", "b", "b"}}).Key() {
		t.Error("equal scopes have different keys, or different ones the same")
	}
	if got := two.String(); got != "what defender_for_identity says, and of that what is of Box" {
		t.Error(got)
	}
}

func TestRolesAreText(t *testing.T) {
	for _, r := range access.Roles() {
		var back access.Role
		b, err := r.MarshalText()
		if err == nil {
			err = back.UnmarshalText(b)
		}
		if err != nil || back != r {
			t.Errorf("%s read back is %s: %v", r, back, err)
		}
	}
	if new(access.Role).UnmarshalText([]byte("root")) == nil {
		t.Error("root is no role")
	}
	if !slices.IsSorted(access.Roles()) {
		t.Error("the roles are listed out of order")
	}
}
