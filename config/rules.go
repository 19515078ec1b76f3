package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
)

func (c *Config) checkPolicy(p *problems) {
	c.checkSettings(p, "policy", c.Policy.Settings)
	rules := c.Policy.Rules
	unique(p, "policy.rules", len(rules), func(i int) string { return rules[i].Name })
	conditions := make([]filter.Filter, len(rules))
	for i, r := range rules {
		path := fmt.Sprintf("policy.rules[%d]", i)
		c.checkSettings(p, path, r.Settings)
		conditions[i] = r.When.Conditions()
		r.When.check(p, path+".when")
		checkKinds(p, path, r, conditions[i])
		if r.When.asksScore() {
			p.add(path+".when", "found user_score, which changes from one moment to the next: decisions don't depend on it; expected it in targets only")
		}
		if reflect.DeepEqual(r.Settings, Settings{}) {
			names, _ := keysOf(reflect.TypeFor[Settings]())
			p.add(path, "found a rule that sets nothing, expected %s", alternatives(names))
		}
	}
	c.checkReach(p, conditions)
}

// checkReach finds rules that an earlier one leaves nothing to. It compares each with each, and gives up
// where a file has so many, some thousands, that it would take seconds.
func (c *Config) checkReach(p *problems, conditions []filter.Filter) {
	effort := 1 << 26
	for i := 0; i < len(conditions) && effort > 0; i++ {
		path := fmt.Sprintf("policy.rules[%d]", i)
		for j := range i {
			if !covers(conditions[j], conditions[i], &effort) {
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

// checkKinds finds a key for notifications that the rule's own conditions on their kind keep away.
func checkKinds(p *problems, path string, r Rule, conditions filter.Filter) {
	kinds := slices.DeleteFunc(slices.Clone(conditions), func(c filter.Condition) bool { return c.Field != "kind" })
	for _, k := range []struct{ key, value, kind string }{
		{"health", r.Health, "health"}, {"activities", r.Activities, "activity"}, {"unknown", r.Unknown, "unknown"},
	} {
		if k.value != "" && !kinds.Match(time.Time{}, func(string) []string { return []string{k.kind} }) {
			p.add(path+"."+k.key, "found in a rule whose when.kind doesn't fit %s, expected one that does", k.kind)
		}
	}
}

// covers says whether what fits all of others surely fits all of mine: each condition that I have they have
// too, or a narrower one. It costs effort, about one for each byte that is compared, and says no when none is
// left.
func covers(mine, others filter.Filter, effort *int) bool {
	*effort -= 16
	for _, c := range mine {
		if !slices.ContainsFunc(others, func(o filter.Condition) bool { return within(o, c, effort) }) {
			return false
		}
	}
	return *effort > 0
}

// within says whether what fits o surely fits c: they are the same, or each value of o is within one of c.
// Of operators that don't name what fits, or patterns of it, it knows no more than that.
func within(o, c filter.Condition, effort *int) bool {
	if *effort--; o.Field != c.Field {
		return false
	}
	fits := func(wanted, value string) bool { // the value may be a pattern
		*effort -= 16 + len(wanted) + len(value)
		switch {
		case *effort <= 0:
			return false
		case c.Op == filter.Matches:
			return filter.Glob(wanted, value)
		}
		return filter.Fold(wanted) == filter.Fold(value) && (o.Op == filter.Equals || !strings.Contains(value, "*"))
	}
	named := func(op filter.Op) bool { return op == filter.Equals || op == filter.Matches }
	if !named(o.Op) || !named(c.Op) {
		return o.Op == c.Op && slices.EqualFunc(o.Values, c.Values, func(a, b string) bool {
			*effort -= 16 + len(a) + len(b)
			return a == b
		})
	}
	return !slices.ContainsFunc(o.Values, func(value string) bool {
		return !slices.ContainsFunc(c.Values, func(wanted string) bool { return fits(wanted, value) })
	})
}

// Fits says whether one of the patterns fits s, in any letter case.
func Fits(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return filter.Glob(pattern, s) })
}
