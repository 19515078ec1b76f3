package target

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// onSocket calls ask with the file descriptor of a connection that has one.
func onSocket(conn net.Conn, ask func(fd int) error) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = ask(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// unacknowledged is how many bytes the peer's kernel has not acknowledged (SIOCOUTQ, tcp(7)). It
// fails when the connection was reset, because then nobody knows.
func unacknowledged(conn net.Conn) (n int64, err error) {
	err = onSocket(conn, func(fd int) error {
		queued, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		n = int64(queued)
		return err
	})
	if err == nil && isReset(conn) { // asked afterwards: what was known before a reset was true
		err = syscall.ECONNRESET
	}
	return n, err
}

// isReset tells whether the connection is gone, rather than closed in order by the peer.
func isReset(conn net.Conn) bool {
	const closed = 7 // TCP_CLOSE of the kernel's net/tcp_states.h
	gone := false
	err := onSocket(conn, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		gone = err == nil && info.State == closed
		return err
	})
	return gone || err != nil
}

// pendingError is what an earlier datagram met, such as a port that nobody listens on.
func pendingError(conn net.Conn) error {
	return onSocket(conn, func(fd int) error {
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		return err
	})
}
