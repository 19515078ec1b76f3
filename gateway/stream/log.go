package stream

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// serverLog passes on what the embedded server says, and remembers its errors: after an IO error the
// server doesn't answer a publish at all, so its log is the only quick sign of one.
type serverLog struct {
	log    *slog.Logger
	failed chan struct{} // closed by the first error

	mu    sync.Mutex // guards what follows
	err   error
	fatal bool // it gave up; it says so nowhere else
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log: log, failed: make(chan struct{})}
}

// Noticef is one of the methods that the server demands.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("jetstream", "text", text(format, v))
}

// Debugf is one of the methods that the server demands.
func (l *serverLog) Debugf(format string, v ...any) {
	l.log.Debug("jetstream", "text", text(format, v))
}

// Tracef is one of the methods that the server demands.
func (l *serverLog) Tracef(format string, v ...any) {
	l.log.Debug("jetstream", "text", text(format, v))
}

// Warnf is one of the methods that the server demands.
func (l *serverLog) Warnf(format string, v ...any) {
	s := text(format, v)
	l.log.Warn("jetstream", "text", s)
	if strings.Contains(s, "disabling JetStream") { // it stops itself where it may not write
		l.fail(s)
	}
}

// Errorf is one of the methods that the server demands.
func (l *serverLog) Errorf(format string, v ...any) {
	s := text(format, v)
	l.log.Warn("jetstream", "text", s)
	l.fail(s)
}

// Fatalf is one of the methods that the server demands; it ends nothing.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.Errorf(format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = true
}

// gaveUp says that the server ended its start in the middle.
func (l *serverLog) gaveUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func (l *serverLog) fail(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = fmt.Errorf("jetstream: %s", text)
		close(l.failed)
	}
}

// failure is the first error since the log was made, or nil.
func (l *serverLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// reset forgets what went wrong while the server recovered its files.
func (l *serverLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		l.err, l.failed = nil, make(chan struct{})
	}
}

// fails is closed when the server reports an error.
func (l *serverLog) fails() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func text(format string, v []any) string { return fmt.Sprintf(format, v...) }
