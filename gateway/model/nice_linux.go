package model

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// niceness of the thread that folds: what the gateway decides and delivers comes first.
const niceness = 10

// yield makes the thread, to which the goroutine must be locked, give way to the gateway's others.
func yield() error {
	// Linux keeps it by thread, whatever POSIX says of processes: setpriority(2), "C library/kernel differences".
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness); err != nil {
		return fmt.Errorf("lower the model's priority: %w", err)
	}
	return nil
}
