package config

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// walker holds the file's tree against the shape of Config: it notes the line of every key, resolves
// references in values, and finds unknown keys, keys given twice and values of the wrong type.
type walker struct {
	*problems
	env   func(string) (string, bool)
	nodes int
}

// maxNodes bounds what aliases may blow a file up to.
const maxNodes = 100_000

// walk says whether n can be read as a t; what can't is left out of the tree by its parent.
func (w *walker) walk(n *yaml.Node, t reflect.Type, path string) bool {
	if w.nodes++; w.nodes > maxNodes {
		if w.nodes == maxNodes+1 {
			w.add(path, "the file has too many values")
		}
		return false
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if _, ok := w.lines[path]; !ok && path != "" {
		w.lines[path] = n.Line
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Struct:
		return w.mapping(n, t, path)
	case t == reflect.TypeFor[[]string]() && n.Kind == yaml.ScalarNode:
		return w.scalar(n, reflect.TypeFor[string](), path)
	case t.Kind() == reflect.Slice:
		return w.sequence(n, t, path)
	}
	return w.scalar(n, t, path)
}

func (w *walker) mapping(n *yaml.Node, t reflect.Type, path string) bool {
	if n.Kind != yaml.MappingNode {
		w.add(path, "found %s, expected a mapping of keys to values", describe(n))
		return false
	}
	names, types := keysOf(t)
	seen := map[string]bool{}
	var kept []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := key.Value
		if path != "" {
			at = path + "." + key.Value
		}
		kind, known := types[key.Value]
		if !seen[key.Value] {
			w.lines[at] = key.Line
		}
		switch {
		case !known:
			w.unknown(key, at, names)
		case seen[key.Value]:
			w.list = append(w.list, Error{File: w.file, Line: key.Line, Key: at, Msg: "the key is given twice"})
		case w.walk(value, kind, at):
			kept = append(kept, key, value)
		}
		seen[key.Value] = true
	}
	n.Content = kept
	return true
}

func (w *walker) unknown(key *yaml.Node, at string, names []string) {
	msg := "unknown key; known are " + strings.Join(names, ", ")
	if n := nearest(key.Value, names); n != "" {
		msg = fmt.Sprintf("unknown key; did you mean %q?", n)
	}
	w.list = append(w.list, Error{File: w.file, Line: key.Line, Key: at, Msg: msg})
}

func (w *walker) sequence(n *yaml.Node, t reflect.Type, path string) bool {
	if n.Kind != yaml.SequenceNode {
		w.add(path, "found %s, expected a list", describe(n))
		return false
	}
	for i, item := range n.Content {
		if !w.walk(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)) {
			// The others keep their places.
			n.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}
			if t.Elem().Kind() == reflect.Struct {
				n.Content[i] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			}
		}
	}
	return true
}

// scalar resolves references and tries whether the value has its type.
func (w *walker) scalar(n *yaml.Node, t reflect.Type, path string) bool {
	if n.Kind != yaml.ScalarNode {
		w.add(path, "found %s, expected %s", describe(n), want(t))
		return false
	}
	if strings.Contains(n.Value, "$") {
		text, err := w.resolve(n.Value)
		if err != nil {
			w.add(path, "%s", err)
			return false
		}
		n.Value, n.Tag, n.Style = text, "!!str", yaml.DoubleQuotedStyle
	}
	var err error
	switch {
	case n.Tag == "!!null":
		err = fmt.Errorf("found nothing, expected %s; leave the key out for its default", want(t))
	case t == reflect.TypeFor[time.Duration]():
		_, err = parseDuration(n.Value)
	case t == reflect.TypeFor[Size]():
		err = new(Size).UnmarshalText([]byte(n.Value))
	case t.Kind() == reflect.Bool:
		if n.Value != "true" && n.Value != "false" {
			err = fmt.Errorf("found %q, expected true or false", n.Value)
		}
	case t.Kind() == reflect.Int:
		if _, e := strconv.Atoi(n.Value); e != nil {
			err = fmt.Errorf("found %q, expected a whole number", n.Value)
		}
	}
	if err != nil {
		w.add(path, "%s", err)
	}
	return err == nil
}

func want(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 10m"
	case t == reflect.TypeFor[Size]():
		return "a size such as 64KiB"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	}
	return "a text"
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// resolve replaces ${NAME} and ${file:/path}; $$ is a dollar sign.
func (w *walker) resolve(s string) (string, error) {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i == len(s)-1 {
			out.WriteString(s)
			return out.String(), nil
		}
		out.WriteString(s[:i])
		switch s[i+1] {
		case '$':
			out.WriteByte('$')
			s = s[i+2:]
			continue
		case '{':
		default:
			out.WriteByte('$')
			s = s[i+1:]
			continue
		}
		name, rest, ok := strings.Cut(s[i+2:], "}")
		if !ok {
			return "", fmt.Errorf("found %q, expected } after ${", s[i:])
		}
		value, err := w.look(name)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		s = rest
	}
}

// look reads an environment variable or a file, whose last line feed is not part of the value.
func (w *walker) look(name string) (string, error) {
	path, isFile := strings.CutPrefix(name, "file:")
	if isFile {
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", name, err)
		}
		if !info.Mode().IsRegular() || info.Size() > maxFile {
			return "", fmt.Errorf("${%s}: expected a regular file of at most 1 MiB", name)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", name, err)
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
	}
	value, ok := w.env(name)
	if !ok {
		return "", fmt.Errorf("${%s}: the environment variable is not set", name)
	}
	return value, nil
}
