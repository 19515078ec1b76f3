package access_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// provider is an OpenID provider that does all of the code flow with PKCE, and can be told to lie. It is our own because
// the lies are what is tested: mockoidc and dex sign what is right, and would have to be taken apart for each of them.
type provider struct {
	*httptest.Server
	t      *testing.T
	client string // ID
	secret string
	now    func() time.Time

	mu     sync.Mutex // guards what follows
	keys   map[string]*rsa.PrivateKey
	signer string // the kid
	who    map[string]any
	codes  map[string]grant
	spent  map[string]bool

	forge func(header, claims map[string]any) // changes what is signed
	sign  func(input []byte) []byte           // instead of RS256
	seen  []string                            // secrets that passed: codes and tokens
}

// grant is what a code was given for.
type grant struct{ redirect, challenge, nonce string }

func newProvider(t *testing.T, now func() time.Time) *provider {
	p := &provider{
		t: t, client: "sluice-client", secret: "hush-hush-client-secret", now: now, keys: map[string]*rsa.PrivateKey{}, codes: map[string]grant{}, spent: map[string]bool{},
		who: map[string]any{"sub": "s1", "oid": "o1", "preferred_username": "anna@fernweh.example", "roles": []string{"Sluice.Admin"}},
	}
	p.rotate("k1")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.jwks)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// rotate has tokens signed with another key, and only that one known.
func (p *provider) rotate(kid string) {
	p.t.Helper()
	key := keyOf(p.t, kid)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.signer = map[string]*rsa.PrivateKey{kid: key}, kid
}

var made sync.Map // keys by kid: making one takes long

func keyOf(t *testing.T, kid string) *rsa.PrivateKey {
	t.Helper()
	if key, ok := made.Load(kid); ok {
		return key.(*rsa.PrivateKey)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := made.LoadOrStore(kid, key)
	return kept.(*rsa.PrivateKey)
}

func (p *provider) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.write(w, http.StatusOK, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"end_session_endpoint": p.URL + "/leave", "response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
		"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}, // more than is safe: nobody may fall for it
	})
}

func (p *provider) jwks(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []map[string]string
	for kid, key := range p.keys {
		keys = append(keys, map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
		})
	}
	p.write(w, http.StatusOK, map[string]any{"keys": keys})
}

// authorize logs in whoever comes.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != p.client || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" || q.Get("nonce") == "" {
		http.Error(w, "not the code flow with PKCE", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = grant{q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce")}
	p.seen = append(p.seen, code)
	p.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
}

// token gives an ID token for a code, once, to who has the client's secret and the verifier.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	code := r.PostFormValue("code")
	g, known := p.codes[code]
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case id != p.client || secret != p.secret:
		p.write(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
	case !known || p.spent[code] || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != encode(sum[:]):
		p.write(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "code " + code + " is not good"})
	default:
		p.spent[code] = true
		token := p.idToken(g.nonce)
		p.seen = append(p.seen, token)
		p.write(w, http.StatusOK, map[string]any{"access_token": "access-" + code, "token_type": "Bearer", "expires_in": 3600, "id_token": token})
	}
}

func (p *provider) idToken(nonce string) string {
	header := map[string]any{"alg": "RS256", "typ": "JWT", "kid": p.signer}
	claims := map[string]any{"iss": p.URL, "aud": p.client, "nonce": nonce, "iat": p.now().Unix(), "exp": p.now().Add(time.Hour).Unix()}
	maps.Copy(claims, p.who)
	if p.forge != nil {
		p.forge(header, claims)
	}
	input := part(header) + "." + part(claims)
	if p.sign != nil {
		return input + "." + encode(p.sign([]byte(input)))
	}
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.keys[p.signer], crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return input + "." + encode(signature)
}

// withPublicKey signs as if the public key were a secret, which fools who lets the token choose the algorithm.
func (p *provider) withPublicKey(input []byte) []byte {
	mac := hmac.New(sha256.New, x509.MarshalPKCS1PublicKey(&p.keys[p.signer].PublicKey))
	_, _ = mac.Write(input)
	return mac.Sum(nil)
}

func part(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return encode(b)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// says changes what is told of who logs in.
func (p *provider) says(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, v := range claims {
		if v == nil {
			delete(p.who, key)
		} else {
			p.who[key] = v
		}
	}
}

// lies changes how tokens are made.
func (p *provider) lies(forge func(header, claims map[string]any), sign func([]byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forge, p.sign = forge, sign
}
