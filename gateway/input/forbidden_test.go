package input

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		errno syscall.Errno
		hint  bool
	}{
		{syscall.EACCES, true},
		{syscall.EADDRINUSE, false},
		{syscall.EADDRNOTAVAIL, false},
	} {
		refused := &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", tt.errno)}
		err := Forbidden(refused)
		if !errors.Is(err, tt.errno) || !strings.HasPrefix(err.Error(), refused.Error()) || strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") != tt.hint {
			t.Errorf("Forbidden(%v) = %v, want a hint: %v", refused, err, tt.hint)
		}
	}
}
