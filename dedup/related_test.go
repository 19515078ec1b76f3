package dedup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/formats"
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
