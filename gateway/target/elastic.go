package target

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Elastic delivers to a data stream or an index of Elasticsearch or OpenSearch, by their bulk API
// (POST /{index}/_bulk, "Bulk API" of both references). The product isn't asked for: what is used here is
// the same in both.
//
// Every document is created under its event key as _id, and a second one of that key is refused with 409,
// which says that the first has arrived. So a retry never doubles, with one exception: a data stream, and
// an alias that rolls over, knows an _id again in its current backing index only. What was sent just before
// a rollover, without a reply that reached us, and is sent again just after it, is there twice, with the
// same _id; so is a dead letter or a replay that is sent again later than that. A search that collapses on
// _id, or a rollover that is less frequent, is what helps.
type Elastic struct {
	web     *web
	shipper *shipper
	to      string
	header  http.Header
	secrets []string
}

// elasticExtra is what a document takes in a request beside itself: the action with its key, two line
// feeds, and the time.
const elasticExtra = len(`{"create":{"_id":"0123456789abcdef0123456789abcdef"}}`) + 2 + len(`"@timestamp":"2006-01-02T15:04:05.999999999Z",`)

// elasticAnswers is what is asked of a reply: one that tells everything of a large batch would be longer
// than what is read of it.
const elasticAnswers = "filter_path=errors,items.*.status,items.*.error,items.*.failure_store"

// NewElastic makes a target of cfg.URL and cfg.Index; nothing is dialled.
func NewElastic(cfg config.Target, m *Metrics) (*Elastic, error) {
	w, err := newWeb(cfg, m)
	if err != nil {
		return nil, err
	}
	s, err := newShipper(cfg, elasticExtra)
	if err != nil {
		return nil, err
	}
	to, err := url.JoinPath(cfg.URL, url.PathEscape(cfg.Index), "_bulk")
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	e := &Elastic{web: w, shipper: s, to: to + "?" + elasticAnswers, header: http.Header{"Content-Type": {"application/x-ndjson"}}}
	login := ""
	switch key := string(cfg.APIKey); {
	case strings.Contains(key, ":"): // as the API gives it, not as Kibana shows it; base64 has no colon
		login = "ApiKey " + base64.StdEncoding.EncodeToString([]byte(key))
	case key != "":
		login = "ApiKey " + key
	case cfg.Username != "":
		login = basic(cfg.Username, cfg.Password)
	}
	if err := checkHeader("authorization", login); err != nil {
		return nil, err
	}
	if login != "" {
		e.header.Set("Authorization", login)
		_, value, _ := strings.Cut(login, " ")
		e.secrets = []string{string(cfg.APIKey), string(cfg.Password), value}
	}
	return e, nil
}

// Deliver sends the batch. Documents whose results are Retry were not taken, or it isn't known; the others
// of the same request may have been. Nobody may call it while it runs.
func (e *Elastic) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	return e.shipper.ship(ctx, batch, e.send)
}

// Close closes the connections; Deliver would open them again.
func (e *Elastic) Close() error {
	e.web.close()
	return nil
}

// send is a request.
func (e *Elastic) send(ctx context.Context, items []item) ([]Result, error) {
	a, err := e.web.post(ctx, e.to, e.header, bulk(items))
	switch {
	case err != nil:
		return nil, fmt.Errorf("bulk request: %w", err)
	case a.status/100 == 2:
		return e.taken(items, a)
	}
	return nil, e.refused(a)
}

// bulk is the body of a request: two lines for each item. It has memory of its own: a connection may still
// read it when the answer is there.
func bulk(items []item) []byte {
	size := 0
	for _, i := range items {
		size += len(i.body) + elasticExtra
	}
	b := make([]byte, 0, size)
	for _, i := range items {
		id, _ := json.Marshal(string(i.entry.Key)) // a string can always be
		b = append(append(append(b, `{"create":{"_id":`...), id...), "}}\n"...)
		b = append(appendStamped(b, i), '\n')
	}
	return b
}

// appendStamped appends an item's document, with the time of the event as @timestamp where the format has
// none: a data stream takes no document without.
func appendStamped(b []byte, i item) []byte {
	rest, ok := bytes.CutPrefix(i.body, []byte("{"))
	if !ok || hasTimestamp(i.body) {
		return append(b, i.body...)
	}
	b = append(b, `{"@timestamp":"`...)
	b = append(render.Happened(i.entry).AppendFormat(b, time.RFC3339Nano), '"')
	if len(rest) > 1 {
		b = append(b, ',')
	}
	return append(b, rest...)
}

// hasTimestamp says whether an object has a member @timestamp; one of an object in it doesn't count.
func hasTimestamp(object []byte) bool {
	const key = `"@timestamp":`
	if bytes.HasPrefix(object[1:], []byte(key)) {
		return true
	}
	if !bytes.Contains(object, []byte(key)) {
		return false
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return true // it is none of ours to mend
	}
	_, ok := members["@timestamp"]
	return ok
}
