package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"unicode/utf8"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// maxFile is more than any configuration has, and little enough to read whole.
const maxFile = 1 << 20

// Load reads a file, resolves ${ENV} and ${file:/path} in its values, lays it over the defaults and
// checks everything, the certificates it names included. Where the file has problems the error is
// [Errors], which holds all there are; where it can't be read, the operating system's.
func Load(path string) (Config, error) {
	c, p, err := read(path)
	if err != nil {
		return Config{}, err
	}
	c.checkFiles(p)
	return p.result(c)
}

// Read is Load without a look at the files that the configuration names, save those of ${file:}.
func Read(path string) (Config, error) {
	c, p, err := read(path)
	if err != nil {
		return Config{}, err
	}
	return p.result(c)
}

func read(path string) (Config, *problems, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Config{}, nil, err
	}
	if !info.Mode().IsRegular() { // a pipe may never end, and has nothing for whoever reads it once more
		return Config{}, nil, fmt.Errorf("load configuration: %s is no regular file, expected one: it is read more than once", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Config{}, nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, nil, fmt.Errorf("load configuration: %w", err)
	}
	c, p := parse(path, data, os.LookupEnv)
	if len(bytes.TrimSpace(data)) == 0 {
		// Such a file is what a full disk leaves of one that is written anew: with the defaults all would go to standard output,
		// and nothing to the SIEM.
		p.report(0, "", "found an empty file, expected a configuration; {} stands for the defaults alone")
	}
	return c, p, nil
}

// Parse is Load for a file's bytes, without a look at the files that the configuration names, save
// those of ${file:}. name is what errors call the file; env looks up an environment variable.
func Parse(name string, data []byte, env func(string) (string, bool)) (Config, error) {
	c, p := parse(name, data, env)
	return p.result(c)
}

// parse gives what could be read of a file, the defaults for the rest, and what is wrong.
func parse(name string, data []byte, env func(string) (string, bool)) (Config, *problems) {
	p := newProblems(name)
	root, err := document(data)
	if err != nil {
		p.list = append(p.list, syntax(name, data, err))
	}
	if root == nil {
		return Default(), p
	}
	w := walker{problems: p, env: env}
	tree, ok := w.walk(root, reflect.TypeFor[Config](), "")
	if !ok || p.full {
		return Default(), p
	}
	c, err := decode(tree)
	if err != nil {
		p.report(root.Line, "", "%s", err)
		return Default(), p
	}
	c.complete(func(key string) bool { return p.lines[key] > 0 })
	for i := range c.Policy.Rules {
		c.Policy.Rules[i].Line = p.line(fmt.Sprintf("policy.rules[%d]", i))
	}
	c.check(p)
	return c, p
}

// document gives the value that the file is, nil for an empty file.
func document(data []byte) (*yaml.Node, error) {
	if len(data) > maxFile {
		return nil, errors.New("found more than 1 MiB, expected a configuration")
	}
	if err := plainText(data); err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&second); err == nil {
		return nil, fmt.Errorf("line %d: found a second YAML document, expected one", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	if root := doc.Content[0]; root.Kind != yaml.ScalarNode || root.ShortTag() != "!!null" {
		return root, nil
	}
	return nil, nil
}

// plainText finds what is no text, because the YAML reader doesn't say where.
func plainText(data []byte) error {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\x7f' {
			return fmt.Errorf("line %d: found the byte 0x%02x, expected text in UTF-8", 1+bytes.Count(data[:i], []byte("\n")), data[i])
		}
		i += size
	}
	return nil
}

// tree is the file as koanf takes it: nested maps, whose values have the types of Config already.
type tree map[string]any

// Read gives koanf the values.
func (t tree) Read() (map[string]any, error) { return t, nil }

// ReadBytes is not asked for where there is no parser.
func (t tree) ReadBytes() ([]byte, error) { return nil, errors.ErrUnsupported }

// decode lays the file over the defaults. A list of the file replaces that of the defaults.
func decode(values any) (Config, error) {
	m, ok := values.(map[string]any)
	if !ok {
		return Config{}, fmt.Errorf("found a %T, expected a mapping", values)
	}
	k := koanf.New(".")
	if err := k.Load(tree(m), nil); err != nil {
		return Config{}, err
	}
	c := Default()
	err := k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		TagName: "koanf", ErrorUnused: true,
		ZeroFields: true, // of lists: without it the file's would be merged into the defaults' by index
	}})
	return c, err
}
