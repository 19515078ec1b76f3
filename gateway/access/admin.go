package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// localAdmin is the ID and the name of the one admin that no issuer knows.
const localAdmin = "admin"

// minPassword is how many bytes a password has that people choose (NIST SP 800-63B asks for 15 where it is the only factor).
const minPassword = 15

// admin is for the time before there is an issuer, and for when it fails.
type admin struct {
	path string
	on   bool
	cost int // rounds of a new password

	mu   sync.Mutex // guards kept, and the file
	kept password
	busy chan struct{} // a derivation each: many at once would take the processor from the forwarding
}

// openAdmin reads the password, where there is one.
func openAdmin(path string, on bool, cost int) (*admin, error) {
	a := &admin{path: path, on: on, cost: cost, busy: make(chan struct{}, 1)}
	if !on {
		return a, nil
	}
	if err := read(path, &a.kept); err != nil {
		return nil, fmt.Errorf("read the local admin's password: %w", err)
	}
	return a, nil
}

// welcome makes up a password that lets in once, where there is none, and says it.
func (a *admin) welcome(log *slog.Logger) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.on || a.kept.Key != nil {
		return nil
	}
	text := newSecret()[:24]
	if err := a.set(text, true); err != nil {
		return err
	}
	log.Info("the local admin's one-time password, which is said only this once; delete the file to get another one at the next start",
		"user", localAdmin, "password", text, "file", a.path)
	return nil
}

func (a *admin) set(text string, once bool) error {
	p, err := newPassword(text, once, a.cost)
	if err != nil {
		return err
	}
	data, err := json.Marshal(p)
	if err == nil {
		err = durable.WriteFile(a.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the local admin's password: %w", err)
	}
	a.kept = p
	return nil
}

// Errors of a log-in with the password.
var (
	errPassword = errors.New("the name or the password is wrong")
	errChoose   = fmt.Errorf("the password lets in once: choose one of your own, of at least %d characters and another than it", minPassword)
)

// enter checks the password, and changes it where a new one is given, which a one-time password needs.
func (a *admin) enter(name, text, fresh string) error {
	if !a.on {
		return errors.New("the local admin is switched off by access.local_admin: log in by an issuer")
	}
	a.busy <- struct{}{}
	defer func() { <-a.busy }()
	a.mu.Lock()
	defer a.mu.Unlock()
	right := a.kept.is(text) // in any case, so that the time doesn't tell whether the name is right
	if !right || !equal(name, localAdmin) {
		return errPassword
	}
	if fresh == "" && !a.kept.Once {
		return nil
	}
	if len(fresh) < minPassword || len(fresh) > 1024 || equal(fresh, text) {
		return errChoose
	}
	return a.set(fresh, false)
}
