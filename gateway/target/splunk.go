package target

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// SplunkHEC sends entries to the event endpoint of Splunk's HTTP Event Collector, by Splunk's documents
// "Format events for HTTP Event Collector", "Troubleshoot HTTP Event Collector" and "About HTTP Event
// Collector Indexer Acknowledgment".
//
// With acknowledgement an entry is delivered when the indexer says that it has it. Without, or where the
// token gives no acknowledgements, it is delivered when the collector has accepted it; the log says which.
// It has accepted it with status 200 and its code for success, and with nothing else.
// Splunk knows no event again, so what is sent twice is there twice, with the same field event_key.
type SplunkHEC struct {
	web      *web
	shipper  *shipper
	log      *slog.Logger
	events   string // the URL
	acks     string // the URL
	header   http.Header
	token    []byte
	ask      bool          // for acknowledgements
	patience time.Duration // with an acknowledgement
	first    time.Duration // until it is asked for

	pending []pendingAck // of the batch
	without time.Time    // until when the collector's word is enough, as it knows no acknowledgements
	warned  time.Time    // of how acknowledgements are set up

	pace time.Duration // between requests, as the collector's queue is nearly full
	next time.Time     // when the next request may be sent
}

// Limits of the pace that a collector asks for without saying how long.
const (
	firstPace   = time.Second
	longestPace = 30 * time.Second
)

// NewSplunkHEC makes a target of the collector at cfg.URL; nothing is dialled. host is this gateway's name,
// as the events' host.
func NewSplunkHEC(cfg config.Target, host string, log *slog.Logger, m *Metrics) (*SplunkHEC, error) {
	w, err := newWeb(cfg, m)
	if err != nil {
		return nil, err
	}
	w.jar = newCookies() // acknowledgements are known to the indexer that has taken the events
	s, err := newShipper(cfg, len("\n"))
	if err != nil {
		return nil, err
	}
	s.render = newHECEnvelope(cfg, host, s).append
	channel := newChannel()
	base, _, _ := strings.Cut(cfg.URL, "/services/collector") // which many write, as Splunk's examples do
	base = strings.TrimRight(base, "/") + "/services/collector"
	return &SplunkHEC{
		web: w, shipper: s, log: log.With("target", cfg.Name), events: base + "/event", acks: base + "/ack?channel=" + channel,
		header: http.Header{
			"Authorization":            {"Splunk " + string(cfg.Token)},
			"X-Splunk-Request-Channel": {channel},
			"Content-Type":             {"application/json"},
		},
		token: []byte(cfg.Token), ask: cfg.Acknowledgement, patience: cfg.AckTimeout, first: firstAsk,
	}, nil
}

// newChannel makes a GUID, which keeps our acknowledgements from those of others.
func newChannel() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Deliver sends the batch in as many requests as it takes, and with acknowledgement waits for those of all
// of them. Nobody may call it while it runs.
func (s *SplunkHEC) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	s.pending = nil
	results, err := s.shipper.ship(ctx, batch, s.send)
	missing, missed := s.confirm(ctx)
	for i, e := range batch {
		if missing[e] && results[i] == Delivered {
			results[i] = Retry
		}
	}
	return results, errors.Join(err, missed)
}

// Close closes the connections.
func (s *SplunkHEC) Close() error {
	s.web.close()
	return nil
}

// send is a [request]. A collector that refuses one event has taken those before it, so it goes on behind
// that one.
func (s *SplunkHEC) send(ctx context.Context, items []item) ([]Result, error) {
	class, reply, err := s.post(ctx, items)
	switch {
	case class == hecTaken:
		return s.taken(items, reply), nil
	case class == hecSplit:
		return nil, fmt.Errorf("%w: %w", errSplit, err)
	case class != hecStopped:
		return nil, err
	case len(items) == 1:
		return []Result{Rejected}, refusal(items[0], "%w", err)
	case reply.event < 0 || reply.event > len(items):
		return s.inTurn(ctx, nil, nil, singly(items)) // nobody knows which
	}
	at := min(reply.event, len(items)-1)
	return s.resume(ctx, items, at)
}

