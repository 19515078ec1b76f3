package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestAModelEndsBesideWhoDoesNotRead: somebody who asked for much and doesn't read the answer, as in a pager, holds up neither the
// closing of a model nor the gateway's stop; and who asked for little reads the end of it.
func TestAModelEndsBesideWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	u := newUse(ctx)
	writing := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.serve(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/little" {
				writing <- struct{}{}
				<-r.Context().Done()
				_, _ = io.WriteString(w, "the end")
				return
			}
			select {
			case writing <- struct{}{}:
			default:
			}
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}))
	}))
	defer server.Close()
	much, err := server.Client().Get(server.URL + "/much")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = much.Body.Close() }() // it was broken off
	<-writing
	answer := make(chan string, 1)
	go func() {
		r, err := server.Client().Get(server.URL + "/little")
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close() // it was read
		answer <- string(body)
	}()
	<-writing
	end()
	finished := make(chan struct{})
	go func() {
		u.finish()
		close(finished)
	}()
	if got := <-answer; got != "the end" {
		t.Errorf("who reads got %q", got)
	}
	select {
	case <-finished:
	case <-time.After(10 * time.Second):
		t.Error("a request that isn't read is waited for")
		_ = much.Body.Close()
	}
}
