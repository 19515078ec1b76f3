package cef

import (
	"strconv"
	"time"
)

const earliest, latest = 1262304000, 4133980800 // 2010 and 2101 begin, in seconds

// Time reads a time of an event: RFC 3339, as Defender for Identity writes it, without a zone for UTC, or epoch milliseconds,
// as Cloud App Security and collectors do, some of them seconds. It is the zero time for anything else and before 2010 or
// after 2100.
func Time(s string) time.Time {
	var t time.Time
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if t = time.UnixMilli(n); n < latest {
			t = time.Unix(n, 0)
		}
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"} {
		if !t.IsZero() {
			break
		}
		t, _ = time.Parse(layout, s)
	}
	return Plausible(t)
}

// Plausible is t in UTC, or the zero time if it is before 2010 or after 2100.
func Plausible(t time.Time) time.Time {
	if at := t.Unix(); at < earliest || at >= latest {
		return time.Time{}
	}
	return t.UTC()
}
