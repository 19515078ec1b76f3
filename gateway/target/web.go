package target

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// web is what the targets over HTTP share: one connection after the other to one server, with its own
// trust, certificates and proxy. It follows no redirect, as that would give credentials away.
type web struct {
	target  string
	tls     config.TLS
	secure  bool // the URL is https://
	host    string
	proxy   func(*http.Request) (*url.URL, error)
	timeout time.Duration
	words   time.Duration // how long the body of an answer is waited for; 0: until the timeout
	gzip    bool
	count   counters
	jar     http.CookieJar // nil: cookies are forgotten

	client *http.Client
	files  string // of the certificates, as they were when client was made
	zip    *gzip.Writer
}

// agent names this program in requests: its name and version (RFC 9110, section 10.1.5).
func agent() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return agentOf(info.Main.Version)
	}
	return agentOf("")
}

// agentOf is agent for a version of Go's, such as v1.2.3 or (devel).
func agentOf(version string) string {
	if version = strings.TrimPrefix(strings.Trim(version, "()"), "v"); version == "" {
		return "sluice"
	}
	return "sluice/" + version
}

// maxReply is as much as is read of an answer.
const maxReply = 1 << 20

// newWeb makes the client for cfg.URL; nothing is dialled.
func newWeb(cfg config.Target, m *Metrics) (*web, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	w := &web{
		target: cfg.Name, tls: cfg.TLS, secure: u.Scheme == "https", host: u.Host, timeout: cfg.Timeout, gzip: cfg.Compression == "gzip",
		count: m.of(cfg.Name),
	}
	switch cfg.Proxy {
	case "":
		w.proxy = http.ProxyFromEnvironment
	case "none":
	default:
		p, err := url.Parse(cfg.Proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		w.proxy = http.ProxyURL(p)
	}
	return w, nil
}

// answer is what the server said.
type answer struct {
	status int
	header http.Header
	body   []byte // up to maxReply
}

// String gives the answer in a line, for an operator, without what a terminal would obey. Of a redirect it says to which
// server, and no more: a path may hold a secret.
func (a answer) String() string { return a.of("") }

// of is the same with who answers in front, where that isn't empty. A 407 is always a proxy's (RFC 9110 section 15.5.8).
func (a answer) of(who string) string {
	if a.status == http.StatusProxyAuthRequired {
		who = "the proxy"
	}
	if who != "" {
		who += " answers "
	}
	to := ""
	if u, err := url.Parse(a.header.Get("Location")); err == nil && a.status/100 == 3 && u.Host != "" {
		to = "to " + (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() + " "
	}
	return strings.TrimSpace(fmt.Sprintf("%s%d %s %s", who, a.status, http.StatusText(a.status), plain(to+string(a.body))))
}

// after is how long the server asks to wait, by Retry-After (RFC 9110 section 10.2.3), in seconds or as a
// date; 0 where it doesn't.
func (a answer) after(now time.Time) time.Duration {
	value := a.header.Get("Retry-After")
	wait := time.Duration(0)
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		wait = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(value); err == nil {
		wait = t.Sub(now)
	}
	return max(wait, 0)
}

// later is the error for an answer that says to come again.
func (a answer) later(what string) error {
	return later(a.after(time.Now()), fmt.Errorf("%s: %s", what, a))
}

// errWords says that an answer came, but not all of its body.
var errWords = errors.New("read the answer")

// post sends a body and returns the answer. An error says that it isn't known what became of the body,
// except for a [PauseError] that is blocked: the certificate is not to be trusted, or ours can't be read.
// With errWords there is an answer, with the part of its body that came: what that is worth is for the
// caller to say.
func (w *web) post(ctx context.Context, to string, header http.Header, body []byte) (answer, error) {
	compressed := false
	if w.gzip && len(body) > 0 {
		room := new(bytes.Buffer) // of this request: its connection may still read it when the answer is there
		if w.zip == nil {
			w.zip = gzip.NewWriter(room)
		}
		w.zip.Reset(room)
		_, _ = w.zip.Write(body) // a buffer takes everything
		_ = w.zip.Close()
		body, compressed = room.Bytes(), true
	}
	return w.do(ctx, http.MethodPost, to, header, body, compressed)
}

func (w *web) do(ctx context.Context, method, to string, header http.Header, body []byte, compressed bool) (answer, error) {
	client, err := w.open()
	if err != nil {
		return answer{}, blocked(err)
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return answer{}, blocked(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("User-Agent", agent())
	if compressed {
		r.Header.Set("Content-Encoding", "gzip")
	}
	var conn net.Conn
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { conn = got.Conn }}
	reply, err := client.Do(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		if err = unhidden(ctx, err, conn); untrusted(err) {
			return answer{}, blocked(err)
		}
		return answer{}, w.explained(err)
	}
	defer func() { _ = reply.Body.Close() }()
	w.count.bytes.Add(float64(len(body)))
	if w.words > 0 {
		defer time.AfterFunc(w.words, cancel).Stop()
	}
	a := answer{status: reply.StatusCode, header: reply.Header}
	if a.body, err = io.ReadAll(io.LimitReader(reply.Body, maxReply)); err != nil {
		return a, fmt.Errorf("%w: %w", errWords, err)
	}
	return a, nil
}

// explained says of a request what net/http says in a word that means nothing to an operator.
func (w *web) explained(err error) error {
	u, ok := errors.AsType[*url.Error](err)
	switch {
	case !ok:
	case errors.Is(u.Err, io.EOF):
		u.Err = fmt.Errorf("the connection was closed without an answer: %w", u.Err)
	case errors.Is(u.Err, context.DeadlineExceeded):
		u.Err = fmt.Errorf("no answer within %v: %w", w.timeout, u.Err)
	}
	return err
}

// open gives the client, a new one where the files of the certificates have changed.
func (w *web) open() (*http.Client, error) {
	files := stamp(w.tls.CA) + stamp(w.tls.Cert) + stamp(w.tls.Key)
	if w.client != nil && files == w.files {
		return w.client, nil
	}
	w.close()
	t := &http.Transport{
		Proxy: w.proxy, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: w.timeout, MaxIdleConns: 2,
		IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true, DisableCompression: true, OnProxyConnectResponse: tunnelled,
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			w.count.connections.Inc()
		}
		return conn, err
	}
	if w.secure {
		host := w.host
		if _, _, err := net.SplitHostPort(host); err != nil {
			host += ":443"
		}
		settings, err := clientTLS(w.tls, host)
		if err != nil {
			return nil, err
		}
		if w.tls.ServerName == "" {
			settings.ServerName = "" // the proxy's own certificate, where there is one, has another name
		}
		t.TLSClientConfig = settings
	}
	w.client = &http.Client{Transport: t, Jar: w.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w.files = files
	return w.client, nil
}

// tunnelled says what a proxy answers that makes no tunnel; net/http would tell its words as if they were the server's.
func tunnelled(_ context.Context, proxy *url.URL, _ *http.Request, a *http.Response) error {
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy %s answers %s", proxy.Host, plain(a.Status))
	}
	return nil
}

// stamp tells one state of a file from another.
func stamp(path string) string {
	if path == "" {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprint(path, info.ModTime().UnixNano(), info.Size(), "\n")
}

// close closes the connections.
func (w *web) close() {
	if w.client != nil {
		w.client.CloseIdleConnections()
		w.client = nil
	}
}
