package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/sluice-siem/sluice/config"
)

// azureTokens keeps a bearer token for Azure Monitor until shortly before it expires.
type azureTokens struct {
	issuer interface {
		// issue asks for a token and says how long it is good for, 0 where that isn't known.
		issue(ctx context.Context) (token string, lasts time.Duration, err error)
		close()
	}
	now func() time.Time

	token   string
	expires time.Time
	renew   time.Time // when a new one is asked for
}

// Times of tokens.
const (
	tokenEarly   = 5 * time.Minute // before it expires, a new one is asked for
	tokenAgain   = 30 * time.Second
	tokenUnknown = 5 * time.Minute // is how long a token is good for that doesn't say
	tokenLongest = 24 * time.Hour  // as those of managed identities
)

// newAzureTokens picks who issues cfg's tokens; nothing is dialled.
func newAzureTokens(cfg config.Target, env func(string) string, now func() time.Time, m *Metrics) (*azureTokens, error) {
	cloud, err := azureCloudOf(cfg.Cloud)
	if err != nil {
		return nil, err
	}
	t := &azureTokens{now: now}
	if cfg.ManagedIdentity {
		t.issuer, err = newAzureIdentity(cfg, cloud, env, now)
	} else {
		t.issuer, err = newAzureApplication(cfg, cloud, m)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// get gives a token. While the last one is good, an issuer that is not to be had does no harm.
func (t *azureTokens) get(ctx context.Context) (string, error) {
	now := t.now()
	if t.token != "" && now.Before(t.renew) {
		return t.token, nil
	}
	token, lasts, err := t.issuer.issue(ctx)
	if err == nil && (token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })) {
		err = errors.New("no token is in the answer")
	}
	switch {
	case err == nil:
		lasts = min(cmp.Or(max(lasts, 0), tokenUnknown), tokenLongest)
		t.token, t.expires, t.renew = token, now.Add(lasts), now.Add(lasts-min(tokenEarly, lasts/5))
	case t.token != "" && now.Before(t.expires) && ctx.Err() == nil:
		t.renew = now.Add(tokenAgain)
	default:
		return "", fmt.Errorf("get a token: %w", err)
	}
	return t.token, nil
}

// forget drops a token that was refused.
func (t *azureTokens) forget() { t.token = "" }

func (t *azureTokens) close() { t.issuer.close() }

// azureCloud is one of Azure's separate clouds.
type azureCloud struct {
	authority string // issues tokens
	monitor   string // the resource that Azure Monitor is; its own last character is the slash
}

func azureCloudOf(name string) (azureCloud, error) {
	switch name {
	case "public", "":
		return azureCloud{"https://login.microsoftonline.com", "https://monitor.azure.com/"}, nil
	case "government":
		return azureCloud{"https://login.microsoftonline.us", "https://monitor.azure.us/"}, nil
	case "china":
		return azureCloud{"https://login.chinacloudapi.cn", "https://monitor.azure.cn/"}, nil
	}
	return azureCloud{}, fmt.Errorf("cloud %q: want public, government or china", name)
}

// azureApplication is an application in Microsoft Entra ID that has a secret. It gets tokens by the client
// credentials grant (RFC 6749 section 4.4,
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
type azureApplication struct {
	web    *web
	config clientcredentials.Config
}

func newAzureApplication(cfg config.Target, cloud azureCloud, m *Metrics) (*azureApplication, error) {
	authority := strings.TrimRight(cmp.Or(cfg.Authority, cloud.authority), "/")
	// The authority is reached as the endpoint is, but gets no client certificate and has its own name.
	w, err := newWeb(config.Target{
		Name: cfg.Name, URL: authority, TLS: config.TLS{CA: cfg.TLS.CA}, Proxy: cfg.Proxy, Timeout: cfg.Timeout,
	}, m)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	return &azureApplication{web: w, config: clientcredentials.Config{
		ClientID: cfg.ClientID, ClientSecret: string(cfg.ClientSecret), AuthStyle: oauth2.AuthStyleInParams,
		TokenURL: authority + "/" + url.PathEscape(cfg.Tenant) + "/oauth2/v2.0/token",
		Scopes:   []string{cloud.monitor + "/.default"}, // with two slashes, as the resource ends in one
	}}, nil
}

func (p *azureApplication) issue(ctx context.Context) (string, time.Duration, error) {
	client, err := p.web.open()
	if err != nil {
		return "", 0, blocked(err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.web.timeout)
	defer cancel()
	token, err := p.config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	switch {
	case err == nil && token.Expiry.IsZero():
		return token.AccessToken, 0, nil
	case err == nil:
		return token.AccessToken, time.Until(token.Expiry), nil
	case untrusted(err):
		return "", 0, blocked(err)
	}
	if said, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		err = p.refusal(said)
	}
	return "", 0, err
}

// refusal is the error for an answer of the authority, in its words.
func (p *azureApplication) refusal(said *oauth2.RetrieveError) error {
	a := answer{status: said.Response.StatusCode, header: said.Response.Header, body: said.Body}
	if said.ErrorCode != "" {
		a.body = []byte(said.ErrorCode + ": " + said.ErrorDescription)
	}
	a = a.hush([]string{p.config.ClientSecret})
	const what = "the authority refuses"
	switch {
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooManyRequests, a.status >= 500,
		said.ErrorCode == "temporarily_unavailable", said.ErrorCode == "server_error":
		return a.later(what)
	}
	return blocked(fmt.Errorf("%s: %s", what, a))
}

func (p *azureApplication) close() { p.web.close() }
