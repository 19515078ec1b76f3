package input

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/problem"
)

// ListenHTTP opens the socket that cfg.Listen names: tcp:// or tls:// with host and port, for
// POST /api/v1/ingest. It fails if the port is taken or a certificate can't be read.
//
// # Decisions
//
// A body is read whole before anything is handed over, so that whatever is wrong with it is found
// first: every answer but 200 and 503 means that nothing was accepted. 503 says how much was, from the
// beginning of the body.
//
// With an Idempotency-Key a request can be repeated, exactly: each entry of the stream says which message
// of which request it is, and what is recorded of a request is a fold of the stream like everything that
// Sluice knows. Without one, what is sent again is known by its ID, where it has one.
//
// All bodies together are held to bodyBytes. Where that, or patience with the stream, is used up, the
// answer is 503 and when to try again: a sender that waits has the messages still.
//
// A body that grows more than maxRatio times in decompression is refused, however small it is: the
// services' messages, of which no two are alike, shrink to a fifth, and a hundredth is nobody's text.
//
// known finds the name of the sender of a token that isn't the configuration's; it is asked where there are tokens at all.
func ListenHTTP(cfg config.Input, known func(token string) (name string, ok bool), log *slog.Logger, m *Metrics) (*Socket, error) {
	s, err := listen(cfg, log.With("input", cfg.Name), m)
	if err != nil {
		return nil, err
	}
	w := &web{server: s, known: known, maxBody: int(cfg.MaxBody), bodies: budget{left: bodyBytes}, requests: m.requests}
	for _, t := range cfg.Tokens {
		w.tokens = append(w.tokens, token{t.Name, sha256.Sum256([]byte(t.Token))})
	}
	return &Socket{addr: s.listener.Addr(), run: w.run, close: s.listener.Close}, nil
}

const (
	bodyBytes  = 64 << 20 // of all bodies that are held
	maxRatio   = 100      // of a body to what was sent of it
	maxHeaders = 16 << 10 // bytes
	maxKey     = 255      // bytes of an Idempotency-Key
	retryAfter = 5 * time.Second
	slowest    = time.Minute // that a request may come in
)

// web takes messages over HTTP.
type web struct {
	*server
	tokens   []token
	known    func(token string) (name string, ok bool)
	maxBody  int
	bodies   budget
	requests *prometheus.CounterVec
}

// token is what one sender shows.
type token struct {
	name string
	hash [sha256.Size]byte
}

// run serves requests until ctx is done; those that are being handed over by then are answered.
func (w *web) run(ctx context.Context, accept Accept) error {
	late, forget := outlive(ctx)
	defer forget()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/ingest", func(rw http.ResponseWriter, r *http.Request) {
		o := w.ingest(ctx, late, rw, r, accept)
		if o.status != http.StatusOK {
			drain(rw, r)
		}
		w.answer(rw, o)
	})
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		w.answer(rw, outcome{status: http.StatusNotFound, detail: "there is POST /api/v1/ingest"})
	})
	h := newHandoff(w.listener.Addr())
	w.read = h.serve
	pages := &http.Server{
		Handler: mux, ConnState: h.state, MaxHeaderBytes: maxHeaders,
		ReadHeaderTimeout: patience, ReadTimeout: slowest, IdleTimeout: w.idle,
		ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var serving sync.WaitGroup
	serving.Go(func() { _ = pages.Serve(h) }) // until Shutdown
	serving.Go(func() {
		<-inner.Done()
		h.stop()
		if pages.Shutdown(late) != nil {
			_ = pages.Close()
		}
	})
	err := w.server.run(inner, accept)
	cancel()
	serving.Wait()
	return err
}

// outcome is the answer to a request.
type outcome struct {
	status   int
	accepted int    // messages, from the first, that are durable
	detail   string // what is wrong, and what to do
}

