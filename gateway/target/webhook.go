package target

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Webhook posts to any HTTP endpoint: an entry a request, or as many as a batch has, one JSON object a
// line. It may sign, see [config.Target].
//
// The header webhook-id (Standard Webhooks 1.0) is what a receiver knows a repeated request by: the event
// key, or for lines a hash of the event keys in their order. A retry has the same id and body, and a
// timestamp and signature of its own. After a restart, lines may be cut into requests in another way: then
// only the event key in each line tells, and the same where a request was divided.
//
// The status alone is the answer. The body is only for people: a receiver that never ends it, or breaks it
// off, has taken what it said it took.
//
// The operator chose the URL, so any address is allowed; a redirect is never followed.
type Webhook struct {
	web      *web
	shipper  *shipper
	to       string
	header   http.Header
	lines    bool
	conflict Result // what 409 means
	sign     signature
	secrets  []string
	now      func() time.Time
}

// NewWebhook makes a target of cfg.URL; nothing is dialled. now is the wall clock, for the signatures.
func NewWebhook(cfg config.Target, now func() time.Time, m *Metrics) (*Webhook, error) {
	base, err := newWeb(cfg, m)
	if err != nil {
		return nil, err
	}
	base.words = time.Second
	w := &Webhook{web: base, to: cfg.URL, header: http.Header{}, lines: cfg.Body == "ndjson", conflict: Rejected, now: now}
	content := "application/json"
	switch {
	case w.lines:
		content = "application/x-ndjson"
	case strings.HasPrefix(cfg.Format, "cef"), strings.HasPrefix(cfg.Format, "leef"):
		content = "text/plain; charset=utf-8"
	}
	if !w.lines {
		cfg.Batch.Entries = 1
	}
	if w.shipper, err = newShipper(cfg, 1); err != nil {
		return nil, err
	}
	if cfg.Conflict == "delivered" {
		w.conflict = Delivered
	}
	if w.sign, err = newSignature(cfg.Signature, cfg.Secrets); err != nil {
		return nil, err
	}
	if err := w.setHeaders(cfg, content); err != nil {
		return nil, err
	}
	return w, nil
}

// setHeaders sets the headers that every request has. An operator's content type counts, not ours.
func (w *Webhook) setHeaders(cfg config.Target, content string) error {
	for i, h := range cfg.Headers {
		if err := checkHeader(fmt.Sprintf("headers[%d] %s", i, h.Name), string(h.Value)); err != nil {
			return err
		}
		w.header.Add(h.Name, string(h.Value))
		w.hide(string(h.Value))
	}
	if w.header.Get("Content-Type") == "" {
		w.header.Set("Content-Type", content)
	}
	switch {
	case cfg.Token != "":
		w.header.Set("Authorization", "Bearer "+string(cfg.Token))
	case cfg.Username != "":
		w.header.Set("Authorization", basic(cfg.Username, cfg.Password))
	}
	if login := w.header.Get("Authorization"); login != "" {
		if err := checkHeader("authorization", login); err != nil {
			return err
		}
		_, value, _ := strings.Cut(login, " ")
		w.secrets = append(w.secrets, string(cfg.Token), string(cfg.Password), value)
	}
	if u, err := url.Parse(cfg.URL); err == nil {
		w.hide(u.RequestURI())
	}
	return nil
}

// hide keeps out of errors what may be a secret, unless it is too short for one.
func (w *Webhook) hide(text string) {
	const shortest = 8
	if len(text) >= shortest {
		w.secrets = append(w.secrets, text)
	}
}

// Deliver sends the batch, one request after the other. Nobody may call it while it runs.
func (w *Webhook) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	return w.shipper.ship(ctx, batch, w.send)
}

// Close closes the connections; Deliver would open them again.
func (w *Webhook) Close() error {
	w.web.close()
	return nil
}

// send is a request.
func (w *Webhook) send(ctx context.Context, items []item) ([]Result, error) {
	id, body := string(items[0].entry.Key), items[0].body
	if w.lines {
		id, body = join(items)
	}
	h := w.header.Clone()
	h.Set("Webhook-Id", id)
	if !w.lines {
		for _, l := range w.shipper.labels.Of(items[0].entry) {
			h.Set(headerOf(l.Name), l.Value)
		}
	}
	w.sign.set(h, id, w.now(), body)
	a, err := w.web.post(ctx, w.to, h, body)
	if err != nil && !errors.Is(err, errWords) {
		return nil, fmt.Errorf("webhook: %w", withoutURL(err))
	}
	return w.judge(items, a)
}

// join makes one body of items, and the id that it has for ever. The body has memory of its own: a
// connection may still read it when the answer is there.
func join(items []item) (id string, body []byte) {
	hash := sha256.New()
	for _, i := range items {
		body = append(append(body, i.body...), '\n')
		hash.Write([]byte(i.entry.Key + "\n"))
	}
	return hex.EncodeToString(hash.Sum(nil)[:16]), body
}

// judge classes an answer. What is about the entry, and not about the endpoint, is never believed of more
// than one entry: the request is divided until it is.
func (w *Webhook) judge(items []item, a answer) ([]Result, error) {
	said := a.hush(w.secrets)
	switch s := a.status; {
	case s/100 == 2:
		return slices.Repeat([]Result{Delivered}, len(items)), nil
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests:
		return nil, said.later("webhook")
	case s == http.StatusNotImplemented, s == http.StatusNetworkAuthenticationRequired:
		return nil, blocked(fmt.Errorf("webhook: %s", said))
	case s/100 != 4 && s/100 != 3:
		return nil, said.later("webhook")
	case s/100 == 3 || aboutTheEndpoint(s):
		return nil, blocked(fmt.Errorf("webhook: %s", said))
	case len(items) > 1:
		return nil, fmt.Errorf("%w: %s", errSplit, said)
	case s == http.StatusConflict && w.conflict == Delivered:
		return []Result{Delivered}, nil
	case s == http.StatusRequestEntityTooLarge:
		return []Result{Rejected}, refusal(items[0], "%s; with a batch.size that the receiver takes, it is shortened", said)
	}
	return []Result{Rejected}, refusal(items[0], "%s", said)
}

// aboutTheEndpoint says whether a status from 400 to 499 is about the URL, the credentials or the way,
// whatever the request is.
func aboutTheEndpoint(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusGone, http.StatusMisdirectedRequest, http.StatusUpgradeRequired,
		http.StatusRequestHeaderFieldsTooLarge, http.StatusUnavailableForLegalReasons:
		return true
	}
	return false
}
