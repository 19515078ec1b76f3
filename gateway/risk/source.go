package risk

import (
	"fmt"
	"math"
)

// source is who was heard from a range of addresses in the last days: users for whom everything failed, and users
// for whom something succeeded.
type source struct {
	Failed    float32 `cbor:"1,keyasint"`
	Succeeded float32 `cbor:"2,keyasint"`
}

// sources is how many ranges are kept at most; only ranges from which something failed are.
const sources = 1 << 14

// spray says how odd it is that somebody succeeds from a range of addresses, by who failed from there: where people
// work some fail and many succeed. It returns hundredths of bits, for the first success of a day, and is asked before
// the habits learn of it.
func (s *Scorer) spray(u *user, a *Activity, day int32) (bits int, words string) {
	if a.Range == "" {
		return 0, ""
	}
	key := hash(uint32(network), a.Range)
	from := s.world.Sources[key]
	if a.Failed {
		if from == nil && len(s.world.Sources) < sources {
			from = &source{}
			s.world.Sources[key] = from
		}
		if from != nil && u.Refused != key {
			from.Failed++
			u.Refused = key
		}
		return 0, ""
	}
	h := &u.Habits[network]
	if at := h.find(key); from == nil || at >= 0 && h.Values[at].Last == day {
		return 0, ""
	}
	const few = 4
	if from.Failed >= few && from.Failed > few*from.Succeeded {
		bits = int(400 * math.Log2(float64(from.Failed/(from.Succeeded+1))))
		words = fmt.Sprintf("succeeded from %s, where %.0f users failed and %.0f others succeeded in the last days", a.Range, from.Failed, from.Succeeded)
	}
	from.Succeeded++
	return bits, words
}

// forgetSources lets days go by; what is about failures is over after a few.
func (s *Scorer) forgetSources(days int32) {
	factor := float32(math.Exp2(-float64(days) / 2))
	for key, from := range s.world.Sources {
		from.Failed *= factor
		from.Succeeded *= factor
		if from.Failed < 0.5 {
			delete(s.world.Sources, key)
		}
	}
}
