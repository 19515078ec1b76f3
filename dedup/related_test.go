package dedup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// idsOf are the words of the fields that may be another service's ID.
func idsOf(extra map[string]string) []string {
	f := facts{n: &formats.Notification{Extra: extra}}
	f.sketch()
	return f.ids
}

func TestIDsOfManyFieldsAreTheSameEachTime(t *testing.T) {
	extra := map[string]string{}
	for _, field := range []string{"relatedAudits", "targetObjects", "policyIDs"} {
		var ids []string
		for i := range 60 {
			ids = append(ids, fmt.Sprintf("%c%023d", field[0], i))
		}
		extra[field] = strings.Join(ids, ",")
	}
	want := idsOf(extra)
	for range 50 {
		if got := idsOf(extra); !slices.Equal(got, want) {
			t.Fatalf("%v, and the first time %v", got, want)
		}
	}
}

// TestNoIDOfAProgram: the program is what whoever signs in says that it is, and an alert that it names is no twin.
func TestNoIDOfAProgram(t *testing.T) {
	const page, program = "73623b1c9f8a7654321fed0c", "640a5f21aa00aa00aa00aa00"
	got := idsOf(map[string]string{
		"additionalInfo": `[{"Key":"userAgent","Value":"curl/8 ` + program + `"},{"Key":"alertUrl","Value":"https://x.example/#/alerts/` + page + `"}]`,
		"userAgent":      "curl/8 " + program,
	})
	if want := []string{page}; !slices.Equal(got, want) {
		t.Errorf("IDs %v, want %v", got, want)
	}
}

func TestTwoTenantsHaveNobodyInCommon(t *testing.T) {
	const page = "https://security.microsoft.com/alerts/x?tid="
	cat, err := catalog.New()
	if err != nil {
		t.Fatal(err)
	}
	s := scale{catalog: cat}
	const ours, theirs = "6f0e8c1b-58a4-4c71-9a0d-1f2e3d4c5b6a", "00e8c1b6-58a4-4c71-9a0d-1f2e3d4c5b6a"
	for _, tt := range []struct {
		name string
		a, b formats.Notification
		want bool
	}{
		{"one tenant", formats.Notification{URL: page + ours}, formats.Notification{URL: page + "6F0E8C1B-58A4-4C71-9A0D-1F2E3D4C5B6A"}, true},
		{"two tenants", formats.Notification{URL: page + ours}, formats.Notification{URL: page + theirs}, false},
		{"two by a field", formats.Notification{URL: page + ours}, formats.Notification{Extra: map[string]string{"azureTenantId": theirs}}, false},
		{"one without", formats.Notification{URL: page + ours}, formats.Notification{URL: "https://hill.portal.cloudappsecurity.com/#/alerts/7"}, true},
		{"one with another thing there", formats.Notification{URL: page + ours}, formats.Notification{URL: page + "7"}, true},
	} {
		x, y := s.facts(&tt.a), s.facts(&tt.b)
		if got := related(&x, &y); got != tt.want {
			t.Errorf("%s: related %v, want %v", tt.name, got, tt.want)
		}
	}
}
