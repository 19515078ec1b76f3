package siem

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Webhook is an endpoint that takes what is signed as it should be, and each webhook-id once. What is
// configured may not change while it serves.
type Webhook struct {
	Record

	Signature string           // standard, timestamped or github; none where empty
	Secrets   [][]byte         // of the signature, decoded; each is enough
	Now       func() time.Time // the machine's clock where nil
	Token     string           // expected as bearer
	Username  string
	Password  string
	Header    map[string]string // expected besides
	Lines     bool              // NDJSON is expected, and else one JSON object, or text as Text says
	Text      bool
	KeyField  string // of an object, where its key is; where empty, the key is the webhook-id
	Conflict  bool   // answers 409 for an id that it has taken, and else as if it were new
	Gzip      bool   // is read; it is refused with 415 where false
	Limit     int    // of a body; 10 MB where 0

	lock    sync.Mutex // guards what follows
	ids     []string   // that were taken, in order
	answers []HTTPAnswer
	headers []http.Header
}

// Answer sets what is said to the requests that come next, one each. Its zero value is what the endpoint
// says by itself.
func (s *Webhook) Answer(answers ...HTTPAnswer) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.answers = append(s.answers, answers...)
}

// IDs lists the webhook-ids that were taken, in order.
func (s *Webhook) IDs() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]string(nil), s.ids...)
}

// Headers lists the headers of every request that came.
func (s *Webhook) Headers() []http.Header {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]http.Header(nil), s.headers...)
}

func (s *Webhook) next(h http.Header) HTTPAnswer {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.headers = append(s.headers, h.Clone())
	if len(s.answers) == 0 {
		return HTTPAnswer{}
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a
}

// ServeHTTP implements http.Handler.
func (s *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said := s.next(r.Header)
	if said.Early {
		breakOff(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		breakOff(w)
		return
	}
	fault := s.Fault()
	if said.Status != 0 {
		if said.Take {
			s.take(r, body)
		}
		said.write(w, r)
		return
	}
	switch fault {
	case Refuse:
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
	case Throttle:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case Reset:
		breakOff(w)
	case Lie:
		s.take(r, body)
		breakOff(w)
	case Stall:
		<-r.Context().Done()
	case None:
		status, words := s.take(r, body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, words)
	}
}

// take checks a request as a careful endpoint does, and takes what is in it.
func (s *Webhook) take(r *http.Request, body []byte) (status int, words string) {
	if r.Method != http.MethodPost {
		return 405, "POST only"
	}
	if !s.allowed(r.Header) {
		return 401, "wrong credentials"
	}
	limit := s.Limit
	if limit == 0 {
		limit = 10 << 20
	}
	encoding := r.Header.Get("Content-Encoding")
	if encoding == "gzip" && !s.Gzip {
		return 415, "no content encoding is read here"
	}
	body, err := decoded(encoding, body, limit)
	switch {
	case errors.Is(err, errLong):
		return 413, "too large"
	case err != nil:
		return 400, err.Error()
	}
	id := r.Header.Get("Webhook-Id")
	if id == "" {
		return 400, "no webhook-id"
	}
	if why := s.unsigned(r.Header, id, body); why != "" {
		return 401, why
	}
	events, status, words := s.read(r.Header.Get("Content-Type"), id, body)
	if status != 0 {
		return status, words
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, known := range s.ids {
		if known == id {
			if s.Conflict {
				return 409, "taken before"
			}
			return 200, "taken before"
		}
	}
	s.ids = append(s.ids, id)
	for _, e := range events {
		s.Take(e)
	}
	return 202, ""
}

func (s *Webhook) allowed(h http.Header) bool {
	for name, value := range s.Header {
		if h.Get(name) != value {
			return false
		}
	}
	want := ""
	switch {
	case s.Token != "":
		want = "Bearer " + s.Token
	case s.Username != "":
		want = "Basic " + base64.StdEncoding.EncodeToString([]byte(s.Username+":"+s.Password))
	}
	return h.Get("Authorization") == want
}

// unsigned says why the signature doesn't hold.
func (s *Webhook) unsigned(h http.Header, id string, body []byte) string {
	var seconds string
	var signatures []string
	prefix, decode := "", hex.DecodeString
	switch s.Signature {
	case "standard": // standard-webhooks 1.0, "Verifying webhook authenticity"
		seconds, decode = h.Get("Webhook-Timestamp"), base64.StdEncoding.DecodeString
		for one := range strings.SplitSeq(h.Get("Webhook-Signature"), " ") {
			if value, ok := strings.CutPrefix(one, "v1,"); ok {
				signatures = append(signatures, value)
			}
		}
		prefix = id + "." + seconds + "."
	case "timestamped":
		for one := range strings.SplitSeq(h.Get("X-Sluice-Signature"), ",") {
			switch name, value, _ := strings.Cut(one, "="); name {
			case "t":
				seconds = value
			case "v1":
				signatures = append(signatures, value)
			}
		}
		prefix = seconds + "."
	case "github":
		value, _ := strings.CutPrefix(h.Get("X-Hub-Signature-256"), "sha256=")
		signatures = append(signatures, value)
	default:
		return ""
	}
	if s.Signature != "github" {
		if why := s.skewed(seconds); why != "" {
			return why
		}
	}
	for _, text := range signatures {
		got, err := decode(text)
		for _, key := range s.Secrets {
			mac := hmac.New(sha256.New, key)
			_, _ = mac.Write(append([]byte(prefix), body...))
			if err == nil && hmac.Equal(got, mac.Sum(nil)) {
				return ""
			}
		}
	}
	return "no signature matches"
}

// skewed says why a timestamp isn't taken: the signature may be an old one that somebody repeats.
func (s *Webhook) skewed(seconds string) string {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return "no timestamp"
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	if d := now().Sub(time.Unix(n, 0)); d < -5*time.Minute || d > 5*time.Minute {
		return "the timestamp is too old or too new"
	}
	return ""
}

// read finds the events of a body. A status says why there are none.
func (s *Webhook) read(content, id string, body []byte) (events []Event, status int, words string) {
	want := "application/json"
	switch {
	case s.Lines:
		want = "application/x-ndjson"
	case s.Text:
		want = "text/plain"
	}
	if kind, _, _ := strings.Cut(content, ";"); kind != want {
		return nil, 415, "want " + want
	}
	if bytes.Contains(body, []byte(Poison)) {
		return nil, 422, "an entry has something in it that is not taken: " + Poison
	}
	if s.Text {
		return []Event{{id, body}}, 0, ""
	}
	objects := [][]byte{body}
	if s.Lines {
		if len(body) == 0 || body[len(body)-1] != '\n' {
			return nil, 400, "the last line has no end"
		}
		objects = bytes.Split(body[:len(body)-1], []byte("\n"))
	}
	for i, o := range objects {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(o, &members); err != nil || members == nil {
			return nil, 400, fmt.Sprintf("line %d is no object", i+1)
		}
		key := id
		if s.KeyField != "" {
			key = ""
			if err := json.Unmarshal(members[s.KeyField], &key); err != nil || key == "" {
				return nil, 422, "no " + s.KeyField
			}
		}
		events = append(events, Event{key, o})
	}
	return events, 0, ""
}