// resume goes on with items that the collector took up to the one at that index, which it refuses.
//
// Splunk counts from nought for these refusals, but from one for others, and so may whoever speaks its
// protocol. So the event is refused once more alone before it is given up; if it isn't, or the refusal
// counts from one, then the one before it was meant. For events that it stopped behind, a collector gives
// no acknowledgement: where there are to be acknowledgements, these are sent again.
func (s *SplunkHEC) resume(ctx context.Context, items []item, at int) ([]Result, error) {
	before, blamed, behind := items[:at], items[at:at+1], items[at+1:]
	if s.asking() && at > 0 {
		return s.inTurn(ctx, nil, nil, [][]item{before, blamed, behind})
	}
	results := make([]Result, at, len(items))
	for i := range results {
		results[i] = Delivered
	}
	class, reply, err := s.post(ctx, blamed)
	switch class {
	case hecStopped:
		results, err = append(results, Rejected), refusal(blamed[0], "%w", err)
	case hecTaken:
		results, err = append(results, s.taken(blamed, reply)...), nil
	default:
		if at > 0 {
			results[at-1] = Retry
		}
		return results, err
	}
	if at > 0 && (class == hecTaken || reply.event == 1) {
		again, err2 := s.part(ctx, items[at-1:at])
		results[at-1], err = again[0], errors.Join(err, err2)
		if again[0] == Retry {
			return results, err
		}
	}
	return s.inTurn(ctx, results, err, [][]item{behind})
}

// singly makes a part of each item.
func singly(items []item) [][]item {
	var out [][]item
	for i := range items {
		out = append(out, items[i:i+1])
	}
	return out
}

// inTurn sends one part after the other until one leaves something to be retried, and adds to results.
func (s *SplunkHEC) inTurn(ctx context.Context, results []Result, err error, parts [][]item) ([]Result, error) {
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		got, err2 := s.part(ctx, part)
		results, err = append(results, got...), errors.Join(err, err2)
		if slices.Contains(got, Retry) {
			break
		}
	}
	return results, err
}

// part sends items of a request that the collector has taken in part. If they are too large now, that is
// for the next Deliver to find out: to halve the whole would send again what is taken.
func (s *SplunkHEC) part(ctx context.Context, items []item) ([]Result, error) {
	results, err := s.send(ctx, items)
	for len(results) < len(items) {
		results = append(results, Retry)
	}
	if errors.Is(err, errSplit) {
		err = errors.New(err.Error())
	}
	return results, err
}

// post sends items in one request. The error says why it isn't taken.
func (s *SplunkHEC) post(ctx context.Context, items []item) (hecClass, hecReply, error) {
	if err := wait(ctx, time.Until(s.next)); err != nil {
		return hecRetry, hecReply{}, err
	}
	a, err := s.web.post(ctx, s.events, s.header, eventLines(items))
	if err != nil {
		return hecRetry, hecReply{}, fmt.Errorf("send %d events: %w", len(items), err)
	}
	reply := readHECReply(a.body)
	class := reply.class(a.status)
	switch class {
	case hecTaken:
		s.keepPace(a, reply)
		return class, reply, nil
	case hecBlocked:
		err = s.words(a)
		if a.status/100 == 2 { // which alone reads as if all were well
			err = fmt.Errorf("this is not how Splunk says that it has taken events: %w", err)
		}
		return class, reply, blocked(err)
	case hecRetry:
		return class, reply, later(a.after(time.Now()), s.words(a))
	}
	return class, reply, s.words(a)
}

// eventLines is the body of a request: an event a line. It has memory of its own: a connection may still
// read it when the answer is there.
func eventLines(items []item) []byte {
	size := 0
	for _, i := range items {
		size += len(i.body) + len("\n")
	}
	b := make([]byte, 0, size)
	for _, i := range items {
		b = append(append(b, i.body...), '\n')
	}
	return b
}

// words is an answer as an error. A page of a proxy may repeat what we sent to it, even the token.
func (s *SplunkHEC) words(a answer) error {
	const least = 8 // a shorter one may be part of any word
	if len(s.token) >= least {
		a.body = bytes.ReplaceAll(a.body, s.token, []byte("(secret)"))
	}
	return errors.New(a.of("the collector"))
}

// taken notes which acknowledgement to wait for. The items are delivered unless it doesn't come.
func (s *SplunkHEC) taken(items []item, r hecReply) []Result {
	switch {
	case s.asking() && r.ack >= 0:
		s.await(r.ack, items)
	case s.asking():
		s.warn("the token gives no acknowledgements: events count as delivered when the collector has accepted them")
	case !s.ask && r.ack >= 0:
		s.warn("the token gives acknowledgements, and nobody asks for them: Splunk keeps them until it is full; set acknowledgement: true")
	}
	results := make([]Result, len(items))
	for i := range results {
		results[i] = Delivered
	}
	return results
}

// keepPace slows down while the collector says that it is nearly full.
func (s *SplunkHEC) keepPace(a answer, r hecReply) {
	if r.code != 24 && r.code != 25 {
		s.pace = 0
		return
	}
	now := time.Now()
	s.pace = min(max(firstPace, 2*s.pace), longestPace)
	s.next = now.Add(max(s.pace, min(a.after(now), longestPace)))
}

// wait returns after d, or with an error when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
