package mdi

import "strings"

// plainURL undoes what the service does to the URL of an alert, the colon escaped and in old samples two slashes too many, and
// the escapes that a relay's JSON has before slashes. What stands behind a blank is the beginning of a field, where the message
// was cut.
func plainURL(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ")
	s = strings.ReplaceAll(strings.ReplaceAll(s, `\:`, ":"), `\/`, "/")
	if scheme, rest, ok := strings.Cut(s, "://"); ok && strings.HasPrefix(rest, "//") {
		s = scheme + "://" + strings.TrimLeft(rest, "/")
	}
	return s
}

// alertID returns the alert's id, the last part of the URL's path, in lower case and without the aa
// that the Microsoft 365 Defender portal puts before it, or other two letters before a whole GUID; "" if that
// part is no id. whole tells that the URL wasn't cut: only then a GUID may be a digit short, as one in the
// documentation is.
func alertID(link string, whole bool) string {
	_, path, ok := strings.Cut(link, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	path = strings.TrimRight(path, "/")
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return ""
	}
	id := strings.ToLower(path[slash+1:])
	bare := strings.TrimPrefix(id, "aa")
	switch {
	case guid(id, 0):
		return id
	case len(id) > 2 && 'a' <= id[0] && id[0] <= 'z' && 'a' <= id[1] && id[1] <= 'z' && guid(id[2:], 0):
		return id[2:]
	case whole && len(bare) < len(id) && guid(bare, 1) && strings.IndexByte(bare, '-') >= 7:
		return bare
	case whole && guid(id, 1):
		return id
	case hex(id, 24), hex(id, 32):
		return id
	case hex(id, 26) && len(bare) == 24, hex(id, 34) && len(bare) == 32:
		return bare
	}
	return ""
}

// guid tells whether s has the five groups of a GUID, of which each may be slack digits too short or
// too long.
func guid(s string, slack int) bool {
	i := 0
	for group := range strings.SplitSeq(s, "-") {
		if i == 5 {
			return false
		}
		want := [...]int{8, 4, 4, 4, 12}[i]
		if len(group) < want-slack || len(group) > want+slack || !hex(group, len(group)) {
			return false
		}
		i++
	}
	return i == 5
}

// hex tells whether s is n lower case hexadecimal digits.
func hex(s string, n int) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == n
}
