package dedup_test

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

func TestRecordedKnowsARequestForADay(t *testing.T) {
	x, err := dedup.Open("", config.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	b := x.Begin()
	defer b.Discard()
	at := time.Date(2024, 5, 14, 6, 0, 0, 0, time.UTC)
	part := func(index int, body byte) *dedup.Part {
		return &dedup.Part{Of: [16]byte{1}, Index: index, Body: [16]byte{body}}
	}
	for i := range 2 {
		o := &dedup.Outcome{Time: at.Add(time.Duration(i) * time.Hour), Part: part(i, 7), Notification: &formats.Notification{Kind: formats.Unknown}}
		if err := b.Apply(o); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name        string
		part        *dedup.Part
		after       time.Duration
		done, other bool
	}{
		{"the first message", part(0, 7), time.Hour, true, false},
		{"the last that is recorded", part(1, 7), time.Hour, true, false},
		{"the next one", part(2, 7), time.Hour, false, false},
		{"another body", part(0, 8), time.Hour, true, true},
		{"another key", &dedup.Part{Of: [16]byte{2}, Body: [16]byte{7}}, time.Hour, false, false},
		{"at the end of the day", part(0, 7), 24*time.Hour - 1, true, false},
		{"a day later", part(0, 7), 24 * time.Hour, false, false},
		{"a day later, another body", part(0, 8), 24 * time.Hour, false, false},
	}
	for _, tt := range tests {
		done, other, err := b.Recorded(tt.part, at.Add(tt.after))
		if err != nil || done != tt.done || other != tt.other {
			t.Errorf("%s: Recorded() = %t, %t, %v; want %t, %t", tt.name, done, other, err, tt.done, tt.other)
		}
	}
}
