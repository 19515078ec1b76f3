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
	for i, r := range rules {
		path := fmt.Sprintf("policy.rules[%d]", i)
		c.checkSettings(p, path, r.Settings)
		r.When.check(p, path+".when", c.Services)
		if reflect.DeepEqual(r.Settings, Settings{}) {
			p.add(path, "the rule sets nothing, expected one of manage_in, hold, mode, late_twin, updates, health, activities, unknown")
		}
		for j, earlier := range rules[:i] {
			if earlier.When.covers(r.When) {
				p.add(path, "no notification reaches this rule: policy.rules[%d] (%s) fits everything that this one fits", j, earlier.Name)
				break
			}
		}
	}
}

func (c *Config) checkSettings(p *problems, path string, s Settings) {
	words := func(key, value string, known ...string) {
		if value != "" {
			oneOf(p, path+"."+key, value, known...)
		}
	}
	words("mode", s.Mode, "enforce", "shadow")
	words("late_twin", s.LateTwin, "link", "suppress")
	words("updates", s.Updates, "forward", "suppress")
	words("health", s.Health, "forward", "drop")
	words("activities", s.Activities, "forward", "drop")
	words("unknown", s.Unknown, "forward", "drop")
	for i, name := range s.ManageIn {
		key := fmt.Sprintf("%s.manage_in[%d]", path, i)
		oneOf(p, key, name, c.Services.Order()...)
		if slices.Contains(c.Services.Order(), name) && !c.Services.Enabled(name) && p.line(key) > 0 {
			p.add(key, "found %s, which services.%s.enabled switches off; expected an enabled service", name, name)
		}
		if slices.Contains(s.ManageIn[:i], name) {
			p.add(key, "found %s twice", name)
		}
	}
	if s.Hold != nil && (*s.Hold < 0 || *s.Hold > c.Dedup.Window) {
		p.add(path+".hold", "found %s, expected 0s to dedup.window, %s", *s.Hold, c.Dedup.Window)
	}
}

// keys gives the patterns of w by their key.
func (w When) keys() map[string][]string {
	return map[string][]string{
		"service": w.Service, "kind": w.Kind, "type": w.Type, "title": w.Title, "severity": w.Severity,
		"user": w.User, "host": w.Host, "app": w.App,
	}
}

func (w When) check(p *problems, path string, s Services) {
	known := map[string][]string{
		"service": append(s.Order(), "unknown"), "kind": {"alert", "activity", "health", "unknown"},
		"severity": {"unknown", "informational", "low", "medium", "high"},
	}
	for key, patterns := range w.keys() {
		for i, pattern := range patterns {
			at := fmt.Sprintf("%s.%s[%d]", path, key, i)
			switch {
			case pattern == "":
				p.add(at, "found an empty pattern, which fits nothing")
			case known[key] != nil && !strings.Contains(pattern, "*"):
				oneOf(p, at, pattern, known[key]...)
			}
		}
	}
}

// covers says whether w fits everything that o fits, as far as the patterns show it.
func (w When) covers(o When) bool {
	others := o.keys()
	for key, mine := range w.keys() {
		if len(mine) == 0 {
			continue
		}
		if len(others[key]) == 0 {
			return false
		}
		for _, pattern := range others[key] {
			if !slices.ContainsFunc(mine, func(m string) bool { return strings.EqualFold(m, pattern) || strings.Trim(m, "*") == "" }) {
				return false
			}
		}
	}
	return true
}
