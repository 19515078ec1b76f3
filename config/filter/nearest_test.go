package filter_test

import (
	"testing"

	"github.com/sluice-siem/sluice/config/filter"
)

func TestNearest(t *testing.T) {
	known := []string{"name", "address", "max_message", "manage_in", "when"}
	tests := map[string]string{
		"adresse": "address", "anme": "name", "maxMessage": "max_message", "manage-in": "manage_in", "MANAGE_IN": "manage_in",
		"whne": "when", "colour": "", "": "", "xyz": "", "n": "",
	}
	for word, want := range tests {
		if got := filter.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
