package config

import "log/slog"

// Secret is a text that nothing writes out by accident: printed, logged or encoded it shows only whether
// there is one. string(s) is the text itself.
type Secret string

const hidden = "(secret)"

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the text from the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the text from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
