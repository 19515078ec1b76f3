package access

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
)

// newSecret is a text of 260 bits that nobody can guess.
func newSecret() string { return rand.Text() + rand.Text() }

// digest is what is kept of such a text: nobody finds one that fits.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// equal compares in a time that doesn't tell where the two differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// password is what is kept of one that a person chose, which could be tried out.
type password struct {
	Salt   []byte `json:"salt"`
	Rounds int    `json:"rounds"` // of PBKDF2 with SHA-256
	Key    []byte `json:"key"`
	Once   bool   `json:"one_time,omitempty"` // it was made up here, and lets in to choose one
}

// usualRounds is OWASP's advice for PBKDF2 with SHA-256.
const usualRounds = 600_000

func newPassword(text string, once bool, rounds int) (password, error) {
	p := password{Salt: make([]byte, 16), Rounds: rounds, Once: once}
	_, _ = rand.Read(p.Salt) // never fails
	var err error
	if p.Key, err = p.derive(text); err != nil {
		return password{}, fmt.Errorf("keep a password: %w", err)
	}
	return p, nil
}

func (p password) derive(text string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, text, p.Salt, p.Rounds, sha256.Size)
}

// is says whether that is the password.
func (p password) is(text string) bool {
	key, err := p.derive(text)
	return err == nil && subtle.ConstantTimeCompare(key, p.Key) == 1
}
