package config

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"10m", 10 * time.Minute, true},
		{"1h30m", 90 * time.Minute, true},
		{"1.5h", 90 * time.Minute, true},
		{"30d", 30 * day, true},
		{"1d12h", 36 * time.Hour, true},
		{"0", 0, true},
		{"0s", 0, true},
		{"-5m", -5 * time.Minute, true},
		{"-1d1h", -25 * time.Hour, true},
		{"36500d", 36500 * day, true},
		{"36500d1s", 0, false},
		{"36501d", 0, false},
		{"876001h", 0, false},
		{"99999999999999999999d", 0, false},
		{"", 0, false},
		{"-", 0, false},
		{"d", 0, false},
		{"10", 0, false},
		{"10 m", 0, false},
		{"1.5d", 0, false},
		{"1d-5h", 0, false},
		{"+1d", 0, false},
		{"--5m", 0, false},
		{"1d2d", 0, false},
		{"12h1d", 0, false},
		{"NaNd", 0, false},
		{"ten", 0, false},
	}
	for _, tt := range tests {
		got, err := ParseDuration(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v, ok %v", tt.text, got, err, tt.want, tt.ok)
		}
	}
}

func TestSizes(t *testing.T) {
	tests := []struct {
		text string
		want Size
		back string // as String writes it; empty where text is none
	}{
		{"64KiB", 64 << 10, "64KiB"},
		{"20GiB", 20 << 30, "20GiB"},
		{"1024MiB", 1 << 30, "1GiB"},
		{"3TiB", 3 << 40, "3TiB"},
		{"480", 480, "480B"},
		{"480B", 480, "480B"},
		{"1025", 1025, "1025B"},
		{"0", 0, "0B"},
		{"8388607TiB", 8388607 << 40, "8388607TiB"},
		{"8388608TiB", 0, ""},
		{"9223372036854775808", 0, ""},
		{"", 0, ""},
		{"KiB", 0, ""},
		{"64KB", 0, ""},
		{"64 KiB", 0, ""},
		{"64kib", 0, ""},
		{"-1", 0, ""},
		{"1.5GiB", 0, ""},
		{"1_000", 0, ""},
	}
	for _, tt := range tests {
		var got Size
		err := got.UnmarshalText([]byte(tt.text))
		if got != tt.want || (err == nil) != (tt.back != "") {
			t.Errorf("UnmarshalText(%q) = %d, %v, want %d", tt.text, got, err, tt.want)
		}
		if err == nil && got.String() != tt.back {
			t.Errorf("Size(%d) = %s, want %s", got, got, tt.back)
		}
	}
}

func TestShowWritesDurationsAsPeopleDo(t *testing.T) {
	tests := map[string]time.Duration{
		"72h": 72 * time.Hour, "1h30m": 90 * time.Minute, "10m": 10 * time.Minute, "10m30s": 630 * time.Second, "0s": 0, "10s": 10 * time.Second,
		"-1m": -time.Minute, "1h0m5s": time.Hour + 5*time.Second,
	}
	for want, d := range tests {
		if got := show(d); got != want {
			t.Errorf("show(%v) = %s, want %s", d, got, want)
		}
	}
}
