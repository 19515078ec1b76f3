package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/durable"
)

// Token is what is known of an API token. The token itself is told once and kept nowhere.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    Role      `json:"role"`  // at most; less where its creator has less by now
	Scope   Scope     `json:"scope"` // likewise
	Creator string    `json:"creator"`
	By      string    `json:"created_by"` // that, to show
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Used    time.Time `json:"last_used,omitzero"` // to the hour
}

// kept is a token as the file has it.
type kept struct {
	Token
	Digest string `json:"digest"`
}

// What tokens may be.
const (
	mostTokens = 1000
	mostName   = 100 // bytes
	// LongestToken is for how long a token may be good.
	LongestToken = 365 * 24 * time.Hour
)

// tokens are kept in a file of their own and not in the stream: one that was revoked must not come back with an old
// stream, and who may read alerts need not hold what lets one in. That they were made and revoked is in the stream.
type tokens struct {
	path   string
	access config.Access

	mu     sync.Mutex // guards what follows, and the file
	list   []kept
	people map[string]Identity // of the creators, as they logged in last
}

type tokenFile struct {
	Tokens []kept              `json:"tokens"`
	People map[string]Identity `json:"creators"`
}

func openTokens(path string, access config.Access) (*tokens, error) {
	t := &tokens{path: path, access: access, people: map[string]Identity{}}
	var f tokenFile
	if err := read(path, &f); err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	t.list = f.Tokens
	if f.People != nil {
		t.people = f.People
	}
	return t, nil
}

// save is called with mu held.
func (t *tokens) save() error {
	data, err := json.MarshalIndent(tokenFile{t.list, t.people}, "", "  ")
	if err == nil {
		err = durable.WriteFile(t.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the tokens: %w", err)
	}
	return nil
}

// ErrToken says why a token can't be made.
var ErrToken = errors.New("no token is made")

// CheckToken says why [Door.Create] would make no such token; nil where it would.
func (d *Door) CheckToken(p Principal, name string, role Role, scope Scope, expires time.Time) error {
	now := d.now()
	refused := Allow(p, createToken)
	switch {
	case refused != nil:
		return refused
	case strings.TrimSpace(name) == "" || len(name) > mostName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%w: found the name %.100q, expected a line of 1 to %d bytes", ErrToken, name, mostName)
	case lesser(role, p.Role) != role:
		return &RefusalError{Text: fmt.Sprintf("%s is %s, whose tokens may no more: found role %s", p.By(), an(p.Role), role)}
	case !scope.Whole() && scope.Within(p.Scope).Key() != scope.Key():
		return &RefusalError{Text: fmt.Sprintf("%s sees %s, and a token that sees %.300s would see more", p.By(), p.Scope, scope)}
	case scope.fault() != "":
		return fmt.Errorf("%w: %s", ErrToken, scope.fault())
	case role == Ingest && !scope.Whole():
		return fmt.Errorf("%w: found a limit with the role ingest, which sees nothing: what an input may tell is its services' in the configuration", ErrToken)
	case !expires.After(now) || expires.After(now.Add(LongestToken)):
		return fmt.Errorf("%w: found the end %s, expected one that is to come, within %d days", ErrToken, expires.UTC().Format(time.RFC3339), int(LongestToken.Hours()/24))
	}
	d.tokens.mu.Lock()
	defer d.tokens.mu.Unlock()
	return d.tokens.room()
}

// room is called with mu held.
func (t *tokens) room() error {
	if len(t.list) >= mostTokens {
		return fmt.Errorf("%w: there are %d, and can be no more: revoke some", ErrToken, len(t.list))
	}
	return nil
}

// Create makes a token for p that may at most what p may, and gives it with its text, which nobody is told again.
func (d *Door) Create(p Principal, name string, role Role, scope Scope, expires time.Time) (Token, string, error) {
	if err := d.CheckToken(p, name, role, scope, expires); err != nil {
		return Token{}, "", err
	}
	t := d.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.room(); err != nil {
		return Token{}, "", err
	}
	secret := "sluice_" + newSecret()
	made := kept{Token{
		ID: digest(newSecret())[:16], Name: name, Role: role, Scope: scope.Within(p.Scope), Creator: p.ID, By: p.By(), Created: d.now().UTC().Truncate(time.Second), Expires: expires.UTC().Truncate(time.Second),
	}, digest(secret)}
	t.list = append(t.list, made)
	if err := t.save(); err != nil {
		t.list = t.list[:len(t.list)-1]
		return Token{}, "", err
	}
	return made.Token, secret, nil
}

// Tokens lists p's tokens; for an admin without a limit everybody's.
func (d *Door) Tokens(p Principal) []Token {
	d.tokens.mu.Lock()
	defer d.tokens.mu.Unlock()
	out := []Token{}
	for i := range d.tokens.list {
		if d.tokens.list[i].of(p) {
			out = append(out, d.tokens.list[i].Token)
		}
	}
	return out
}

func (t *Token) of(p Principal) bool {
	return t.Creator == p.ID || p.KeepsOrder()
}

// Revoke ends a token of p's for good; false where p has none of that ID.
func (d *Door) Revoke(p Principal, id string) (Token, bool, error) {
	t := d.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.list, func(k kept) bool { return k.ID == id && k.of(p) })
	if i < 0 {
		return Token{}, false, nil
	}
	was := t.list[i]
	t.list = slices.Delete(slices.Clone(t.list), i, i+1)
	return was.Token, true, t.save()
}

