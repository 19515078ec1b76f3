package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// header is what a SIEM with no patience takes for a syslog message: the fields of RFC 5424 section 6 to
// the letter, or those of RFC 3164 section 4.1.
type header struct{ rfc5424, rfc3164 *regexp.Regexp }

func headers() header {
	const host, printable = `[!-~]{1,255}`, `[!-~]{1,48}`
	return header{
		regexp.MustCompile(`^<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d) ` + host + ` ` + printable +
			` (?:[!-~]{1,128}) (?:[!-~]{1,32}) - (?:\x{feff})?(.*)$`),
		regexp.MustCompile(`^<(\d{1,3})>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 1-3]\d \d\d:\d\d:\d\d ` + host +
			` (?:[A-Za-z0-9]{1,32}: )?(.*)$`),
	}
}

// judgeMessage gives the body of a syslog message, or says what a strict SIEM finds wrong with it.
func judgeMessage(h header, message string) (string, error) {
	if !utf8.ValidString(message) {
		return "", errors.New("not UTF-8")
	}
	if i := strings.IndexFunc(message, unicode.IsControl); i >= 0 {
		return "", fmt.Errorf("control character %q", message[i])
	}
	m := h.rfc5424.FindStringSubmatch(message)
	if m == nil {
		m = h.rfc3164.FindStringSubmatch(message)
	}
	if m == nil {
		return "", errors.New("neither an RFC 5424 nor an RFC 3164 header")
	}
	if pri, err := strconv.Atoi(m[1]); err != nil || pri > 191 || strconv.Itoa(pri) != m[1] {
		return "", fmt.Errorf("priority %q", m[1])
	}
	if strings.HasPrefix(m[2], "{") {
		return m[2], judgeJSON(m[2])
	}
	_, err := parseCEF(m[2])
	return m[2], err
}

// judgeJSON holds a line against the published schema.
func judgeJSON(line string) error {
	schema, err := streamSchema()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		return err
	}
	var event struct {
		Key string `json:"event_key"`
	}
	return json.Unmarshal([]byte(line), &event)
}

var streamSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile(filepath.Join("..", "gateway", "render", "stream.schema.json"))
})

// parseCEF reads a CEF event by the letter of its definition and gives its extension: in the header
// only \| and \\ are escapes, in values only \\, \=, \n and \r, every key comes once, and nothing is left
// over. What this parser takes, every SIEM takes.
func parseCEF(s string) (map[string]string, error) {
	fields, rest, err := cefHeader(s)
	if err != nil {
		return nil, err
	}
	if fields[0] != "CEF:0" && fields[0] != "CEF:1" {
		return nil, fmt.Errorf("begins with %q", fields[0])
	}
	if n, err := strconv.Atoi(fields[6]); (err != nil || n < 0 || n > 10) &&
		!slices.Contains([]string{"Unknown", "Low", "Medium", "High", "Very-High"}, fields[6]) {
		return nil, fmt.Errorf("severity %q", fields[6])
	}
	return cefExtension(rest)
}

func cefHeader(s string) (fields []string, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			i++
			if i == len(s) || s[i] != '|' && s[i] != '\\' {
				return nil, "", errors.New("bad escape in the header")
			}
			b.WriteByte(s[i])
		case '|':
			fields = append(fields, b.String())
			b.Reset()
			if len(fields) == 7 {
				return fields, s[i+1:], nil
			}
		default:
			b.WriteByte(c)
		}
	}
	return nil, "", fmt.Errorf("header of %d fields", len(fields))
}

func cefExtension(s string) (map[string]string, error) {
	out := map[string]string{}
	name, begin := "", -1
	take := func(end int) error {
		if begin < 0 {
			return nil
		}
		if _, ok := out[name]; ok {
			return fmt.Errorf("key %s twice", name)
		}
		value, err := unescape(s[begin:end])
		out[name] = value
		return err
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '=':
			from := strings.LastIndexByte(s[:i], ' ') + 1
			if from < begin || !isKey(s[from:i]) {
				return nil, fmt.Errorf("= without a key at %d", i)
			}
			if err := take(max(from-1, 0)); err != nil {
				return nil, err
			}
			name, begin = s[from:i], i+1
		}
	}
	if begin < 0 {
		return nil, errors.New("no extension")
	}
	if err := take(len(s)); err != nil {
		return nil, err
	}
	if out["sluiceEventKey"] == "" {
		return nil, errors.New("no sluiceEventKey")
	}
	return out, nil
}

func isKey(s string) bool {
	const others = "_.[]-"
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	}) < 0
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", errors.New("a backslash at the end of a value")
		}
		switch s[i] {
		case '\\', '=':
			b.WriteByte(s[i])
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		default:
			return "", fmt.Errorf("escape \\%c in a value", s[i])
		}
	}
	return b.String(), nil
}
