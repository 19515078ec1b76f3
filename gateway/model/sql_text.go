package model

import (
	"encoding/json"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
)

// sqlText is a piece of SQL with its arguments.
type sqlText struct {
	text string
	args []any
}

func say(text string, args ...any) sqlText { return sqlText{text, args} }

// join puts pieces together.
func join(pieces []sqlText, with string) sqlText {
	var out sqlText
	for i, p := range pieces {
		if i > 0 {
			out.text += with
		}
		out.text += p.text
		out.args = append(out.args, p.args...)
	}
	return out
}

// beginning is a range, which an index has.
func beginning(column, prefix string) sqlText {
	return say("("+column+" >= ? AND "+column+" < ?)", prefix, prefix+"\U0010ffff\U0010ffff")
}

// globbed is a pattern for SQLite, whose patterns know more than the star.
func globbed(pattern string) string {
	return strings.NewReplacer("[", "[[]", "?", "[?]").Replace(pattern)
}

func folded(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = filter.Fold(v)
	}
	return out
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(b)
}
