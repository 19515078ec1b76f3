package siem

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SplunkToken is a token of an HTTP Event Collector, and what it may do.
type SplunkToken struct {
	Disabled bool
	Acks     bool     // indexer acknowledgement
	Indexes  []string // that its events may name; any where empty
	Query    bool     // it may stand in the URL
}

// Splunk is an HTTP Event Collector as of Splunk's documents "Format events for HTTP Event Collector",
// "Troubleshoot HTTP Event Collector" and "About HTTP Event Collector Indexer Acknowledgment". It is an
// http.Handler. Set its fields before it serves.
type Splunk struct {
	Record                 // of events; its faults are those of requests with events
	Polls    Record        // its faults are those of questions for acknowledgements
	Delay    time.Duration // from a request until the indexer has it
	Largest  int           // bytes of a body as it comes; 0: any
	Refusal  int           // the code for events with poison: 6 where it is 0, or 12, 13 or 15
	Numbers  int           // what the first event has in a refusal
	Nameless bool          // refusals name no event
	Health   int           // the code of the health endpoint; 17 where it is 0
	Indexers int           // behind a load balancer that knows clients again by a cookie; 1 where it is 0

	tokens   map[string]SplunkToken
	mu       sync.Mutex // guards what follows
	codes    []int
	channels map[string]*splunkChannel // by indexer and GUID
	asked    []time.Time
	last     int // the indexer that a client without a cookie was sent to
}

// splunkChannel numbers requests and knows when each is indexed.
type splunkChannel struct {
	next int
	due  map[int]time.Time
}

// NewSplunk makes a collector with these tokens.
func NewSplunk(tokens map[string]SplunkToken) *Splunk {
	return &Splunk{tokens: tokens, channels: map[string]*splunkChannel{}}
}

// Say gives the next requests with events these codes. For 0, 24 and 25 the events are taken; for others
// they aren't.
func (s *Splunk) Say(codes ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes = append(s.codes, codes...)
}

// Restart forgets which acknowledgements are due, and counts anew, as a server that starts again.
func (s *Splunk) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels = map[string]*splunkChannel{}
}

// Asked lists when acknowledgements were asked for.
func (s *Splunk) Asked() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ServeHTTP implements http.Handler.
func (s *Splunk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/1.0")
	method := http.MethodPost
	switch path {
	case "/services/collector", "/services/collector/event", "/services/collector/ack":
	case "/services/collector/health":
		method = http.MethodGet
	default:
		refuse(w, http.StatusNotFound)
		return
	}
	if r.Method != method {
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	body, status := s.read(r)
	if status != 0 {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<!doctype html><title>%d %s</title>", status, http.StatusText(status))
		return
	}
	switch path {
	case "/services/collector/health":
		s.answer(w, splunkReply{Code: cmp.Or(s.Health, 17)})
	case "/services/collector/ack":
		s.serve(w, r, &s.Polls, func(w http.ResponseWriter) { s.acks(w, r, body) })
	default:
		s.serve(w, r, &s.Record, func(w http.ResponseWriter) { s.events(w, r, body) })
	}
}

// refuse answers as the server in front of the collector does.
func refuse(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"text":"The requested URL was not found on this server.","code":404}`)
}

// read reads a body, decompressed, or gives the status with which it is refused.
func (s *Splunk) read(r *http.Request) ([]byte, int) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	if s.Largest > 0 && len(body) > s.Largest {
		return nil, http.StatusRequestEntityTooLarge
	}
	switch r.Header.Get("Content-Encoding") {
	case "":
		return body, 0
	case "gzip":
		z, err := gzip.NewReader(strings.NewReader(string(body)))
		if err == nil {
			body, err = io.ReadAll(z)
		}
		if err != nil {
			return nil, http.StatusBadRequest
		}
		return body, 0
	}
	return nil, http.StatusUnsupportedMediaType
}

// serve answers a request, or does what was commanded.
func (s *Splunk) serve(w http.ResponseWriter, r *http.Request, of *Record, answer func(http.ResponseWriter)) {
	switch of.Fault() {
	case Refuse:
		s.answer(w, splunkReply{Code: 9})
	case Throttle:
		w.Header().Set("Retry-After", "1")
		s.answer(w, splunkReply{Code: 26})
	case Lie:
		answer(nowhere{})
		panic(http.ErrAbortHandler) // breaks the connection
	case Reset:
		panic(http.ErrAbortHandler)
	case Stall:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case None:
		answer(w)
	}
}

// nowhere is where an answer goes that the client doesn't get.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// token finds the token of a request, or the code with which it is refused.
func (s *Splunk) token(r *http.Request) (SplunkToken, int) {
	header := r.Header.Get("Authorization")
	scheme, name, _ := strings.Cut(header, " ")
	query := r.URL.Query().Get("token")
	switch {
	case header == "" && query == "":
		return SplunkToken{}, 2
	case header == "":
		name = query
	case scheme == "Basic":
		_, name, _ = r.BasicAuth()
	case scheme != "Splunk":
		return SplunkToken{}, 3
	}
	t, ok := s.tokens[name]
	switch {
	case !ok:
		return t, 4
	case t.Disabled:
		return t, 1
	case header == "" && !t.Query:
		return t, 16
	}
	return t, 0
}

// channelName finds the channel of a request, or the code with which it is refused.
func channelName(r *http.Request, needed bool) (string, int) {
	name := r.Header.Get("X-Splunk-Request-Channel")
	if name == "" {
		name = r.URL.Query().Get("channel")
	}
	switch {
	case name == "" && needed:
		return "", 10
	case name != "" && !regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`).MatchString(name):
		return "", 11
	}
	return name, 0
}

