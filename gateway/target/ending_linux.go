package target

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ending asks the kernel how a connection ended, by /proc/net/tcp (proc_net_tcp of the kernel's
// documentation). One that the peer has closed is there for a minute, in the state TIME_WAIT; one that was
// reset is gone at once. So is every one after a restart of the machine, or in another network namespace, and
// one whose peer said something before it closed, as TLS does, which our kernel answers with a reset.
// Its port may have been used again, but not so soon: the kernel hands ports out one after the other.
func ending(route string) end {
	local, remote, _ := strings.Cut(route, " ")
	from, err := netip.ParseAddrPort(local)
	if err != nil {
		return notInOrder
	}
	to, err := netip.ParseAddrPort(remote)
	if err != nil {
		return notInOrder
	}
	table := "/proc/net/tcp"
	if from.Addr().Is6() {
		table = "/proc/net/tcp6"
	}
	data, err := os.ReadFile(table)
	if err != nil {
		return notInOrder
	}
	want := []string{tabled(from), tabled(to)}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line) // sl local_address rem_address st ...
		if len(f) < 4 || !slices.Equal(f[1:3], want) {
			continue
		}
		switch f[3] { // net/tcp_states.h
		case "06", "08", "09", "0B": // TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING: the peer's end has come
			return endedInOrder
		case "07": // CLOSE
			return notInOrder
		}
		return notYet
	}
	return notInOrder
}

// tabled writes an address as the table does: words of 32 bits as the machine has them.
func tabled(a netip.AddrPort) string {
	address := a.Addr().AsSlice()
	for word := range slices.Chunk(address, 4) {
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	port := strconv.FormatUint(1<<16|uint64(a.Port()), 16)[1:] // with its zeroes
	return strings.ToUpper(hex.EncodeToString(address) + ":" + port)
}
