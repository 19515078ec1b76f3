package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleep waits with the kernel's precision; the runtime's timers have one of a millisecond.
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil) // a signal ends it early, and then a line goes out early
}
