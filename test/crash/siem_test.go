package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
)

// TestSIEMTakesWhatItRead: a SIEM that closes a connection in order has taken all that came; where it has
// left something to its kernel, or thrown away what it had read, it resets the connection, and the sender knows.
func TestSIEMTakesWhatItRead(t *testing.T) {
	frame := func(key string) string {
		m := fmt.Sprintf(`{"event_key":%q}`, key)
		return fmt.Sprintf("%d %s", len(m), m)
	}
	tests := []struct {
		name         string
		reset        bool
		sent, unread string // what is read at once, of which one message is taken before the end; what comes after it
		taken        string
		err          error // that the sender meets
	}{
		{"closes", false, frame("a"), "", "a", nil},
		{"closes with more in hand", false, frame("a") + frame("b") + frame("c"), "", "abc", nil},
		{"closes with part of a message in hand", false, frame("a") + frame("b")[:9], "", "a", nil},
		{"closes with some unread", false, frame("a") + frame("b"), frame("c"), "ab", syscall.ECONNRESET},
		{"resets", true, frame("a") + frame("b"), "", "a", syscall.ECONNRESET},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newSIEM(rand.New(rand.NewPCG(1, 1)), func() int { return 1 })
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			s.stall()
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			send := func(text string) {
				t.Helper()
				if _, err := io.WriteString(conn, text); err != nil {
					t.Fatal(err)
				}
			}
			taken := func() string {
				s.mu.Lock()
				defer s.mu.Unlock()
				var keys strings.Builder
				for _, e := range s.sessions[0].copies {
					keys.WriteString(e.key)
				}
				return keys.String()
			}
			send(tt.sent)
			s.gate <- struct{}{} // one message
			if err := poll(t.Context(), func() error {
				if got := taken(); got != "a" {
					return fmt.Errorf("taken: %q, want a", got)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			send(tt.unread)
			s.breakAll(tt.reset)
			s.read()
			if _, err := io.Copy(io.Discard, conn); !errors.Is(err, tt.err) {
				t.Errorf("the sender meets %v, want %v", err, tt.err)
			}
			if got := taken(); got != tt.taken {
				t.Errorf("taken: %q, want %q", got, tt.taken)
			}
		})
	}
}
