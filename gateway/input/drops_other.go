//go:build !linux

package input

import (
	"errors"
	"net"
)

// droppedBy knows nothing: only Linux tells.
func droppedBy(*net.UDPConn) (uint32, error) { return 0, errors.ErrUnsupported }
