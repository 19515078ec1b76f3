package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// load is what the senders have in common.
type load struct {
	traffic *traffic
	current func() *process // the gateway that runs, or ran last

	mu  sync.Mutex // guards what follows
	rng *rand.Rand
}

func (l *load) dice(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.IntN(n)
}

// rest is for how long a sender has nothing to say.
func (l *load) rest() time.Duration { return time.Duration(l.dice(150)) * time.Millisecond }

// address waits for a gateway that has such an input.
func (l *load) address(ctx context.Context, input string) (address string, err error) {
	err = poll(ctx, func() error {
		if address = l.current().address(input); address == "" {
			return errors.New("the gateway doesn't listen")
		}
		return nil
	})
	return address, err
}

// connect tries until there is a connection.
func (l *load) connect(ctx context.Context, input string) (conn net.Conn, err error) {
	err = poll(ctx, func() error {
		address, err := l.address(ctx, input)
		if err == nil {
			conn, err = net.DialTimeout("tcp", address, deadline)
		}
		return err
	})
	return conn, err
}
