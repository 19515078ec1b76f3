package target

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Sentinel uploads entries to a data collection rule of Azure Monitor, which puts them into a table of the
// workspace that Microsoft Sentinel watches. It speaks the Logs Ingestion API, version 2023-01-01
// (https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview).
//
// The service takes a request whole or not at all, and knows no entry again: after an answer that was lost
// the entries come twice, with the same event key in their rows.
type Sentinel struct {
	web     *web
	shipper *shipper
	tokens  *azureTokens
	now     func() time.Time
	url     string
	role    grace // missing while 403 comes
}

// Limits of the service.
const (
	sentinelRequest = 1 << 20   // bytes of a body, compressed or not; it says so itself with status 413
	sentinelGrant   = time.Hour // a new role assignment takes up to 30 minutes to count, and has time to be made
	sentinelDenied  = time.Minute
)

// NewSentinel makes a target of cfg.Rule and cfg.Stream at cfg.URL; nothing is dialled. The format must give
// one JSON object for each entry. env is the environment, which says where a managed identity's tokens are
// issued; now is the clock that tokens expire by.
func NewSentinel(cfg config.Target, env func(string) string, now func() time.Time, m *Metrics) (*Sentinel, error) {
	s := &Sentinel{now: now}
	var err error
	if s.web, err = newWeb(cfg, m); err != nil {
		return nil, err
	}
	if s.tokens, err = newAzureTokens(cfg, env, now, m); err != nil {
		return nil, err
	}
	if cfg.Batch.Size == 0 || cfg.Batch.Size > sentinelRequest {
		cfg.Batch.Size = sentinelRequest
	}
	cfg.Batch.Size-- // n entries have n-1 commas between and two brackets around them
	if s.shipper, err = newShipper(cfg, len(",")); err != nil {
		return nil, err
	}
	s.url = strings.TrimRight(cfg.URL, "/") + "/dataCollectionRules/" + url.PathEscape(cfg.Rule) +
		"/streams/" + url.PathEscape(cfg.Stream) + "?api-version=2023-01-01"
	return s, nil
}

// Deliver uploads the batch. Delivered means that the service has answered 204, or another success without
// a word: it has the entry, and the row is seen some minutes later, unless the rule's transformation drops
// it. Nobody may call Deliver while it runs.
func (s *Sentinel) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	return s.shipper.ship(ctx, batch, s.send)
}

// Close closes the connections.
func (s *Sentinel) Close() error {
	s.web.close()
	s.tokens.close()
	return nil
}

// send is a [request].
func (s *Sentinel) send(ctx context.Context, items []item) ([]Result, error) {
	body := array(items)
	a, err := s.upload(ctx, body)
	if err == nil && a.status == http.StatusUnauthorized { // revoked, or our clock is wrong: once with a new one
		s.tokens.forget()
		a, err = s.upload(ctx, body)
	}
	if err != nil {
		return nil, err
	}
	return s.judge(a, len(items))
}

// array is the body of a request. It has memory of its own: a connection may still read it when the answer
// is there.
func array(items []item) []byte {
	size := len("[]")
	for _, i := range items {
		size += len(i.body) + len(",")
	}
	b := append(make([]byte, 0, size), '[')
	for n, i := range items {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, i.body...)
	}
	return append(b, ']')
}

func (s *Sentinel) upload(ctx context.Context, body []byte) (answer, error) {
	token, err := s.tokens.get(ctx)
	if err != nil {
		return answer{}, err
	}
	header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
	a, err := s.web.post(ctx, s.url, header, body)
	if err != nil {
		return a, fmt.Errorf("upload: %w", err)
	}
	a = a.hush([]string{token})
	return a, nil
}

// judge says what an answer means for the entries of a request.
func (s *Sentinel) judge(a answer, entries int) ([]Result, error) {
	switch {
	case accepted(a):
		s.role.found()
		return slices.Repeat([]Result{Delivered}, entries), nil
	case a.status == http.StatusBadRequest && aboutTheEntries(a), a.status == http.StatusRequestEntityTooLarge:
		return nil, fmt.Errorf("%w: %s", errSplit, a)
	case a.status == http.StatusForbidden:
		return nil, s.deny(a)
	case a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests || a.status >= 500:
		return nil, a.later("upload")
	}
	if a.status/100 == 2 { // which alone reads as if all were well
		return nil, blocked(fmt.Errorf("upload: this is not how the service says that it has taken entries: %s", a))
	}
	return nil, blocked(fmt.Errorf("upload: %s", a))
}

// accepted says whether the service has taken a request: its word for that is 204, and it has nothing to
// add to a success. A success with a body is somebody else's, such as the login of a proxy.
func accepted(a answer) bool {
	switch a.status {
	case http.StatusNoContent:
		return true
	case http.StatusOK, http.StatusAccepted:
		return len(a.body) == 0
	}
	return false
}

// deny: who may upload is a role on the rule, and a new assignment counts only after a while.
func (s *Sentinel) deny(a answer) error {
	now := s.now()
	err := s.role.missing(now, sentinelGrant, fmt.Errorf("upload: has the application the role Monitoring Metrics Publisher on the rule? %s", a))
	if PauseOf(err).Blocked {
		return err
	}
	return later(max(sentinelDenied, a.after(now)), err)
}

// aboutTheEntries says whether status 400 is the service's own, and not about where the entries were sent,
// which would be about every one of them: InvalidStream says that the rule declares no such stream. One
// without the service's code is of something on the way, and would make dead letters of all there are.
func aboutTheEntries(a answer) bool {
	code := strings.ToLower(azureErrorCode(a))
	of := func(what string) bool { return strings.Contains(code, what) }
	return code != "" && !slices.ContainsFunc([]string{"stream", "rule", "apiversion"}, of)
}

// azureErrorCode finds the code that every error of the service has; "" where there is none.
func azureErrorCode(a answer) string {
	var said struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(a.body, &said) == nil && said.Error.Code != "" {
		return said.Error.Code
	}
	return a.header.Get("x-ms-error-code")
}
