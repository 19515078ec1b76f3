package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// syntax keeps the line that the YAML reader names, or finds the one that it means.
func syntax(name string, data []byte, err error) Error {
	e := Error{File: name, Msg: strings.TrimPrefix(err.Error(), "yaml: ")}
	if len(data) > maxFile {
		return e
	}
	lines := strings.Split(string(data), "\n")
	if anchor, ok := strings.CutPrefix(e.Msg, "unknown anchor '"); ok {
		anchor, _, _ = strings.Cut(anchor, "'")
		e.Line = 1 + slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "*"+anchor) })
		e.Msg = "found text that begins with * and isn't in quotes, which YAML takes for a reference to an anchor (&), and there is none" // it may be a secret
		return e
	}
	if n, _ := fmt.Sscanf(e.Msg, "line %d:", &e.Line); n == 1 {
		_, e.Msg, _ = strings.Cut(e.Msg, ": ")
	}
	// The reader's parser, unlike its scanner, counts lines from 0, and both leave out the first one.
	if strings.HasPrefix(e.Msg, "did not find expected") {
		e.Line++
	}
	e.Line = min(max(e.Line, 1), len(lines))
	reference := strings.HasPrefix(e.Msg, "did not find expected") && strings.Contains(lines[e.Line-1], "${")
	e.Line, e.Msg = explain(e.Msg, lines, e.Line)
	if reference {
		e.Msg += "; within { } and [ ] a reference stands in quotes: \"${NAME}\""
	}
	// The reader's words for a tab are about tokens, and it may stand a line before or after the one named.
	for i := max(e.Line-2, 0); i < min(e.Line+1, len(lines)); i++ {
		if strings.HasPrefix(strings.TrimLeft(lines[i], " "), "\t") {
			e.Line, e.Msg = i+1, "found a tab before the text, expected spaces: YAML is not indented with tabs"
			break
		}
	}
	return e
}

// explain says in our words what the YAML reader found on a line, and on which line that is to be mended.
func explain(msg string, lines []string, line int) (at int, what string) {
	switch msg {
	case "mapping values are not allowed in this context":
		return misplacedColon(lines, line)
	case "did not find expected key", "did not find expected '-' indicator", "did not find expected comment or line break":
		if at, what := misindented(lines); at >= line {
			return at, what
		}
		return line, "found more behind the end of a value, expected the end of the line, or all of the value in quotes"
	case "did not find expected ',' or '}'":
		return unclosed(lines, line, "{", "}")
	case "did not find expected ',' or ']'":
		return unclosed(lines, line, "[", "]")
	case "found unexpected end of stream":
		for i, l := range lines {
			if quote := unended(l); quote != "" {
				return i + 1, fmt.Sprintf("found %s without another one that ends the text, expected both", quote)
			}
		}
	case "found character that cannot start any token":
		return line, "found a character that no value begins with, such as @, ` or %; expected the value in quotes"
	case "found unknown escape character":
		return line, `found a \ within " ", expected \\, or the value in ' '`
	case "block sequence entries are not allowed in this context":
		return line, `found "- " behind a key, expected it on a line of its own`
	}
	return line, msg
}

// code is a line without its comment.
func code(line string) string {
	if i := strings.Index(" "+line, " #"); i >= 0 {
		return line[:i]
	}
	return line
}

// unended is the quote that begins a value on a line and isn't followed by another one. One within a text, as in it's, is text.
func unended(line string) string {
	quote, begins := "", true // a value may begin here
	for i := 0; i < len(line); i++ {
		c := line[i : i+1]
		switch {
		case quote == `"` && c == `\`:
			i++
		case quote != "" && c == quote:
			quote = ""
		case quote != "":
		case (c == `"` || c == "'") && begins:
			quote = c
		case c == "#" && (i == 0 || line[i-1] == ' '):
			return ""
		default:
			begins = strings.Contains("[{,", c) || begins && c == " " || strings.Contains(":-", c) && strings.HasPrefix(line[i+1:], " ")
		}
	}
	return quote
}

// misplacedColon tells of a ": " that makes a key of what is part of a value: most often the line before isn't what it
// seems.
func misplacedColon(lines []string, line int) (at int, what string) {
	before := line - 2
	for before >= 0 && strings.TrimSpace(code(lines[before])) == "" {
		before--
	}
	own := strings.TrimSpace(code(lines[line-1]))
	if strings.Count(own, ": ")+strings.Count(own+"\n", ":\n") > 1 || before < 0 {
		return line, `found ": " within a value, expected the value in quotes`
	}
	text := strings.TrimSpace(strings.TrimLeft(code(lines[before]), "- "))
	if key, value, ok := strings.Cut(text, ":"); ok && regexp.MustCompile(`^\w+$`).MatchString(key) && value != "" && value[0] != ' ' {
		return before + 1, fmt.Sprintf("found %s: and no space behind it, expected one before the value", key) // which may be a secret
	}
	if !strings.Contains(text, ":") { // nor is it told: it may be the value of a key above, and a secret
		return before + 1, "found the line without a colon, expected a key, a colon and a space before the value"
	}
	return line, fmt.Sprintf("found the line indented more than line %d, which has its value already; expected both indented alike", before+1)
}

// unclosed finds the bracket that isn't closed.
func unclosed(lines []string, line int, opens, closes string) (at int, what string) {
	for at = line; at > 1 && strings.Count(code(lines[at-1]), opens) <= strings.Count(code(lines[at-1]), closes); {
		at--
	}
	if l := code(lines[at-1]); strings.Count(l, opens) <= strings.Count(l, closes) {
		at = line
	}
	return at, fmt.Sprintf("found %s and no %s or comma where one is expected, such as %s at its end", opens, closes, closes)
}

// misindented finds the first line that is indented as none that it can belong to; 0 where there is none.
func misindented(lines []string) (at int, what string) {
	type level struct {
		indent int
		list   bool
	}
	open := []level{{-1, false}}
	for i, l := range lines {
		text := strings.TrimLeft(code(l), " ")
		if strings.TrimSpace(text) == "" {
			continue
		}
		indent := len(code(l)) - len(text)
		item := text == "-" || strings.HasPrefix(text, "- ")
		dedented := false
		for top := open[len(open)-1]; top.indent > indent || top.indent == indent && top.list && !item; top = open[len(open)-1] {
			open, dedented = open[:len(open)-1], true
		}
		switch top := open[len(open)-1]; {
		case top.indent == indent && top.list == item:
		case top.indent < indent && dedented:
			return i + 1, fmt.Sprintf("found the line indented by %d, expected as far as a line above that it stands beside, and with \"- \" where that has one", indent)
		default:
			open = append(open, level{indent, item})
		}
		for item { // what stands behind "- " is a level of its own
			rest := strings.TrimLeft(text[1:], " ")
			indent, text = indent+len(text)-len(rest), rest
			item = text == "-" || strings.HasPrefix(text, "- ")
			open = append(open, level{indent, item})
		}
	}
	return 0, ""
}
