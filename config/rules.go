package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

func (c *Config) checkPolicy(p *problems) {
	c.checkSettings(p, "policy", c.Policy.Settings)
	rules := c.Policy.Rules
	unique(p, "policy.rules", len(rules), func(i int) string { return rules[i].Name })
	patterns := make([][]condition, len(rules))
	for i, r := range rules {
		path := fmt.Sprintf("policy.rules[%d]", i)
		c.checkSettings(p, path, r.Settings)
		patterns[i] = r.When.conditions(c.Services)
		checkConditions(p, path+".when", patterns[i])
		checkKinds(p, path, r)
		if reflect.DeepEqual(r.Settings, Settings{}) {
			names, _ := keysOf(reflect.TypeFor[Settings]())
			p.add(path, "found a rule that sets nothing, expected %s", alternatives(names))
		}
	}
	c.checkReach(p, patterns)
}

// checkReach finds rules that an earlier one leaves nothing to. It compares each with each, and gives up
// where a file has so many, some thousands, that it would take seconds.
func (c *Config) checkReach(p *problems, patterns [][]condition) {
	effort := 1 << 26
	for i := 0; i < len(patterns) && effort > 0; i++ {
		path := fmt.Sprintf("policy.rules[%d]", i)
		for j := range i {
			if !covers(patterns[j], patterns[i], &effort) {
				continue
			}
			if p.known(fmt.Sprintf("policy.rules[%d].when", j)) && p.known(path+".when") {
				p.add(path, "found a rule that nothing reaches: policy.rules[%d] (%s) fits everything that this one fits",
					j, quote(c.Policy.Rules[j].Name))
				break
			}
		}
	}
}

func (c *Config) checkSettings(p *problems, path string, s Settings) {
	inRule := path != "policy"
	for _, w := range []struct {
		key, value string
		words      []string
	}{
		{"mode", s.Mode, []string{"enforce", "shadow"}},
		{"late_twin", s.LateTwin, []string{"link", "suppress"}},
		{"updates", s.Updates, []string{"forward", "suppress"}},
		{"health", s.Health, []string{"forward", "drop"}},
		{"activities", s.Activities, []string{"forward", "drop"}},
		{"unknown", s.Unknown, []string{"forward", "drop"}},
	} {
		// In a rule an empty value is a key left out; one that is written empty is a mistake.
		if w.value != "" || !inRule || p.lines[path+"."+w.key] > 0 {
			oneOf(p, path+"."+w.key, w.value, w.words...)
		}
	}
	c.checkManageIn(p, path+".manage_in", s.ManageIn)
	if s.Hold == nil {
		return
	}
	if *s.Hold < 0 {
		p.add(path+".hold", "found %s, expected 0s or more", show(*s.Hold))
	}
	atMost(p, path+".hold", *s.Hold, "dedup.window", c.Dedup.Window)
}

func (c *Config) checkManageIn(p *problems, path string, order []string) {
	if order != nil && len(order) == 0 {
		p.add(path, "found an empty list, expected %s", alternatives(c.Services.Order()))
	}
	seen := map[string]bool{}
	for i, name := range order {
		key := p.element(path, i)
		oneOf(p, key, name, c.Services.Order()...)
		// Nobody has to name another one because the default is disabled: the others follow anyway.
		written := p.lines[path] > 0
		if _, known := c.Services.named()[name]; known && written && !c.Services.Enabled(name) {
			p.add(key, "found %q, which services.%s.enabled switches off; expected an enabled service", name, name)
		}
		if seen[name] {
			p.add(key, "found %s twice, expected it once", quote(name))
		}
		seen[name] = true
	}
}

// checkKinds finds a key for notifications that the rule's own when.kind keeps away.
func checkKinds(p *problems, path string, r Rule) {
	for _, k := range []struct{ key, value, kind string }{
		{"health", r.Health, "health"}, {"activities", r.Activities, "activity"}, {"unknown", r.Unknown, "unknown"},
	} {
		if k.value != "" && len(r.When.Kind) > 0 && !Fits(r.When.Kind, k.kind) {
			p.add(path+"."+k.key, "found in a rule whose when.kind doesn't fit %s, expected one that does", k.kind)
		}
	}
}

// condition is one key of a rule's when, with the words it may take, if they are known.
type condition struct {
	key      string
	patterns []string
	words    []string
}

func (w When) conditions(s Services) []condition {
	return []condition{
		{"service", w.Service, append(s.Order(), "unknown")},
		{"kind", w.Kind, []string{"alert", "activity", "health", "unknown"}},
		{"type", w.Type, nil},
		{"title", w.Title, nil},
		{"severity", w.Severity, []string{"informational", "low", "medium", "high", "unknown"}},
		{"user", w.User, nil},
		{"host", w.Host, nil},
		{"app", w.App, nil},
	}
}

func checkConditions(p *problems, path string, conditions []condition) {
	for _, c := range conditions {
		if c.patterns != nil && len(c.patterns) == 0 {
			p.add(path+"."+c.key, "found an empty list, expected a pattern; leave the key out where anything fits")
		}
		for i, pattern := range c.patterns {
			key := p.element(path+"."+c.key, i)
			switch {
			case pattern == "":
				p.add(key, "found nothing, expected a pattern; leave the key out where anything fits")
			case c.words != nil && !slices.ContainsFunc(c.words, func(word string) bool { return Fits([]string{pattern}, word) }):
				oneOf(p, key, pattern, c.words...)
			}
		}
	}
}

// covers says whether what fits all of others surely fits all of mine: each key that I have they have
// too, and each of their patterns is within one of mine. It costs effort, about one for each byte that
// is compared, and says no when none is left.
func covers(mine, others []condition, effort *int) bool {
	*effort -= 16
	for i, c := range mine {
		if len(c.patterns) == 0 {
			continue
		}
		if len(others[i].patterns) == 0 {
			return false
		}
		for _, o := range others[i].patterns {
			if !slices.ContainsFunc(c.patterns, func(pattern string) bool {
				*effort -= 16 + len(pattern) + len(o)
				return *effort > 0 && Fits([]string{pattern}, o)
			}) {
				return false
			}
		}
	}
	return *effort > 0
}

// Fits says whether one of the patterns fits s, in any letter case. s may be a pattern too: as only a *
// fits a *, a pattern that fits another one fits everything that the other one fits.
func Fits(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return glob(strings.ToLower(p), strings.ToLower(s)) })
}

// glob matches * to any run of characters: the parts between must follow each other in s, the first
// at its start and the last at its end.
func glob(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return s == pattern
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		_, after, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s, rest = after, more
	}
}
