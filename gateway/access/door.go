package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/problem"
)

// Event is something that the audit log has of the door.
type Event struct {
	What string // log_in, log_in_failed, log_out, denied
	By   string // who; empty where nobody knows
	Text string // how it went
	From string // the address; empty where the context tells who asks, and so from where
	Left int    // how many of the kind before it were too many to be noted
}

// Options are what a door is made of.
type Options struct {
	Access  config.Access
	Proxies []string // networks of proxies that speak TLS
	DataDir string   // where the password and the tokens are kept, in a directory access
	Log     *slog.Logger
	Now     func() time.Time             // the clock; the machine's where nil
	Note    func(context.Context, Event) // puts an event into the audit log
	Client  *http.Client                 // asks the issuers; a usual one where nil
	Rounds  int                          // of PBKDF2, for a password that is set from now on; as OWASP advises where 0
}

// Door lets people and programs in: by session or token, and by the ways to log in that are configured.
type Door struct {
	options  Options
	proxies  []netip.Prefix
	sessions *sessions
	tokens   *tokens
	admin    *admin
	issuers  []*issuer
	pending  *pending
	cross    *http.CrossOriginProtection
	tries    *tries
	notes    *notes
}

// Open reads what is kept of tokens and the local admin. What is damaged of that is set aside, and lets nobody in.
func Open(o Options) (*Door, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if err := os.MkdirAll(filepath.Dir(tokensPath(o.DataDir)), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of tokens: %w", err)
	}
	d := &Door{
		options: o, sessions: newSessions(o.Access.Sessions), pending: newPending(), cross: http.NewCrossOriginProtection(), tries: newTries(), notes: newNotes(o.Note, o.Now),
	}
	err := mend(o.DataDir, o.Log)
	if err != nil {
		return nil, err
	}
	if d.tokens, err = openTokens(tokensPath(o.DataDir), o.Access); err != nil {
		return nil, err
	}
	if d.admin, err = openAdmin(adminPath(o.DataDir), o.Access.LocalAdmin, cmp.Or(o.Rounds, usualRounds)); err != nil {
		return nil, err
	}
	for _, n := range o.Proxies {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("http.proxies: %w", err)
		}
		d.proxies = append(d.proxies, p.Masked())
	}
	for _, c := range o.Access.Issuers {
		d.issuers = append(d.issuers, &issuer{config: c, redirect: strings.TrimSuffix(o.Access.URL, "/") + "/login/" + c.Name + "/callback", client: o.Client, now: o.Now})
	}
	return d, nil
}

// Welcome makes up the local admin's one-time password where there is none yet, and logs it, this once. It is for a door that
// people can come to: said by a start that then fails, it would stand in a log that nobody reads any more.
func (d *Door) Welcome() error { return d.admin.welcome(d.options.Log) }

func (d *Door) now() time.Time { return d.options.Now() }

// Guard lets in who has a session or shows a token, and tells next who it is. Others get a problem document. No browser or proxy
// keeps an answer, which is nobody else's, or takes words of an alert in it for a page.
func (d *Door) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		p, err := d.Principal(r)
		var refused *RefusalError
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(With(r.Context(), p)))
		case errors.As(err, &refused):
			d.notes.note(r.Context(), Event{What: "denied", Text: refused.Text, From: d.address(r)})
			problem.Write(w, http.StatusForbidden, problem.New(http.StatusForbidden, refused.Text))
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
			problem.Write(w, http.StatusUnauthorized, problem.New(http.StatusUnauthorized, err.Error()))
		}
	})
}

// errNobody says how to be somebody.
var errNobody = errors.New("found no session and no valid token, expected a log-in at /login, or the header Authorization: Bearer TOKEN with a token of sluice token create")

// Principal is who sends a request, and from where. The error says what is missing; it is a *RefusalError where nothing else
// would help.
func (d *Door) Principal(r *http.Request) (Principal, error) {
	p, err := d.principal(r)
	if err == nil {
		p.From = d.address(r)
	}
	return p, err
}

func (d *Door) principal(r *http.Request) (Principal, error) {
	if !d.private(r) {
		return Principal{}, &RefusalError{Text: "what isn't encrypted is answered on loopback addresses only: ask by https://, or on the gateway's own machine"}
	}
	if header := r.Header.Get("Authorization"); header != "" {
		shown, bearer := strings.CutPrefix(header, "Bearer ")
		if !bearer {
			return Principal{}, errNobody
		}
		p, err := d.tokens.use(shown, d.now())
		if errors.Is(err, errNoToken) {
			err = errNobody
		}
		return p, err
	}
	c, err := r.Cookie(d.cookieName(r))
	if err != nil {
		return Principal{}, errNobody
	}
	p, ok := d.sessions.use(c.Value, d.now())
	if !ok {
		return Principal{}, errNobody
	}
	if err := d.cross.Check(r); err != nil {
		return Principal{}, &RefusalError{Text: "the request comes from another site's page: it is refused, whoever is logged in"}
	}
	return p, nil
}

// Denied notes that somebody was refused an operation.
func (d *Door) Denied(ctx context.Context, p Principal, operation, why string) {
	d.notes.note(With(ctx, p), Event{What: "denied", By: p.By(), Text: operation + ": " + why})
}

// private says whether nobody on the way can read along: TLS, a proxy that spoke it, or no way at all.
func (d *Door) private(r *http.Request) bool {
	if d.secure(r) {
		return true
	}
	a, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return a != nil && a.IP.IsLoopback() && !d.proxied(r)
}

// secure says whether the browser speaks TLS.
func (d *Door) secure(r *http.Request) bool {
	return r.TLS != nil || d.proxied(r) && r.Header.Get("X-Forwarded-Proto") == "https"
}

// proxied says whether a proxy that is believed asks for somebody. It may add its line behind one of the browser's own, which says
// what it likes, or nothing.
func (d *Door) proxied(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && len(r.Header.Values("X-Forwarded-For")) > 0 && d.believed(peer.Addr())
}

func (d *Door) believed(a netip.Addr) bool {
	return slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// address is who asks: the last address that no proxy of ours added.
func (d *Door) address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	at := peer.Addr().Unmap()
	if !d.proxied(r) {
		return at.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := hopAddress(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		if at = a.Unmap(); !d.believed(at) {
			break
		}
	}
	return at.String()
}

// hopAddress reads one address of X-Forwarded-For. Some proxies, Azure's among them, write the port too.
func hopAddress(s string) (netip.Addr, error) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr(), nil
	}
	return netip.ParseAddr(s)
}

// cookieName has the prefix by which browsers take a cookie over TLS alone, for this host alone (RFC 6265bis).
func (d *Door) cookieName(r *http.Request) string {
	if d.secure(r) {
		return "__Host-sluice"
	}
	return "sluice"
}
