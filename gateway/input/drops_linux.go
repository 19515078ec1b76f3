package input

import (
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// droppedBy asks the kernel how many datagrams it has dropped for a socket, modulo 2^32 (SO_MEMINFO, sock_diag(7)). What it
// sends along with datagrams (SO_RXQ_OVFL) comes only when there is room for one again.
func droppedBy(conn *net.UDPConn) (uint32, error) {
	const drops = 8 // SK_MEMINFO_DROPS
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var info [drops + 1]uint32
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return 0, fmt.Errorf("count dropped datagrams: %w", err)
	}
	return info[drops], nil
}
