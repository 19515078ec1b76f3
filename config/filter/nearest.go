package filter

import (
	"fmt"
	"slices"
	"strings"
)

// hint asks for the known word that a misspelt one most likely means, behind what is expected.
func hint[W ~string](word string, known []W) string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	if n := Nearest(word, names); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// Nearest is the known word that a misspelt one most likely means, or "". At most a third of its
// letters may differ, or it is how one of the words begins, and no other.
func Nearest(word string, known []string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "-", "_")
	best, least := "", len(word)+1
	for _, k := range known {
		longer := max(len(word), len(k))
		if longer > 2*len(k) { // too far, and a file's words may be long
			continue
		}
		if d := distance(word, k); d < least && d <= max(longer/3, 1) && d < longer {
			best, least = k, d
		}
	}
	if best == "" && len(word) > 2 {
		longer := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return !strings.HasPrefix(k, word) })
		if len(longer) == 1 {
			return longer[0]
		}
	}
	return best
}

// distance is how many letters to put in, take out, change or swap with the next one (Damerau and
// Levenshtein's, each letter moved once).
func distance(a, b string) int {
	var before, last []int // rows of the table
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
