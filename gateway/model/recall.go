package model

import (
	"context"
	"fmt"

	"github.com/sluice-siem/sluice/gateway/risk"
)

// recall shows where users stood when the model was last at work. Reading the profiles of a large organisation takes
// seconds, and whoever delivers meanwhile doesn't wait for it.
func (m *Model) recall(ctx context.Context, p place) error {
	rows, err := m.writer.QueryContext(ctx, "SELECT s.user, s.points, s.bounded, x.folded FROM scores s JOIN persons p ON p.id = s.user "+
		"JOIN names x ON x.person = p.n ORDER BY s.user, x.n")
	if err != nil {
		return fmt.Errorf("read the scores of users: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var all []standing
	for rows.Next() {
		var s standing
		var points int64
		var name string
		if err := rows.Scan(&s.user, &points, &s.Bounded, &name); err != nil {
			return fmt.Errorf("read the scores of users: %w", err)
		}
		if last := len(all) - 1; last >= 0 && all[last].user == s.user {
			if len(all[last].names) < mostListed {
				all[last].names = append(all[last].names, name)
			}
			continue
		}
		s.points, s.Score, s.At, s.names = risk.Points(points), risk.Points(points).Float(), p.time, []string{name}
		all = append(all, s)
	}
	m.scores.shown = map[string]standing{}
	m.scores.show(all)
	return rows.Err()
}
