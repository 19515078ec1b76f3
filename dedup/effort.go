package dedup

import "strings"

// mostEffort bounds what one question costs, whatever the senders wrote into the notifications that it is about: a tenth of a
// second, in steps that take about as long as comparing two words. Ordinary questions take a thousandth of it, and those in a
// storm of a thousand alerts of one type in a minute a half at most.
//
// # Decisions
//
// A question that isn't answered within it is answered with no: the notification stays an alert of its own. What was compared
// until then counts for nothing, as the rival that would have forbidden a pairing may be among the rest. The steps are
// counted and no clock is asked, so that the same traffic is decided alike on any machine.
const mostEffort = 1 << 20

// effort is what is left for a question.
type effort struct{ left int }

// spend takes steps, and is false where none are left: whatever is found from there on is thrown away.
func (e *effort) spend(steps int) bool {
	if e == nil {
		return true
	}
	if e.left >= 0 {
		e.left -= steps
	}
	return e.left >= 0
}

// mostReading bounds what is compared within one notification, to know what its accounts are called in full. One that needs more
// has no twin, and leaves none to those that it is a candidate of. What was read is kept, so that most of it is done once.
const (
	mostReading = 1 << 16
	readOnce    = 4
)

// spent: the question isn't going to be answered.
func (e *effort) spent() bool { return e != nil && e.left < 0 }

// stepsOfRest is what weighing two notifications takes beside comparing names: their texts are gone through word by word, some
// for each account or machine.
func stepsOfRest(a, b *facts) int {
	return (len(a.text.words) + len(b.text.words)) * (1 + len(a.accounts) + len(b.accounts) + len(a.devices) + len(b.devices)) / 4
}

// kin compares two spellings as long as there is effort left for it.
func (s scale) kin(a, b name) kinship {
	if !s.effort.spend(stepsOf(a, b)) {
		return stranger
	}
	return s.directory.kin(a, b)
}

// stepsOf is what comparing two spellings takes at most, more or less.
func stepsOf(a, b name) int {
	const (
		again   = 4 // once more for transcriptions and particles
		letters = 40
		most    = 5 // words that an account is put together of
	)
	m, n := len(a.words), len(b.words)
	steps := 1
	switch {
	case a.opaque || b.opaque:
		return steps
	case m > 1 && n > 1:
		steps = stepsOfWords(m, n)
	case m > 1 || n > 1:
		account, name := a, b
		if m > 1 {
			account, name = b, a
		}
		words := len(name.words)
		for _, w := range name.words {
			words += strings.Count(w, "-")
		}
		words = min(words, most)
		steps = again * (min(len(account.base), letters) + 1) << words * words / 4
	}
	if foreign(a) != foreign(b) {
		steps *= again
	}
	return steps
}

// stepsOfWords is what comparing two lists of words takes: each with each, and runs of them.
func stepsOfWords(m, n int) int { return 2 * m * n * (m + n) }
