//go:build !linux

package input

import "net"

// reportDrops does nothing: only Linux tells.
func reportDrops(*net.UDPConn) error { return nil }

func dropped([]byte) (n uint32, ok bool) { return 0, false }
