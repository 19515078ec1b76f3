package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. In the file it is a whole number with a unit (B, KiB, MiB, GiB, TiB,
// powers of 1024 as in IEC 80000-13) or without one, for bytes.
type Size int64

type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits lists the units by size; B is first, as it is the end of the others' names too.
func sizeUnits() []sizeUnit {
	return []sizeUnit{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}
}

// String writes the size with the greatest unit that divides it.
func (s Size) String() string {
	out := strconv.FormatInt(int64(s), 10) + "B"
	for _, u := range sizeUnits() {
		if s > 0 && int64(s)%u.bytes == 0 {
			out = strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return out
}

// UnmarshalText reads a size such as 64KiB; what is none is an error and leaves s as it is.
func (s *Size) UnmarshalText(text []byte) error {
	size, err := parseSize(string(text))
	if err == nil {
		*s = size
	}
	return err
}

func parseSize(text string) (Size, error) {
	number, unit := text, int64(1)
	for _, u := range sizeUnits() {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = n, u.bytes
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf("found %s, expected a size such as 64KiB, 20GiB or a number of bytes", quote(text))
	}
	return Size(int64(n) * unit), nil
}

// Quiet is how long a service may be quiet: a duration, Off for ever, or Auto for as long as it usually is.
type Quiet time.Duration

// What Quiet is beside a duration.
const (
	Off  Quiet = 0
	Auto Quiet = -1
)

// minQuiet is less than anybody wants, and enough for the gateway to keep up with.
const minQuiet = time.Second

func parseQuiet(text string) (Quiet, error) {
	switch text {
	case "off":
		return Off, nil
	case "auto":
		return Auto, nil
	}
	d, err := ParseDuration(text)
	if err != nil || d < minQuiet {
		return 0, fmt.Errorf("found %s, expected auto, off, or a duration such as 30m, of %s or more", quote(text), show(minQuiet))
	}
	return Quiet(d), nil
}

// maxDuration is a hundred years, so that sums of durations and dates don't overflow.
const maxDuration = 36500 * 24 * time.Hour

// ParseDuration reads what [time.ParseDuration] does (15m, 1h30m), and before it whole days of 24
// hours (30d, 1d12h), which operators think in and Go has no unit for.
func ParseDuration(text string) (time.Duration, error) {
	wrong := fmt.Errorf("found %s, expected a duration such as 90s, 10m, 72h or 30d", quote(text))
	unsigned, negative := strings.CutPrefix(text, "-")
	days, rest, found := strings.Cut(unsigned, "d")
	if !found {
		days, rest = "0", unsigned
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		return 0, wrong
	}
	var d time.Duration
	if rest != "" || !found {
		if d, err = time.ParseDuration(rest); err != nil {
			return 0, wrong
		}
	}
	if n > 36500 || d > maxDuration || time.Duration(n)*24*time.Hour+d > maxDuration {
		return 0, fmt.Errorf("found %s, expected no more than 36500d", quote(text))
	}
	d += time.Duration(n) * 24 * time.Hour
	if negative {
		d = -d
	}
	return d, nil
}

// show writes a duration as people do: 72h, not 72h0m0s.
func show(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
