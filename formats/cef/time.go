package cef

import (
	"strconv"
	"strings"
	"time"
)

const earliest, latest = 1262304000, 4133980800 // 2010 and 2101 begin, in seconds

// Time reads a time of an event: RFC 3339, as Defender for Identity writes it, without a zone for UTC, or epoch milliseconds,
// as Cloud App Security and collectors do, some of them seconds or their millionths or billionths; and CEF's own form where it
// tells the zone. It is the zero time for anything else and before 2010 or after 2100.
func Time(s string) time.Time {
	t := epoch(s)
	if strings.ContainsAny(s, "tz") { // the letters of RFC 3339 may be small (section 5.6)
		s = strings.ToUpper(s)
	}
	for _, layout := range [...]string{
		time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00",
		"Jan _2 2006 15:04:05 UTC", "Jan _2 2006 15:04:05 GMT", "Jan _2 2006 15:04:05 -0700",
	} {
		if !t.IsZero() {
			break
		}
		t, _ = time.Parse(layout, s)
	}
	return Plausible(t)
}

// epoch reads a number of seconds since 1970 or of their thousandths, millionths or billionths, and seconds with a fraction.
func epoch(s string) time.Time {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}
	}
	const thousand = 1000
	switch {
	case n < latest:
		const digits = 9 // of nanoseconds
		part, err := strconv.ParseUint((fraction + "000000000")[:digits], 10, 64)
		if err != nil {
			return time.Time{}
		}
		return time.Unix(n, int64(part))
	case fraction != "":
		return time.Time{}
	case n < latest*thousand:
		return time.UnixMilli(n)
	case n < latest*thousand*thousand:
		return time.UnixMicro(n)
	}
	return time.Unix(0, n)
}

// Plausible is t in UTC, or the zero time if it is before 2010 or after 2100.
func Plausible(t time.Time) time.Time {
	if at := t.Unix(); at < earliest || at >= latest {
		return time.Time{}
	}
	return t.UTC()
}
