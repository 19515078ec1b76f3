package siem

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Entra issues tokens as Microsoft Entra ID does to an application with a secret, and as the metadata
// services of a virtual machine, of App Service and of Azure Arc do to a managed identity. Its fields are
// set before it is used.
type Entra struct {
	Tenant         string
	ClientID       string // of the application, and of the managed identity
	ClientSecret   string
	Audience       string // of the tokens that count
	IdentityHeader string // of App Service
	ArcKey         string // of Azure Arc: a file
	ArcSecret      string // what is in it

	now func() time.Time

	mu      sync.Mutex // guards what follows
	issued  map[string]entraClaims
	asked   int
	answers []SentinelReply
	lasts   time.Duration
}

type entraClaims struct {
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	App      string `json:"appid"`
}

// AnswerToken sets what is said to the next requests for a token.
func (e *Entra) AnswerToken(replies ...SentinelReply) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers = append(e.answers, replies...)
}

// Issued counts the requests for a token.
func (e *Entra) Issued() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// Last sets how long the next tokens are good for; an hour where it is 0.
func (e *Entra) Last(lasts time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lasts = lasts
}

// Revoke makes the tokens that were issued worthless.
func (e *Entra) Revoke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.issued)
}

// serveTokens answers requests for tokens.
func (e *Entra) serveTokens(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked++
	var reply SentinelReply
	if len(e.answers) > 0 {
		reply, e.answers = e.answers[0], e.answers[1:]
	}
	e.mu.Unlock()
	if reply.Status != 0 {
		reply.write(w)
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		e.serveApplication(w, r)
	case r.URL.Path == "/metadata/identity/oauth2/token":
		e.serveMachine(w, r)
	case r.URL.Path == "/msi/token":
		e.serveAppService(w, r)
	case r.URL.Path == "/arc/metadata/identity/oauth2/token":
		e.serveArc(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serveApplication is the client credentials grant.
func (e *Entra) serveApplication(w http.ResponseWriter, r *http.Request) {
	form := func(key string) string { return r.PostFormValue(key) }
	resource, ok := strings.CutSuffix(form("scope"), "/.default")
	switch {
	case r.Method != http.MethodPost || r.URL.RawQuery != "":
		entraError(w, http.StatusBadRequest, "invalid_request", 900561, "The endpoint only accepts POST requests.")
	case r.URL.Path != "/"+e.Tenant+"/oauth2/v2.0/token":
		entraError(w, http.StatusBadRequest, "invalid_request", 90002, "Tenant not found. Check to make sure you have the correct tenant ID.")
	case form("grant_type") != "client_credentials":
		entraError(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
	case form("client_id") != e.ClientID:
		entraError(w, http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+form("client_id")+"' was not found in the directory.")
	case form("client_secret") != e.ClientSecret:
		entraError(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
	case !ok:
		entraError(w, http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope is not valid.")
	case !isMonitor(resource):
		entraError(w, http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+resource+" was not found in the tenant.")
	default:
		token, c := e.issue(resource)
		lasts := c.Expires - e.now().Unix()
		azureJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": lasts, "ext_expires_in": lasts, "access_token": token})
	}
}

// isMonitor says whether a resource is Azure Monitor of one of the clouds.
func isMonitor(resource string) bool {
	u, err := url.Parse(strings.TrimSuffix(resource, "/"))
	return err == nil && u.Scheme == "https" && u.Path == "" && strings.HasPrefix(u.Host, "monitor.azure.")
}

// serveMachine is the instance metadata service of a virtual machine.
func (e *Entra) serveMachine(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	why := ""
	switch {
	case r.Header.Get("Metadata") != "true":
		why = "Required metadata header not specified"
	case r.Header.Get("X-Forwarded-For") != "":
		why = "The request must not contain X-Forwarded-For"
	case query.Get("api-version") != "2018-02-01":
		why = "Required query variable 'api-version' is missing or not supported"
	}
	e.serveIdentity(w, query, why, "expires_in")
}

// serveAppService is what App Service and Container Apps name in the environment.
func (e *Entra) serveAppService(w http.ResponseWriter, r *http.Request) {
	why := ""
	switch {
	case e.IdentityHeader == "" || r.Header.Get("X-Identity-Header") != e.IdentityHeader:
		why = "The X-IDENTITY-HEADER is missing or wrong"
	case r.URL.Query().Get("api-version") != "2019-08-01":
		why = "The api-version is not supported"
	}
	e.serveIdentity(w, r.URL.Query(), why)
}

// serveArc is Azure Arc's agent.
func (e *Entra) serveArc(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Metadata") != "true":
		e.serveIdentity(w, r.URL.Query(), "Required metadata header not specified")
	case r.Header.Get("Authorization") == "":
		w.Header().Set("Www-Authenticate", "Basic realm="+e.ArcKey)
		azureJSON(w, http.StatusUnauthorized, map[string]string{"error": "unauthorized_client", "error_description": "Missing Basic Authorization header"})
	case r.Header.Get("Authorization") != "Basic "+e.ArcSecret:
		azureJSON(w, http.StatusForbidden, map[string]string{"error": "unauthorized_client", "error_description": "Invalid challenge token"})
	default:
		e.serveIdentity(w, r.URL.Query(), "", "expires_in")
	}
}

// serveIdentity gives a managed identity its token, unless why says what is wrong. Numbers are texts.
func (e *Entra) serveIdentity(w http.ResponseWriter, query url.Values, why string, extra ...string) {
	switch id := query.Get("client_id"); {
	case why != "":
	case id != "" && id != e.ClientID:
		why = "Identity not found"
	case !isMonitor(query.Get("resource")):
		why = "The resource principal named " + query.Get("resource") + " was not found in the tenant"
	}
	if why != "" {
		azureJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": why})
		return
	}
	token, c := e.issue(query.Get("resource"))
	reply := map[string]string{
		"access_token": token, "client_id": e.ClientID, "resource": query.Get("resource"), "token_type": "Bearer",
		"expires_on": fmt.Sprint(c.Expires),
	}
	for _, k := range extra {
		reply[k] = fmt.Sprint(c.Expires - e.now().Unix())
	}
	azureJSON(w, http.StatusOK, reply)
}

// issue makes a token for a resource, in the form of a JWT.
func (e *Entra) issue(resource string) (string, entraClaims) {
	e.mu.Lock()
	defer e.mu.Unlock()
	lasts := e.lasts
	if lasts == 0 {
		lasts = time.Hour
	}
	c := entraClaims{Audience: resource, Expires: e.now().Add(lasts).Unix(), App: e.ClientID}
	b, _ := json.Marshal(c)
	part := base64.RawURLEncoding.EncodeToString
	token := part([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + part(b) + "." + part([]byte(rand.Text()))
	if e.issued == nil {
		e.issued = map[string]entraClaims{}
	}
	e.issued[token] = c
	return token, c
}

// checkToken gives the code and the words for a header that doesn't authorize.
func (e *Entra) checkToken(header string) (code, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	token, ok := strings.CutPrefix(header, "Bearer ")
	c, known := e.issued[token]
	switch {
	case !ok:
		return "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
	case !known:
		return "InvalidToken", "The access token is invalid."
	case strings.TrimSuffix(c.Audience, "/") != e.Audience:
		return "InvalidAudience", "The access token has been obtained for the wrong audience or resource '" + c.Audience + "'."
	case !e.now().Before(time.Unix(c.Expires, 0)):
		return "ExpiredAuthenticationToken", "The access token expiry is in the past."
	}
	return "", ""
}

// entraError is an error as Entra writes it, over several lines.
func entraError(w http.ResponseWriter, status int, name string, number int, words string) {
	azureJSON(w, status, map[string]any{
		"error": name, "error_codes": []int{number}, "trace_id": "0000aaaa-11bb-cccc-dd22-eeeeee333333",
		"error_description": fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: 0000aaaa-11bb-cccc-dd22-eeeeee333333\r\nTimestamp: 2031-05-06 07:08:09Z", number, words),
	})
}

func azureJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
