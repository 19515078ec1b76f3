package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/gateway"
)

// TestTrialsAreToldInWords: an operator needs no Go to read why a target didn't take a test event.
func TestTrialsAreToldInWords(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("webhook: %w", context.DeadlineExceeded), "webhook: no answer within 10s"},
		{errors.Join(fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded), context.DeadlineExceeded), "read tcp: no answer within 10s\nno answer within 10s"},
		{fmt.Errorf("send: %w", context.Canceled), "send: interrupted"},
		{fmt.Errorf("open a session: %w", io.EOF), "open a session: the connection was closed without an answer"},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "read: the connection was closed in the middle of an answer"},
		{errors.New("it says EOF"), "it says EOF"}, // the other side's words stay
		{nil, "it gave no reason"},
	} {
		var out strings.Builder
		if err := tellTrial(&out, "siem", gateway.Trial{Err: tt.err, Took: 10*time.Second + time.Millisecond}); !errors.Is(err, errProblems) {
			t.Errorf("tellTrial() = %v, want that there are problems", err)
		}
		if want := "target siem didn't take it (after 10.001s)\n  " + tt.want + "\n"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("%v is told as %q, want %q", tt.err, out.String(), want)
		}
	}
}
