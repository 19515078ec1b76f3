package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// azureIdentity gets tokens for a managed identity, without a secret of our own, from a service that only
// this machine reaches: the instance metadata service of a virtual machine or a scale set
// (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token), what
// App Service and Container Apps name in the environment
// (https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference), or the
// agent of Azure Arc (https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication).
type azureIdentity struct {
	client *http.Client
	url    string
	header http.Header
	keys   string // for Azure Arc: the directory whose files prove what we may read
	now    func() time.Time
}

func newAzureIdentity(cfg config.Target, cloud azureCloud, env func(string) string, now func() time.Time) (*azureIdentity, error) {
	id := &azureIdentity{header: http.Header{"Metadata": {"true"}}, now: now}
	to, version := "http://169.254.169.254/metadata/identity/oauth2/token", "2018-02-01"
	switch endpoint := env("IDENTITY_ENDPOINT"); {
	case endpoint != "" && env("IDENTITY_HEADER") != "":
		to, version = endpoint, "2019-08-01"
		id.header = http.Header{"X-Identity-Header": {env("IDENTITY_HEADER")}}
	case endpoint != "" && env("IMDS_ENDPOINT") != "":
		to, version = endpoint, "2019-11-01"
		id.keys = "/var/opt/azcmagent/tokens"
		if cfg.ClientID != "" {
			return nil, errors.New("client_id: the identity that Azure Arc gives a machine is the only one, and is not named")
		}
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the environment's IDENTITY_ENDPOINT %q is no URL", to)
	}
	if host := u.Hostname(); id.keys != "" && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("the environment's IDENTITY_ENDPOINT %q is not on this machine, as Azure Arc's is", to)
	}
	query := u.Query()
	query.Set("api-version", version)
	query.Set("resource", cloud.monitor)
	if cfg.ClientID != "" {
		query.Set("client_id", cfg.ClientID)
	}
	u.RawQuery = query.Encode()
	id.url = u.String()
	// Never through a proxy, which would be another machine, and another's identity.
	id.client = &http.Client{
		Timeout: cfg.Timeout,
		Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return id, nil
}

func (id *azureIdentity) issue(ctx context.Context) (string, time.Duration, error) {
	a, err := id.ask(ctx, "")
	if err == nil && id.keys != "" && a.status == http.StatusUnauthorized {
		var key string
		if key, err = id.key(a.header.Get("WWW-Authenticate")); err != nil {
			return "", 0, blocked(fmt.Errorf("the managed identity's proof: %w", err))
		}
		a, err = id.ask(ctx, key)
		a = a.hush([]string{key})
	}
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("managed identity: %w", err)
	case a.status != http.StatusOK:
		return "", 0, id.refusal(a)
	}
	var said struct {
		Token     string       `json:"access_token"`
		ExpiresIn azureSeconds `json:"expires_in"`
		ExpiresOn azureSeconds `json:"expires_on"`
	}
	if err := json.Unmarshal(a.body, &said); err != nil {
		return "", 0, errors.New("managed identity: the answer is not the JSON of a token")
	}
	lasts := time.Duration(said.ExpiresIn) * time.Second
	if lasts <= 0 && said.ExpiresOn > 0 { // App Service names the time, not how long it is
		lasts = time.Unix(int64(said.ExpiresOn), 0).Sub(id.now())
	}
	return said.Token, lasts, nil
}

func (id *azureIdentity) ask(ctx context.Context, key string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, id.url, nil)
	if err != nil {
		return answer{}, blocked(err)
	}
	r.Header = id.header.Clone()
	if key != "" {
		r.Header.Set("Authorization", "Basic "+key)
	}
	reply, err := id.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = reply.Body.Close() }()
	a := answer{status: reply.StatusCode, header: reply.Header}
	if a.body, err = io.ReadAll(io.LimitReader(reply.Body, maxReply)); err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	a = a.hush([]string{id.header.Get("X-Identity-Header")})
	return a, nil
}

// refusal sorts the errors as the document on tokens of virtual machines has it: 404, 410, 429 and 5xx pass,
// after a second at least; with 410 the service is being updated, for up to 70 seconds.
func (id *azureIdentity) refusal(a answer) error {
	err := fmt.Errorf("managed identity: %s", a)
	switch wait := a.after(id.now()); {
	case a.status == http.StatusGone:
		return later(max(wait, 10*time.Second), err)
	case a.status == http.StatusNotFound, a.status == http.StatusRequestTimeout, a.status == http.StatusTooManyRequests, a.status >= 500:
		return later(max(wait, time.Second), err)
	}
	return blocked(err)
}

// key reads the file that Azure Arc's agent names as a challenge: who can read it may have a token. What is
// read is sent to whoever asked, so it is only ever a small file of that one directory.
func (id *azureIdentity) key(challenge string) (string, error) {
	path, ok := strings.CutPrefix(challenge, "Basic realm=")
	path = strings.Trim(path, `"`)
	if !ok || filepath.Dir(path) != id.keys || filepath.Ext(path) != ".key" {
		return "", fmt.Errorf("found the challenge %.100q, expected a .key file in %s", challenge, id.keys)
	}
	root, err := os.OpenRoot(id.keys)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	name := filepath.Base(path)
	const most = 4 << 10
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return "", fmt.Errorf("is the user in the group himds? %w", err)
	case !info.Mode().IsRegular() || info.Size() > most:
		return "", fmt.Errorf("%s: expected a plain file of at most %d bytes", path, most)
	}
	f, err := root.Open(name)
	if err != nil {
		return "", fmt.Errorf("is the user in the group himds? %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, most))
	return strings.TrimSpace(string(b)), err
}

func (id *azureIdentity) close() { id.client.CloseIdleConnections() }

// azureSeconds is a number, or a text with one, as some of these services write it; 0 for anything else.
type azureSeconds int64

// UnmarshalJSON implements [json.Unmarshaler].
func (s *azureSeconds) UnmarshalJSON(b []byte) error {
	n, _ := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	*s = azureSeconds(min(max(n, 0), 1<<32)) // so that a Duration holds it
	return nil
}
