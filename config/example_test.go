package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func example(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("sluice.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// optional takes the # from the lines that show what is optional.
func optional(text string) string {
	return regexp.MustCompile(`(?m)^#(  |[^ \n])`).ReplaceAllString(text, "$1")
}

func noEnvironment(string) (string, bool) { return "", false }

func mustParse(t *testing.T, text string) (Config, *problems) {
	t.Helper()
	c, p := parse("sluice.example.yaml", []byte(text), noEnvironment)
	if _, err := p.result(c); err != nil {
		t.Fatal(err)
	}
	return c, p
}

func TestTheExampleHoldsTheDefaults(t *testing.T) {
	got, p := mustParse(t, example(t))
	if diff := cmp.Diff(Default(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-default +example:\n%s", diff)
	}
	// Every key outside of lists has a default, which the file has to name.
	for _, key := range schema(reflect.TypeFor[Config](), "") {
		if !strings.Contains(key, "[]") && !strings.HasPrefix(key, "organisation") && !slices.Contains([]string{"policy.rules", "access.issuers", "access.roles"}, key) && p.lines[key] == 0 {
			t.Errorf("%s: the example doesn't name its default", key)
		}
	}
}

func TestTheExampleNamesEveryKey(t *testing.T) {
	_, p := mustParse(t, optional(example(t)))
	named := map[string]bool{}
	for key := range p.lines {
		named[regexp.MustCompile(`\[\d+\]`).ReplaceAllString(key, "[]")] = true
	}
	// Inputs and targets share a struct for TLS, but each has keys of its own; so do rules and targets for when.
	elsewhere := []string{"inputs[].tls.ca", "inputs[].tls.server_name", "targets[].tls.client_ca", "targets[].tls.client_auth", "policy.rules[].when.user_score"}
	for _, key := range schema(reflect.TypeFor[Config](), "") {
		if !named[key] && !slices.Contains(elsewhere, key) {
			t.Errorf("%s is not in the example", key)
		}
	}
}

// Where a comment calls a value the default, the line can go.
func TestTheExampleIsRightAboutDefaultsOfLists(t *testing.T) {
	lines := strings.Split(optional(example(t)), "\n")
	want, _ := mustParse(t, strings.Join(lines, "\n"))
	found := 0
	for i, line := range lines {
		if !regexp.MustCompile(`^ .*# .*\bdefault( |$|;|\))`).MatchString(line) || strings.Contains(line, "(default)") ||
			strings.Contains(line, "default cef for") {
			continue
		}
		found++
		rest := append(append([]string{}, lines[:i]...), lines[i+1:]...)
		got, _ := mustParse(t, strings.Join(rest, "\n"))
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Rule{}, "Line")); diff != "" {
			t.Errorf("line %d is no default: %s\n-with +without:\n%s", i+1, line, diff)
		}
	}
	if found < 4 {
		t.Errorf("found %d lines that are called the default, want some", found)
	}
}

// schema lists every key that there is, with [] for the place in a list.
func schema(t reflect.Type, path string) []string {
	var out []string
	names, types := keysOf(t)
	for _, name := range names {
		key := strings.TrimPrefix(path+"."+name, ".")
		out = append(out, key)
		switch kind := types[name]; {
		case kind.Kind() == reflect.Struct:
			out = append(out, schema(kind, key)...)
		case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
			out = append(out, schema(kind.Elem(), key+"[]")...)
		}
	}
	return out
}

// TestTheReadmesConfigurations: each of the README's blocks is one that Sluice takes, once its files are there and
// its variables set.
func TestTheReadmesConfigurations(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) < 5 {
		t.Fatalf("found %d blocks, want some", len(blocks))
	}
	set := func(string) (string, bool) { return "a-secret-of-the-environment", true }
	for _, b := range blocks {
		c, p := parse("README.md", []byte(b[1]), set)
		if _, err := p.result(c); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
	}
}
