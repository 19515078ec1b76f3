package gateway

import (
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// score gives the latest investigation priority of the user among these who stands highest. Without a model, or while
// it isn't open, there is none, and nobody waits for one.
func (g *Gateway) score(accounts []formats.Entity) *stream.Score {
	if g.show == nil {
		return nil
	}
	m := g.show.model.Load()
	if m == nil {
		return nil
	}
	var highest *stream.Score
	for i := range accounts {
		s, ok := m.Standing(accounts[i].Name)
		if ok && (highest == nil || s.Score > highest.Points) {
			highest = &stream.Score{User: accounts[i].Name, Points: s.Score, Bounded: s.Bounded, At: s.At}
		}
	}
	return highest
}
