package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-siem/sluice/config/filter"
)

// walker reads the file's tree as the shape of Config: it notes the line of every key, resolves
// references in values, and finds unknown keys, keys given twice and values of the wrong type.
//
// It gives values of the types that Config has, and not YAML again for another reader to guess at: to
// YAML the name 010 is the number 8 and the name true is no text.
type walker struct {
	*problems
	env   func(string) (string, bool)
	nodes int // seen so far
	bytes int // of values so far
}

// What aliases and references may blow a file up to. An alias is walked wherever it stands.
const (
	maxNodes = 100_000
	maxBytes = 8 << 20
)

// walk reads n as a t. What can't be read is reported, and left out of the tree by its parent.
func (w *walker) walk(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if _, ok := w.lines[path]; !ok && path != "" {
		w.lines[path] = n.Line
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if w.nodes++; w.nodes > maxNodes || w.bytes > maxBytes {
		if !w.full {
			w.report(w.line(path), path, "found too many values, expected at most %d with all aliases and references", maxNodes)
		}
		w.full = true
		return nil, false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		w.unread(path, "found nothing, expected %s; leave the key out for its default", want(t))
		return nil, false
	}
	switch {
	case t == reflect.TypeFor[From](), // a struct, but one word in the file
		t == reflect.TypeFor[When]() && n.Kind == yaml.ScalarNode: // one text instead of its keys
		return w.scalar(n, t, path)
	case t.Kind() == reflect.Struct:
		return w.mapping(n, t, path)
	case t == reflect.TypeFor[[]string]() && n.Kind == yaml.ScalarNode: // one value stands for a list of one
		v, ok := w.scalar(n, t.Elem(), path)
		return []any{v}, ok
	case t.Kind() == reflect.Slice:
		return w.sequence(n, t, path)
	}
	return w.scalar(n, t, path)
}

func (w *walker) mapping(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.MappingNode {
		if path == "" {
			w.report(n.Line, "", "found %s, expected keys and values, such as data_dir: ./sluice-data", describe(n))
		} else {
			w.unread(path, "found %s, expected %s", describe(n), want(t))
		}
		return nil, false
	}
	names, types := keysOf(t)
	values := map[string]any{}
	first := map[string]int{} // the line of each key
	for i := 0; i+1 < len(n.Content) && !w.full; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key)
		kind, known := types[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			w.report(key.Line, at, "found %s as a key, expected its name", describe(key))
		case !known:
			w.unknown(key, n, path, names)
		case first[key.Value] > 0:
			w.report(key.Line, at, "found the key twice, first on line %d; expected it once", first[key.Value])
		default:
			first[key.Value] = key.Line
			w.lines[at] = key.Line
			if v, ok := w.walk(value, kind, at); ok {
				values[key.Value] = v
			}
		}
	}
	return values, true
}

// join is the path of a key; one that doesn't look like any of ours is quoted, as it may hold anything.
func join(path string, key *yaml.Node) string {
	name := key.Value
	plain := func(r rune) bool {
		return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		name = strconv.Quote(name[:min(len(name), 64)])
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// unknown reports a key of the mapping that is none of names.
func (w *walker) unknown(key, mapping *yaml.Node, path string, names []string) {
	at := join(path, key)
	n := filter.Nearest(key.Value, names)
	switch {
	case key.ShortTag() == "!!merge":
		w.report(key.Line, at, "found a merge key, expected the keys themselves")
		w.spoil(at)
	case n != "":
		w.report(key.Line, at, "unknown key; did you mean %q?", n)
		if !has(mapping, n) {
			at = join(path, &yaml.Node{Value: n}) // that one is not missing, but misspelt
		}
		w.spoil(at)
	default:
		w.report(key.Line, at, "unknown key; known are %s", strings.Join(names, ", "))
		w.spoil(at)
	}
}

func has(mapping *yaml.Node, key string) bool {
	for i := 0; i < len(mapping.Content); i += 2 {
		if k := mapping.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return true
		}
	}
	return false
}

func (w *walker) sequence(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		w.unread(path, "found %s, expected %s", describe(n), want(t))
		return nil, false
	}
	values := []any{}
	for i, item := range n.Content {
		if w.full {
			break
		}
		v, ok := w.walk(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		switch {
		case ok:
			values = append(values, v)
		case t.Elem().Kind() == reflect.Struct: // the others keep their places
			values = append(values, map[string]any{})
		default:
			values = append(values, "")
		}
	}
	return values, true
}

// scalar resolves references and reads the value as its type.
func (w *walker) scalar(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.ScalarNode {
		w.unread(path, "found %s, expected %s", describe(n), want(t))
		return nil, false
	}
	if q, _ := utf8.DecodeRuneInString(n.Value); n.Style == 0 && strings.ContainsRune("“”„‘’‚", q) {
		w.unread(path, "found the quote %c, which YAML takes for a part of the text; expected \" or '", q)
		return nil, false
	}
	text, err := w.resolve(n.Value)
	w.bytes += len(text)
	var value any
	if err == nil {
		value, err = convert(text, t)
	}
	if err != nil {
		w.unread(path, "%s", err)
		return nil, false
	}
	return value, true
}

// convert reads text as a t, one of the types that keys have.
func convert(text string, t reflect.Type) (any, error) {
	if t == reflect.TypeFor[When]() {
		return parseWhen(text) // it may have several lines
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		if t == reflect.TypeFor[Secret]() {
			return nil, errors.New("found a secret of several lines or with control characters, expected one line of text in UTF-8")
		}
		return nil, fmt.Errorf("found %s, expected one line of text in UTF-8", quote(text))
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return ParseDuration(text)
	case t == reflect.TypeFor[Quiet]():
		return parseQuiet(text)
	case t == reflect.TypeFor[Size]():
		return parseSize(text)
	case t == reflect.TypeFor[From]():
		return parseFrom(text)
	case t.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("found %s, expected true or false", quote(text))
		}
		return text == "true", nil
	case t.Kind() == reflect.Int:
		i, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("found %s, expected a whole number", quote(text))
		}
		return i, nil
	}
	return text, nil
}

// want says in words what a t is written as.
func want(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 10m"
	case t == reflect.TypeFor[Quiet]():
		return "auto, off or a duration such as 30m"
	case t == reflect.TypeFor[Size]():
		return "a size such as 64KiB"
	case t == reflect.TypeFor[From]():
		return "oldest, now or a time"
	case t == reflect.TypeFor[When]():
		return "keys and values, or a filter such as " + exampleFilter
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Struct:
		return "keys and values"
	case t.Kind() == reflect.Slice:
		return "a list"
	}
	return "a text"
}

// describe says in words what stands in the file.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	return quote(n.Value)
}

// quote writes what was found; nothing that stands in the file makes a second line of it.
func quote(found string) string {
	const most = 80
	if found == "" {
		return "nothing"
	}
	if len(found) <= most {
		return strconv.Quote(found)
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(found[cut]) {
		cut--
	}
	return strconv.Quote(found[:cut]) + "…"
}

// keysOf lists the keys of a struct, in its order, and the types of their values.
func keysOf(t reflect.Type) (names []string, types map[string]reflect.Type) {
	types = map[string]reflect.Type{}
	for f := range t.Fields() {
		switch tag := f.Tag.Get("koanf"); tag {
		case "", "-":
		case ",squash":
			more, of := keysOf(f.Type)
			for _, n := range more {
				types[n] = of[n]
			}
			names = append(names, more...)
		default:
			names = append(names, tag)
			types[tag] = f.Type
		}
	}
	return slices.Clip(names), types
}
