package model_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/model"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	s := queue(t)
	long, many := strings.Repeat("x", model.MostText+1), make([]string, model.MostAlerts+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	tests := []struct {
		by   string
		act  model.Act
		want error
		text string
	}{
		{"ida", model.Close{Alerts: []string{"a"}, Why: "benign"}, nil, ""},
		{"ida", model.Close{Alerts: []string{"x"}, Why: "benign"}, model.ErrNotFound, "alert x: not found"},
		{"ida", model.Close{Alerts: []string{"a", "x"}, Why: "benign"}, model.ErrNotFound, "alert x"},
		{"ida", model.Close{Alerts: []string{"a"}, In: protection, Why: "benign"}, model.ErrRefused, "Identity Protection doesn't know alert a, which is Defender for Identity and Cloud App Security's"},
		{"ida", model.Close{Alerts: []string{"a"}, In: "splunk", Why: "benign"}, model.ErrRefused, "splunk doesn't know"},
		{"ida", model.Close{Alerts: []string{"d"}, Why: "benign"}, model.ErrRefused, "alert d is closed in Defender for Identity already, by ida"},
		{"ida", model.Close{Alerts: []string{"d", "a"}, Why: "benign"}, nil, ""},
		{"ida", model.Close{Alerts: []string{"a"}, Why: "boring"}, model.ErrRefused, `true_positive, benign or false_positive, not "boring"`},
		{"ida", model.Close{Alerts: []string{"a"}, Why: "benign", Comment: long}, model.ErrRefused, "the comment has 4097 bytes and may have 4096"},
		{"ida", model.Close{Why: "benign"}, model.ErrRefused, "no alert is named"},
		{"ida", model.Close{Alerts: many, Why: "benign"}, model.ErrRefused, "2001 alerts are too many"},
		{"", model.Close{Alerts: []string{"a"}, Why: "benign"}, model.ErrRefused, "who does it is not said"},
		{"ida\n", model.Close{Alerts: []string{"a"}, Why: "benign"}, model.ErrRefused, "who does it is no line of text"},
		{"ida", model.Reopen{Alerts: []string{"d"}}, nil, ""},
		{"ida", model.Reopen{Alerts: []string{"a"}, In: cloud}, nil, ""},
		{"ida", model.Reopen{Alerts: []string{"a"}}, model.ErrRefused, "alert a is open in Defender for Identity"},
		{"ida", model.Reopen{Alerts: []string{"d"}, In: cloud}, model.ErrRefused, "Cloud App Security doesn't know"},
		{"ida", model.Assign{Alerts: []string{"b"}, To: "Olaf"}, nil, ""},
		{"ida", model.Assign{Alerts: []string{"b"}}, nil, ""},
		{"ida", model.Assign{Alerts: []string{"b"}, To: long}, model.ErrRefused, "who it is assigned to has"},
		{"ida", model.Write{Alerts: []string{"b"}, Text: " "}, model.ErrRefused, "the comment is empty"},
		{"ida", model.Write{Alerts: []string{"b"}, Text: "\xff"}, model.ErrRefused, "no UTF-8"},
		{"ida", model.Mark{Alerts: []string{"b"}, Read: false}, nil, ""},
		{"ida", model.Undo{Act: "X"}, model.ErrNotFound, "no act X"},
	}
	for _, tt := range tests {
		err := s.model.Check(t.Context(), tt.by, tt.act)
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("Check(%.100v) = %v, want %v: %s", tt.act, err, tt.want, tt.text)
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	s := queue(t)
	parse := func(text string) filter.Filter {
		f, err := filter.Alerts().Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	got, err := s.model.Select(t.Context(), parse("severity >= medium"), 0)
	if diff := cmp.Diff([]string{"b", "a"}, got); diff != "" || err != nil {
		t.Errorf("Select = %v, %v", got, err)
	}
	if got, err = s.model.Select(t.Context(), parse("id = X"), 0); len(got) != 0 || err != nil {
		t.Errorf("Select of nothing = %v, %v", got, err)
	}
	if _, err := s.model.Select(t.Context(), nil, 0); !errors.Is(err, model.ErrRefused) {
		t.Errorf("Select by an empty filter = %v", err)
	}
	if _, err := s.model.Select(t.Context(), parse("status = open"), 2); !errors.Is(err, model.ErrRefused) {
		t.Errorf("Select of more than the limit = %v", err)
	}
}

// TestAnActThatNoLongerFits leaves everything as it is, and what comes behind it is folded.
func TestAnActThatNoLongerFits(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("a", dedup.First, said(defender, "d1"))
	for _, act := range []model.Act{
		model.Close{Alerts: []string{"x", "a"}, Why: "benign"},
		model.Close{Alerts: []string{"a"}, Why: "true_positive"},
		model.Reopen{Alerts: []string{"a"}, In: cloud},
		model.Undo{Act: "X"},
	} {
		s.records("ida", act)
	}
	if diff := cmp.Diff([]string{"ida: closed in Defender for Identity, as benign"}, s.history("a")); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}
