package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	koanfyaml "github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// maxFile is more than any configuration has, and little enough to read whole.
const maxFile = 1 << 20

// Load reads a file, resolves ${ENV} and ${file:/path} in its values, lays it over the defaults and
// checks everything, the files it names included. A problem of the file is one of [Errors], which
// holds all there are.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	}
	c, p, err := parse(path, data, os.LookupEnv)
	if err != nil {
		return Config{}, err
	}
	c.checkFiles(p)
	return c, p.sorted()
}

// Parse is Load for a file's bytes, without a look at the files that the configuration names, save
// those of ${file:}. name is what errors call the file; env looks up an environment variable.
func Parse(name string, data []byte, env func(string) (string, bool)) (Config, error) {
	c, _, err := parse(name, data, env)
	return c, err
}

func parse(name string, data []byte, env func(string) (string, bool)) (Config, *problems, error) {
	p := &problems{file: name, lines: map[string]int{}}
	if len(data) > maxFile {
		p.add("", "the file has more than 1 MiB")
		return Config{}, p, p.sorted()
	}
	root, err := document(data)
	if err != nil {
		p.list = append(p.list, syntax(name, err))
		return Config{}, p, p.sorted()
	}
	if root == nil {
		return Default(), p, nil // an empty file
	}
	w := walker{problems: p, env: env}
	w.walk(root, reflect.TypeFor[Config](), "")
	p.unread = len(p.list)
	c, err := decode(root) // what can't be read is left out by now
	if err != nil {
		return Config{}, p, fmt.Errorf("%s: %w", name, err)
	}
	c.complete()
	for i := range c.Policy.Rules {
		c.Policy.Rules[i].Line = p.line(fmt.Sprintf("policy.rules[%d]", i))
	}
	c.check(p)
	return c, p, p.sorted()
}

// document gives the mapping that the file is, nil for an empty file.
func document(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one YAML document")
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	return doc.Content[0], nil
}

// syntax keeps the line that the YAML reader names.
func syntax(name string, err error) Error {
	e := Error{File: name, Msg: strings.TrimPrefix(err.Error(), "yaml: ")}
	var line int
	var rest string
	if n, _ := fmt.Sscanf(e.Msg, "line %d:", &line); n == 1 {
		_, rest, _ = strings.Cut(e.Msg, ": ")
		e.Line, e.Msg = line, rest
	}
	return e
}

// decode lays the file over the defaults. Lists of the file replace those of the defaults.
func decode(root *yaml.Node) (Config, error) {
	data, err := yaml.Marshal(root)
	if err != nil {
		return Config{}, err
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(data), koanfyaml.Parser()); err != nil {
		return Config{}, err
	}
	c := Default()
	for key, list := range map[string]*[]string{
		"services.cloud_app_security.shows": &c.Services.CloudAppSecurity.Shows, "policy.manage_in": &c.Policy.ManageIn,
	} {
		if k.Exists(key) {
			*list = nil
		}
	}
	if k.Exists("inputs") {
		c.Inputs = nil
	}
	if k.Exists("targets") {
		c.Targets = nil
	}
	err = k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result: &c, TagName: "koanf", WeaklyTypedInput: true, DecodeHook: mapstructure.ComposeDecodeHookFunc(
			durationHook, mapstructure.TextUnmarshallerHookFunc(), listHook),
	}})
	return c, err
}

func durationHook(from, to reflect.Type, value any) (any, error) {
	if from.Kind() == reflect.String && to == reflect.TypeFor[time.Duration]() {
		return parseDuration(value.(string))
	}
	return value, nil
}

// listHook lets one value stand for a list of one.
func listHook(from, to reflect.Type, value any) (any, error) {
	if to == reflect.TypeFor[[]string]() && from.Kind() != reflect.Slice {
		return []string{fmt.Sprint(value)}, nil
	}
	return value, nil
}

// keysOf lists the keys of a struct with the types of their values.
func keysOf(t reflect.Type) (names []string, types map[string]reflect.Type) {
	types = map[string]reflect.Type{}
	for f := range t.Fields() {
		tag := f.Tag.Get("koanf")
		if tag == ",squash" {
			more, of := keysOf(f.Type)
			for _, n := range more {
				types[n] = of[n]
			}
			names = append(names, more...)
			continue
		}
		if tag != "-" && tag != "" {
			names = append(names, tag)
			types[tag] = f.Type
		}
	}
	return slices.Clip(names), types
}
