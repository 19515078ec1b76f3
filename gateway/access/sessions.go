package access

import (
	"sync"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// mostSessions are open at once: the one that was idle for longest makes room.
const mostSessions = 10_000

// session is a log-in that lasts.
type session struct {
	who    Principal
	issuer string // by whom; empty for the local admin
	used   time.Time
}

// sessions are kept in memory: a restart ends them. What the browser holds is a text that means nothing; here is its
// digest.
type sessions struct {
	limits config.Sessions

	mu   sync.Mutex // guards open
	open map[string]*session
}

func newSessions(limits config.Sessions) *sessions {
	return &sessions{limits: limits, open: map[string]*session{}}
}

// begin opens a session under an ID that nobody had before, so that one which somebody planted is worth nothing.
func (s *sessions) begin(who Principal, issuer string, now time.Time) (id string) {
	who.Expires = now.Add(s.limits.Length).UTC().Truncate(time.Second)
	id = newSecret()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= mostSessions {
		s.shed(now)
	}
	s.open[digest(id)] = &session{who: who, issuer: issuer, used: now}
	return id
}

// shed makes room.
func (s *sessions) shed(now time.Time) {
	oldest := ""
	for key, o := range s.open {
		if s.over(o, now) {
			delete(s.open, key)
		} else if oldest == "" || o.used.Before(s.open[oldest].used) {
			oldest = key
		}
	}
	if len(s.open) >= mostSessions {
		delete(s.open, oldest)
	}
}

func (s *sessions) over(o *session, now time.Time) bool {
	return !now.Before(o.who.Expires) || now.Sub(o.used) >= s.limits.Idle
}

// use is whose session that is; false where it is over, or never was.
func (s *sessions) use(id string, now time.Time) (Principal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open[digest(id)]
	if o == nil {
		return Principal{}, false
	}
	if s.over(o, now) {
		delete(s.open, digest(id))
		return Principal{}, false
	}
	o.used = now
	return o.who, true
}

// end closes a session and says whose it was.
func (s *sessions) end(id string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open[digest(id)]
	if o == nil {
		return session{}, false
	}
	delete(s.open, digest(id))
	return *o, true
}

// endOf closes all of somebody's.
func (s *sessions) endOf(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, o := range s.open {
		if o.who.ID == who {
			delete(s.open, key)
		}
	}
}