// use is who shows a token, with what its creator may by now.
func (t *tokens) use(secret string, now time.Time) (Principal, error) {
	shown := digest(secret)
	t.mu.Lock()
	defer t.mu.Unlock()
	at := -1
	for i := range t.list { // all of them, so that the time tells nothing
		if equal(t.list[i].Digest, shown) {
			at = i
		}
	}
	if at < 0 {
		return Principal{}, errNoToken
	}
	k := &t.list[at]
	if !now.Before(k.Expires) {
		return Principal{}, &RefusalError{Text: fmt.Sprintf("token %s expired on %s: make another one", k.Name, k.Expires.Format(time.DateOnly))}
	}
	role, scope, err := t.creator(k.Creator)
	if err != nil {
		return Principal{}, &RefusalError{Text: fmt.Sprintf("token %s is %s's, who may nothing any more: %s", k.Name, k.By, err)}
	}
	if hour := now.UTC().Truncate(time.Hour); hour.After(k.Used) {
		k.Used = hour
		_ = t.save() // it is tried again in an hour
	}
	return Principal{
		ID: "token " + k.ID, Name: k.Name, Role: lesser(k.Role, role), Scope: k.Scope.Within(scope), How: ByToken, Expires: k.Expires,
	}, nil
}

// Sender is the ID of a token that may hand over notifications; it is nobody's name in the configuration.
func (d *Door) Sender(secret string) (id string, ok bool) {
	p, err := d.tokens.use(secret, d.now())
	return p.ID, err == nil && Allow(p, Send) == nil
}

var errNoToken = errors.New("no such token")

// creator is what somebody who made tokens may by now.
func (t *tokens) creator(id string) (Role, Scope, error) {
	switch id {
	case Local().ID:
		return Admin, Scope{}, nil
	case localAdmin:
		if !t.access.LocalAdmin {
			return None, Scope{}, &RefusalError{Text: "access.local_admin is false"}
		}
		return Admin, Scope{}, nil
	}
	who, known := t.people[id]
	if !known || !slices.ContainsFunc(t.access.Issuers, func(o config.Issuer) bool { return o.Name == who.Issuer }) {
		return None, Scope{}, &RefusalError{Text: "no issuer knows the creator any more"}
	}
	return who.Grant(t.access.Roles)
}

// met remembers what an issuer says by now of somebody, for the tokens they made and will make.
func (t *tokens) met(id string, who Identity) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.people[id] = who
	for known := range t.people { // those without tokens are needed no longer than their session
		if known != id && len(t.people) > 10*mostTokens && !slices.ContainsFunc(t.list, func(k kept) bool { return k.Creator == known }) {
			delete(t.people, known)
		}
	}
	return t.save()
}