// events takes the events of a body up to the first that is refused.
func (s *Splunk) events(w http.ResponseWriter, r *http.Request, body []byte) {
	t, code := s.token(r)
	if code != 0 {
		s.answer(w, splunkReply{Code: code})
		return
	}
	channel, code := channelName(r, t.Acks)
	if code != 0 {
		s.answer(w, splunkReply{Code: code})
		return
	}
	code = s.said()
	if status, _ := splunkStatus(code); status != 200 {
		s.answer(w, splunkReply{Code: code})
		return
	}
	if refused := s.index(t, body); refused.Code != 0 {
		s.answer(w, refused)
		return
	}
	reply := splunkReply{Code: code}
	if t.Acks {
		id := s.number(w, r, channel)
		reply.Ack = &id
	}
	s.answer(w, reply)
}

// said is the code that the next request gets.
func (s *Splunk) said() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.codes) == 0 {
		return 0
	}
	code := s.codes[0]
	s.codes = s.codes[1:]
	return code
}

// channel finds the channel at the indexer that the client's cookie names, or that is its turn.
func (s *Splunk) channel(w http.ResponseWriter, r *http.Request, name string) *splunkChannel {
	indexer := "0"
	if s.Indexers > 1 {
		if c, err := r.Cookie("indexer"); err == nil {
			indexer = c.Value
		} else {
			s.last = (s.last + 1) % s.Indexers
			indexer = strconv.Itoa(s.last)
			http.SetCookie(w, &http.Cookie{Name: "indexer", Value: indexer, Path: "/"})
		}
	}
	name = indexer + " " + strings.ToLower(name)
	if s.channels[name] == nil {
		s.channels[name] = &splunkChannel{due: map[int]time.Time{}}
	}
	return s.channels[name]
}

// number gives a request its number.
func (s *Splunk) number(w http.ResponseWriter, r *http.Request, name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(w, r, name)
	id := c.next
	c.next++
	c.due[id] = time.Now().Add(s.Delay)
	return id
}

// acks answers a question for acknowledgements. Each is given once.
func (s *Splunk) acks(w http.ResponseWriter, r *http.Request, body []byte) {
	t, code := s.token(r)
	channel := ""
	if code == 0 && !t.Acks {
		code = 14
	}
	if code == 0 {
		channel, code = channelName(r, true)
	}
	var question struct {
		Acks []int `json:"acks"`
	}
	if code == 0 && (json.Unmarshal(body, &question) != nil || question.Acks == nil) {
		code = 6
	}
	if code != 0 {
		s.answer(w, splunkReply{Code: code})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.asked = append(s.asked, now)
	c := s.channel(w, r, channel)
	answer := map[string]bool{}
	for _, id := range question.Acks {
		due, ok := c.due[id]
		answer[strconv.Itoa(id)] = ok && !now.Before(due)
		if ok && !now.Before(due) {
			delete(c.due, id)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"acks": answer})
}
