package cef

import (
	"strconv"
	"time"
)

// Time reads a time of an event: RFC 3339, as Defender for Identity writes it, without a zone for UTC, or epoch milliseconds,
// as Cloud App Security and collectors do, some of them seconds. It is the zero time for anything else and before 2010 or
// after 2100.
func Time(s string) time.Time {
	const from, to = 1262304000, 4133980800 // 2010 and 2101 begin
	var t time.Time
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if t = time.UnixMilli(n); n < to {
			t = time.Unix(n, 0)
		}
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"} {
		if !t.IsZero() {
			break
		}
		t, _ = time.Parse(layout, s)
	}
	if at := t.Unix(); at < from || at >= to {
		return time.Time{}
	}
	return t.UTC()
}
