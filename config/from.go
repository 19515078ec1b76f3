package config

import (
	"fmt"
	"time"
)

// From is where in the stream a target begins that has no place of its own yet: with the oldest entry there
// is (the zero value), with what comes, or with the first entry of a time. It says nothing of a target that
// has a place.
type From struct {
	Now  bool
	Time time.Time
}

// UnmarshalText reads oldest, now, or a time as RFC 3339 writes it; anything else is an error and leaves f
// as it is.
func (f *From) UnmarshalText(text []byte) error {
	from, err := parseFrom(string(text))
	if err == nil {
		*f = from
	}
	return err
}

func parseFrom(text string) (From, error) {
	switch text {
	case "oldest":
		return From{}, nil
	case "now":
		return From{Now: true}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.IsZero() {
		return From{}, fmt.Errorf("found %s, expected oldest, now, or a time such as 2026-11-24T08:00:00Z", quote(text))
	}
	return From{Time: t.UTC()}, nil
}
