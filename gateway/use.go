package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// lastWords is how long the answers to requests that are under way may take when their model has ended.
const lastWords = 500 * time.Millisecond

// use is who asks a model that is open: its files are closed when nobody does any more, so that no request meets them closed.
type use struct {
	atEnd func(func()) (forget func() bool) // has something done when the model ends
	end   context.CancelFunc

	mu    sync.Mutex // guards over, and that nobody begins to wait for under before
	over  bool
	under sync.WaitGroup // requests
}

// newUse is that of a model that ends with ctx, or by itself. Its own context goes on then, for what is damaged is still
// to be taken away.
func newUse(ctx context.Context) *use {
	ctx, end := context.WithCancel(ctx)
	return &use{atEnd: func(f func()) func() bool { return context.AfterFunc(ctx, f) }, end: end}
}

// serve has h answer, with a context that ends with the model, as does its waiting for who asks and doesn't read. It reports
// false where that has ended.
func (u *use) serve(w http.ResponseWriter, r *http.Request, h http.Handler) bool {
	u.mu.Lock()
	if u.over {
		u.mu.Unlock()
		return false
	}
	u.under.Add(1)
	u.mu.Unlock()
	defer u.under.Done()
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	asking := http.NewResponseController(w)
	told := make(chan struct{})
	forget := u.atEnd(func() {
		defer close(told)
		stop()
		until := time.Now().Add(lastWords)
		_ = errors.Join(asking.SetReadDeadline(until), asking.SetWriteDeadline(until)) // not of tests' recorders
	})
	defer func() {
		if !forget() { // who asks may ask again, on the same connection
			<-told
			_ = errors.Join(asking.SetReadDeadline(time.Time{}), asking.SetWriteDeadline(time.Time{}))
		}
	}()
	h.ServeHTTP(w, r.WithContext(ctx))
	return true
}

// finish ends the requests that are under way, waits for them, and lets none begin. The model has ended before.
func (u *use) finish() {
	u.end()
	u.mu.Lock()
	u.over = true
	u.mu.Unlock()
	u.under.Wait()
}