// answer writes the outcome, as a problem document (RFC 9457) where it is none to be glad of.
func (w *web) answer(rw http.ResponseWriter, o outcome) {
	w.requests.WithLabelValues(w.name, strconv.Itoa(o.status)).Inc()
	header := rw.Header()
	switch o.status {
	case http.StatusOK:
		header.Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(accepted{o.accepted}) // the peer may have gone
		return
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="sluice"`)
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	problem.Write(rw, o.status, struct {
		problem.Document
		accepted
	}{problem.New(o.status, o.detail), accepted{o.accepted}})
}

// accepted is the member of an answer that says how many messages are durable.
type accepted struct {
	Accepted int `json:"accepted"`
}

// ingest takes one request. late outlives ctx, which ends when the input stops.
func (w *web) ingest(ctx, late context.Context, rw http.ResponseWriter, r *http.Request, accept Accept) outcome {
	name, ok := w.authenticate(r)
	key, keyed := idempotencyKey(r)
	switch {
	case r.Method != http.MethodPost:
		return outcome{status: http.StatusMethodNotAllowed, detail: "messages are taken by POST"}
	case !ok:
		return outcome{status: http.StatusUnauthorized, detail: "want Authorization: Bearer with a token of this input"}
	case len(w.tokens) == 0 && ofPage(r):
		return outcome{status: http.StatusForbidden, detail: "it is a page in somebody's browser that sends this, and the input asks for no token"}
	case !keyed:
		return outcome{status: http.StatusBadRequest, detail: fmt.Sprintf("want one Idempotency-Key of 1 to %d bytes, or none", maxKey)}
	case ctx.Err() != nil:
		return outcome{status: http.StatusServiceUnavailable, detail: "the gateway stops; nothing was accepted"}
	}
	b := &body{limit: w.maxBody, budget: &w.bodies}
	defer b.release()
	// Whoever is slow when we stop has a moment to finish; the answer is that there was none.
	control := http.NewResponseController(rw)
	defer context.AfterFunc(ctx, func() { _ = control.SetReadDeadline(time.Now().Add(linger)) })()
	err := b.read(r)
	w.count.bytes.Add(float64(b.sent))
	if err != nil {
		return refusal(err)
	}
	d := delivery{
		web: w, accept: accept, received: time.Now(),
		may: w.speakers.grant(w.identify(r, name)),
	}
	if key != "" {
		d.request = &Part{Of: digest([]byte(w.name), []byte(name), []byte(key)), Body: b.digest()}
	}
	return d.deliver(late, b)
}

// ofPage says whether a page in a browser sends a request. It has no business here wherever it is from: the input shows none, and
// who owns a name may have it mean this machine.
func ofPage(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// idempotencyKey is what a sender calls its request, so that it can repeat it; "" where it can't.
func idempotencyKey(r *http.Request) (key string, ok bool) {
	switch all := r.Header.Values("Idempotency-Key"); len(all) {
	case 0:
		return "", true
	case 1:
		return all[0], all[0] != "" && len(all[0]) <= maxKey
	}
	return "", false
}

// digest is of texts, none of which can end in the next one.
func digest(texts ...[]byte) (d [16]byte) {
	h := sha256.New()
	for _, s := range texts {
		_, _ = fmt.Fprintf(h, "%d ", len(s)) // a hash never fails
		h.Write(s)
	}
	copy(d[:], h.Sum(nil))
	return d
}

// drain takes what is left of a refused body, for a moment: a sender that is still writing when we close
// may never see the answer. One that asked whether to send it at all has not begun.
func drain(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return
	}
	_ = http.NewResponseController(rw).SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, r.Body)
}

// authenticate gives the name of the token that a request shows. Every token is compared, each in the
// same time, whichever of them fits. An input without tokens asks for none.
func (w *web) authenticate(r *http.Request) (name string, ok bool) {
	if len(w.tokens) == 0 {
		return "", true
	}
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	shown = strings.TrimSpace(shown)
	hash := sha256.Sum256([]byte(shown))
	for _, t := range w.tokens {
		if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 {
			name, ok = t.name, true
		}
	}
	if !ok && shown != "" {
		name, ok = w.known(shown)
	}
	return name, ok && strings.EqualFold(scheme, "Bearer")
}

func (w *web) identify(r *http.Request, token string) identity {
	id := identity{names: names(r.TLS), token: token}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		id.address = plain(a.Addr())
	}
	return id
}

// delivery hands over the messages of one request.
type delivery struct {
	*web
	accept   Accept
	received time.Time
	may      *Grant
	request  *Part // without an index; nil where it can't be repeated
	next     int   // message of the request
	done     int   // messages that are durable
	batch    []Message
	size     int
}

func (d *delivery) deliver(ctx context.Context, b *body) outcome {
	for raw := range b.messages() {
		cut := len(raw) > d.max
		if cut {
			d.count.truncated.Inc()
			raw = raw[:d.max]
		}
		// A copy, for the body is great and what is kept of it may be one message.
		d.batch = append(d.batch, Message{
			Input: d.name, Received: d.received, Truncated: cut, Raw: bytes.Clone(raw), Granted: d.may, Part: d.part(),
		})
		if d.size += len(raw); len(d.batch) >= batchMessages || d.size >= batchBytes {
			if err := d.flush(ctx); err != nil {
				return d.failure(err)
			}
		}
	}
	if err := d.flush(ctx); err != nil {
		return d.failure(err)
	}
	return outcome{status: http.StatusOK, accepted: d.done}
}

// part is the next message's place in the request.
func (d *delivery) part() *Part {
	if d.request == nil {
		return nil
	}
	p := *d.request
	p.Index = d.next
	d.next++
	return &p
}

// flush hands the batch over, and waits no longer for it than a sender may.
func (d *delivery) flush(ctx context.Context) error {
	if len(d.batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n := len(d.batch)
	err := d.accept.durably(ctx, d.batch)
	d.batch, d.size = nil, 0
	if err == nil {
		d.done += n
	}
	return err
}

// failure tells a sender to send again what wasn't accepted, unless its key is another request's.
func (d *delivery) failure(err error) outcome {
	if errors.Is(err, ErrReused) {
		return outcome{
			status: http.StatusUnprocessableEntity, accepted: d.done,
			detail: "the Idempotency-Key was used for another body within the last day",
		}
	}
	d.log.Debug("a request was put off", "err", err)
	return outcome{
		status: http.StatusServiceUnavailable, accepted: d.done,
		detail: "the gateway stops or is pushing back; send the messages after the accepted ones again, or with an Idempotency-Key all",
	}
}
