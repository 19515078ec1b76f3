package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. In the file it has a unit: B, KiB, MiB, GiB, TiB, or none for bytes.
type Size int64

func sizeUnits() []struct {
	name  string
	bytes int64
} {
	return []struct {
		name  string
		bytes int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}}
}

// String writes the size with the greatest unit that divides it.
func (s Size) String() string {
	out := strconv.FormatInt(int64(s), 10) + "B"
	for _, u := range sizeUnits() {
		if u.bytes > 1 && s > 0 && int64(s)%u.bytes == 0 {
			out = strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return out
}

// UnmarshalText reads a size such as 64KiB.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), int64(1)
	for _, u := range sizeUnits() {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("found %q, expected a size such as 64KiB or 20GiB", text)
	}
	*s = Size(n * unit)
	return nil
}

// parseDuration reads what Go writes (15m, 1h30m) and days (30d).
func parseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		rest = text
	}
	var d time.Duration
	if found {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || math.Abs(n) > 36500 {
			return 0, fmt.Errorf("found %q, expected a duration such as 90s, 10m, 72h or 30d", text)
		}
		d = time.Duration(n * 24 * float64(time.Hour))
	}
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil {
			return 0, fmt.Errorf("found %q, expected a duration such as 90s, 10m, 72h or 30d", text)
		}
		d += more
	}
	return d, nil
}
