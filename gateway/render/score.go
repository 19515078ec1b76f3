package render

import (
	"math"
	"strconv"

	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// What an alert says of its user's investigation priority. It is stamped on the entry by who delivers: the score as it
// was then, and since when it was so.

// decimal writes a number of hundredths as it is.
func decimal(n float64) string { return strconv.FormatFloat(math.Round(100*n)/100, 'f', -1, 64) }

// decimal writes a number of hundredths.
func (w *writer) decimal(key string, n float64) {
	w.key(key)
	w.b = append(w.b, decimal(n)...)
}

// riskLevel is what Elastic calls a bounded score.
func riskLevel(bounded float64) (id int64, name string) {
	for i, from := range [...]float64{90, 70, 40, 20} {
		if bounded >= from {
			return int64(4 - i), [...]string{"Critical", "High", "Moderate", "Low"}[i]
		}
	}
	return 0, "Unknown"
}

// appendScore appends the score as CEF has numbers: Cloud App Security labels one riskScore too. What the first
// custom number can't hold, a whole number, is in fields of our own.
func appendScore(f []cef.Field, s *stream.Score) []cef.Field {
	if s == nil {
		return f
	}
	return append(f,
		cef.Field{Key: "sluiceRiskScore", Value: decimal(s.Points)}, cef.Field{Key: "sluiceRiskScoreBounded", Value: decimal(s.Bounded)},
		cef.Field{Key: "sluiceRiskScoreTime", Value: millis(s.At)}, cef.Field{Key: "sluiceRiskUser", Value: cut(s.User, 1024)})
}

// appendRisk appends the score to the format json.
func (l *line) appendRisk(b []byte) []byte {
	if l.Score == nil {
		return b
	}
	b = append(appendKey(b, "risk_score"), decimal(l.Score.Points)...)
	b = append(appendKey(b, "risk_score_bounded"), decimal(l.Score.Bounded)...)
	b = appendInstant(b, "risk_score_time", l.Score.At)
	return appendMember(b, "risk_user", l.Score.User)
}

// writeECSRisk writes the score of the first account as the schema has it.
func (l *line) writeECSRisk(w *writer) {
	if l.Score == nil || len(l.Users) == 0 || l.Users[0] != l.Score.User {
		return // sluice.risk has it
	}
	_, level := riskLevel(l.Score.Bounded)
	w.begin("risk", '{')
	w.decimal("calculated_score", l.Score.Points)
	w.decimal("calculated_score_norm", l.Score.Bounded)
	w.text("calculated_level", level)
	w.end()
}

// writeOwnRisk writes the score whole, where the schema leaves a place to us.
func (l *line) writeOwnRisk(w *writer, key string) {
	if l.Score == nil {
		return
	}
	w.begin(key, '{')
	w.text("user", l.Score.User)
	w.decimal("score", l.Score.Points)
	w.decimal("bounded", l.Score.Bounded)
	w.time("time", l.Score.At)
	w.end()
}

// writeOCSFRisk writes the score as a finding has it: a whole number, and its level.
func (l *line) writeOCSFRisk(w *writer) {
	if l.Score == nil {
		return
	}
	id, _ := riskLevel(l.Score.Bounded)
	w.number("risk_score", int64(math.Round(l.Score.Points)))
	w.number("risk_level_id", id)
	w.text("risk_level", [...]string{"Info", "Low", "Medium", "High", "Critical"}[id])
}

// columns are the score in a table of our own.
func (l *line) writeRiskColumns(w *writer) {
	if l.Score == nil {
		return
	}
	w.decimal("RiskScore", l.Score.Points)
	w.decimal("RiskScoreBounded", l.Score.Bounded)
	w.time("RiskScoreTime", l.Score.At)
	w.text("RiskUser", l.Score.User)
}
