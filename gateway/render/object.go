package render

import (
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// appendKey appends the key of a member that isn't the first.
func appendKey(b []byte, key string) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

func appendMember(b []byte, key, value string) []byte { return appendQuoted(appendKey(b, key), value) }

func appendOrNull(b []byte, key, value string) []byte {
	if value == "" {
		return append(appendKey(b, key), "null"...)
	}
	return appendMember(b, key, value)
}

func appendUnlessEmpty(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, key, value)
}

func appendList(b []byte, key string, values []string) []byte {
	b = append(appendKey(b, key), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, v)
	}
	return append(b, ']')
}

// appendObject appends the members in the order of their keys; without any, nothing.
func appendObject(b []byte, key string, members map[string]string) []byte {
	if len(members) == 0 {
		return b
	}
	b = append(appendKey(b, key), '{')
	var room [16]string // more than the services' events have
	keys := slices.AppendSeq(room[:0], maps.Keys(members))
	slices.Sort(keys)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, k), ':')
		b = appendQuoted(b, members[k])
	}
	return append(b, '}')
}

// appendInstant appends a time in UTC with the precision it has, or null.
func appendInstant(b []byte, key string, t time.Time) []byte {
	b, t = appendKey(b, key), t.UTC()
	if nobodys(t) {
		return append(b, "null"...)
	}
	b = t.AppendFormat(append(b, '"'), time.RFC3339Nano)
	return append(b, '"')
}

// nobodys tells a time that nobody means: none, or one that RFC 3339 can't write.
func nobodys(t time.Time) bool {
	t = t.UTC()
	return t.IsZero() || t.Year() < 0 || t.Year() > 9999
}

// appendQuoted appends s as a JSON string, as encoding/json does without escaping for HTML. Besides, it
// escapes the control characters that JSON allows and terminals obey: DEL and C1 (U+0080 to U+009F),
// among them a line end and the beginning of an escape sequence.
func appendQuoted[S string | []byte](b []byte, s S) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if ' ' <= c && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', c)
		case '\b' <= r && r <= '\r' && r != '\v':
			b = append(b, '\\', "btn-fr"[r-'\b'])
		case r < 0xa0:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			b = append(b, '\\', 'u', '2', '0', '2', hex[r&15])
		default:
			b = append(b, s[i:i+size]...)
		}
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
