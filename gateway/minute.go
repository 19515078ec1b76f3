package gateway

import (
	"sync"
	"time"

	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// minute counts what the last minute brought, by whom and in the ledger's terms: what is shown as a rate. It begins
// with the process. The zero value is ready to be used.
type minute struct {
	mu      sync.Mutex
	seconds [60]second
}

// second is one of the last sixty.
type second struct {
	at     int64 // since 1970
	counts map[passed]int
}

// passed is what is counted: whose entries, a service's or a target's, and what became of them.
type passed struct{ who, term string }

// decided counts entries that are durable at now.
func (m *minute) decided(entries []*stream.Entry, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := m.second(now)
	for _, e := range entries {
		service, _ := e.Account()
		for _, term := range ledger.Terms(e) {
			counts[passed{string(service), term}]++
		}
	}
}

// delivered counts entries that a target has at now.
func (m *minute) delivered(target string, n int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.second(now)[passed{target, ledger.Delivered}] += n
}

// second is where that time counts. The caller holds mu.
func (m *minute) second(now time.Time) map[passed]int {
	at := now.Unix()
	s := &m.seconds[at%int64(len(m.seconds))]
	if s.at != at {
		*s = second{at, map[passed]int{}}
	}
	return s.counts
}

// rates are, by what is counted, how many a second there were in the minute up to now.
func (m *minute) rates(now time.Time) map[passed]float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[passed]float64{}
	for i := range m.seconds {
		if age := now.Unix() - m.seconds[i].at; age < 0 || age >= int64(len(m.seconds)) {
			continue
		}
		for what, n := range m.seconds[i].counts {
			out[what] += float64(n) / float64(len(m.seconds))
		}
	}
	return out
}
