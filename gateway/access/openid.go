package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sluice-siem/sluice/config"
)

// patience is for how long somebody may be away at an issuer.
const patience = 10 * time.Minute

// mostPending are away at once.
const mostPending = 10_000

// attempt is a log-in that is under way. What proves it stays here; the browser holds a text by which it is known again.
type attempt struct {
	issuer                   *issuer
	nonce, verifier, browser string
	to                       string
	begun                    time.Time
}

// pending are the attempts by their state, each good once.
type pending struct {
	mu sync.Mutex // guards by
	by map[string]attempt
}

func newPending() *pending { return &pending{by: map[string]attempt{}} }

func (p *pending) add(a attempt, now time.Time) (state string) {
	state, a.begun = newSecret(), now
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := ""
	for key, o := range p.by {
		if now.Sub(o.begun) >= patience {
			delete(p.by, key)
		} else if oldest == "" || o.begun.Before(p.by[oldest].begun) {
			oldest = key
		}
	}
	if len(p.by) >= mostPending {
		delete(p.by, oldest)
	}
	p.by[state] = a
	return state
}

func (p *pending) take(state string, now time.Time) (attempt, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.by[state]
	delete(p.by, state)
	return a, ok && now.Sub(a.begun) < patience
}

// issuer is an OpenID provider. It is asked who it is when somebody first logs in, so that one which is down keeps
// nobody from starting.
type issuer struct {
	config   config.Issuer
	redirect string
	client   *http.Client
	now      func() time.Time

	mu       sync.Mutex // guards what follows
	provider *oidc.Provider
	logout   string // its end_session_endpoint
}

// discover reads the issuer's metadata, unless they are known. go-oidc demands that it names the issuer byte for byte. An issuer
// that is slow holds up nobody else who logs in or out.
func (i *issuer) discover(ctx context.Context) (*oidc.Provider, error) {
	i.mu.Lock()
	known := i.provider
	i.mu.Unlock()
	if known != nil {
		return known, nil
	}
	// The provider keeps the context for the keys it fetches later.
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), i.client), i.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("read the metadata of %s: %w", i.config.Issuer, err)
	}
	var more struct {
		Logout string `json:"end_session_endpoint"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, fmt.Errorf("read the metadata of %s: %w", i.config.Issuer, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.provider, i.logout = p, more.Logout
	return p, nil
}

func (i *issuer) oauth(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: i.config.ClientID, ClientSecret: string(i.config.ClientSecret), Endpoint: p.Endpoint(), RedirectURL: i.redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile"},
	}
}

// begin is where the browser goes: authorization code with PKCE (RFC 7636, S256).
func (i *issuer) begin(ctx context.Context, state string, a *attempt) (string, error) {
	p, err := i.discover(ctx)
	if err != nil {
		return "", err
	}
	return i.oauth(p).AuthCodeURL(state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)), nil
}

// claims are those of an ID token that count here.
type claims struct {
	Object    string         `json:"oid"`
	Tenant    string         `json:"tid"`
	Party     string         `json:"azp"`
	Name      string         `json:"preferred_username"`
	Full      string         `json:"name"`
	AppRoles  []string       `json:"roles"`
	Groups    []string       `json:"groups"`
	Has       bool           `json:"hasgroups"`
	Elsewhere map[string]any `json:"_claim_names"`
	NotBefore float64        `json:"nbf"`
}

// timely says whether a token is good now, by clocks that may differ by skew. go-oidc takes one time for the end and for
// the beginning, so that what spares the one is too strict for the other.
func (c *claims) timely(token *oidc.IDToken, now time.Time, skew time.Duration) error {
	const never = 1 << 40 // seconds; what is more, a number of JSON may be, is no time that Go's clock knows
	begin := time.Unix(int64(min(max(c.NotBefore, 0), never)), 0)
	if token.IssuedAt.After(begin) {
		begin = token.IssuedAt
	}
	switch {
	case now.Add(-skew).After(token.Expiry):
		return fmt.Errorf("the ID token was good until %s, and it is %s: one of the clocks is wrong by more than skew", token.Expiry.UTC(), now.UTC())
	case begin.After(now.Add(skew)):
		return fmt.Errorf("the ID token is good from %s, and it is %s: one of the clocks is wrong by more than skew", begin.UTC(), now.UTC())
	}
	return nil
}

// end exchanges the code, and proves the ID token: signature by one of the issuer's keys of today, issuer and audience are
// go-oidc's; times, nonce, authorized party and tenant are ours.
func (i *issuer) end(ctx context.Context, code string, a *attempt) (name string, who Identity, err error) {
	p, err := i.discover(ctx)
	if err != nil {
		return "", who, err
	}
	ctx = oidc.ClientContext(ctx, i.client)
	answer, err := i.oauth(p).Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return "", who, fmt.Errorf("exchange the code: %w", withoutBody(err))
	}
	raw, ok := answer.Extra("id_token").(string)
	if !ok {
		return "", who, errors.New("the issuer's answer has no ID token")
	}
	verifier := p.VerifierContext(ctx, &oidc.Config{ClientID: i.config.ClientID, SkipExpiryCheck: true})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return "", who, fmt.Errorf("prove the ID token: %w", err)
	}
	var c claims
	if err := token.Claims(&c); err != nil {
		return "", who, fmt.Errorf("read the ID token: %w", err)
	}
	if err := c.timely(token, i.now(), i.config.Skew); err != nil {
		return "", who, err
	}
	switch {
	case !equal(token.Nonce, a.nonce):
		return "", who, errors.New("the ID token is for another log-in: its nonce differs")
	case len(token.Audience) > 1 && c.Party == "":
		return "", who, errors.New("the ID token is for several applications, and doesn't say which one asked for it")
	case c.Party != "" && c.Party != i.config.ClientID:
		return "", who, errors.New("the ID token was asked for by another application")
	case token.Subject == "": // or all of these would be one user
		return "", who, errors.New("the ID token doesn't say whom it is about: it has no sub")
	case c.Tenant != "" && strings.HasPrefix(i.config.Issuer, "https://login.microsoftonline.com/") && !strings.Contains(i.config.Issuer, "/"+c.Tenant+"/"):
		return "", who, errors.New("the ID token is of another tenant")
	}
	_, moved := c.Elsewhere["groups"]
	who = Identity{Issuer: i.config.Name, User: token.Subject, AppRoles: c.AppRoles, Groups: c.Groups, Overage: c.Has || moved}
	if c.Object != "" {
		who.User = c.Object
	}
	return shown(c), who, nil
}

// shown is how somebody is shown: never what they may by it.
func shown(c claims) string {
	name := c.Name
	if name == "" {
		name = c.Full
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
	return strings.ToValidUTF8(name[:min(len(name), 80)], "")
}

// withoutBody keeps of an answer that refuses a code what RFC 6749 section 5.2 names, and not what else may stand in it.
func withoutBody(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return err
	}
	status := ""
	if refused.Response != nil {
		status = refused.Response.Status
	}
	known := []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
	if !slices.Contains(known, refused.ErrorCode) {
		return fmt.Errorf("the issuer answers %s", status)
	}
	return fmt.Errorf("the issuer answers %s: %s", status, refused.ErrorCode)
}

// leave is where the browser goes to end the session at the issuer too; to where there is none known.
func (i *issuer) leave(to string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	u, err := url.Parse(i.logout)
	if err != nil || i.logout == "" {
		return to
	}
	q := u.Query()
	q.Set("client_id", i.config.ClientID)
	q.Set("post_logout_redirect_uri", to)
	u.RawQuery = q.Encode()
	return u.String()
}
