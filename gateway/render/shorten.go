package render

import (
	"slices"
	"unicode/utf8"
)

// cutMark stands at the end of a text that was cut.
const cutMark = " [cut by sluice]"

// cut shortens s to at most longest bytes, the mark included, between two characters.
func cut(s string, longest int) string {
	if len(s) <= longest {
		return s
	}
	mark := cutMark
	if len(mark) > longest {
		mark = ""
	}
	end := longest - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// shorten cuts every text that a sender can make long, and every list. What others hold is copied.
func (l *line) shorten(longest int) {
	const perItem = 128
	fewest := 4
	if longest < perItem {
		fewest = 1 // there is nothing else left to cut
	}
	most := max(fewest, longest/perItem)
	for _, s := range [...]*string{&l.Message, &l.Type, &l.Class, &l.Title, &l.App, &l.URL, &l.Input, &l.Rule, &l.NotificationID} {
		*s = cut(*s, longest)
	}
	for _, list := range [...]*[]string{&l.Users, &l.Hosts, &l.Addresses} {
		*list = slices.Clone((*list)[:min(most, len(*list))])
		for i := range *list {
			(*list)[i] = cut((*list)[i], longest)
		}
	}
	l.MatchedBy = slices.Clone(l.MatchedBy[:min(most, len(l.MatchedBy))])
	for i := range l.MatchedBy {
		l.MatchedBy[i].What = cut(l.MatchedBy[i].What, longest)
		l.MatchedBy[i].How = cut(l.MatchedBy[i].How, longest)
	}
	if l.RunnerUp != nil {
		shorter := *l.RunnerUp
		shorter.Why = cut(shorter.Why, longest)
		l.RunnerUp = &shorter
	}
	l.Twins = l.Twins[:min(most, len(l.Twins))]
	for i := range l.Twins {
		l.Twins[i].NotificationID, l.Twins[i].URL = cut(l.Twins[i].NotificationID, longest), cut(l.Twins[i].URL, longest)
	}
}
