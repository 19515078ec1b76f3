package siem

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Elastic is an Elasticsearch or an OpenSearch with one data stream or index, of whose APIs it has the bulk
// API. It remembers the documents of each backing index by _id. What is configured may not change while it
// serves.
type Elastic struct {
	Record

	Index        string
	DataStream   bool // Index is one: every document is created, and has a @timestamp
	OpenSearch   bool // errors as OpenSearch names them, and no product header
	FailureStore bool // of the data stream: a document that doesn't fit goes there, with success
	APIKey       string
	Username     string
	Password     string
	Limit        int // http.max_content_length; 100 MB where 0

	// Unfit says why a document doesn't fit the mapping; nothing for one that does. Nil is a mapping that
	// takes everything. What has Poison in it never fits.
	Unfit func(source map[string]json.RawMessage) string

	lock    sync.Mutex // guards what follows
	backing []map[string]bool
	failed  [][]byte
	items   []ElasticItem
	answers []HTTPAnswer
}

// ElasticItem is what the server says of one document instead of taking it. Its zero value is nothing.
type ElasticItem struct {
	Status       int
	Type, Reason string
}

// Rollover begins a new backing index, which knows none of the earlier documents.
func (s *Elastic) Rollover() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.backing = append(s.backing, map[string]bool{})
}

// Items sets what is said of the documents that come next and would be taken, one each.
func (s *Elastic) Items(items ...ElasticItem) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.items = append(s.items, items...)
}

// Answer sets what is said to the requests that come next, one each.
func (s *Elastic) Answer(answers ...HTTPAnswer) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.answers = append(s.answers, answers...)
}

// Failures lists what is in the failure store.
func (s *Elastic) Failures() [][]byte {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.failed
}

func (s *Elastic) next() (HTTPAnswer, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.answers) == 0 {
		return HTTPAnswer{}, false
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a, true
}

// elasticFailure is a request that failed as a whole.
type elasticFailure struct {
	status       int
	kind, reason string
}

// ServeHTTP implements http.Handler.
func (s *Elastic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said, ok := s.next()
	if ok && said.Early {
		breakOff(w)
		return
	}
	body, readErr := io.ReadAll(r.Body)
	switch fault := s.Fault(); {
	case ok && said.Take:
		s.serve(discarded{http.Header{}}, r, body, readErr)
		said.write(w, r)
	case ok:
		said.write(w, r)
	case fault == Refuse:
		s.fail(w, &elasticFailure{503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"})
	case fault == Throttle:
		w.Header().Set("Retry-After", "1")
		s.fail(w, &elasticFailure{429, "es_rejected_execution_exception", "rejected execution of coordinating operation"})
	case fault == Reset:
		breakOff(w)
	case fault == Lie:
		s.serve(discarded{http.Header{}}, r, body, readErr)
		breakOff(w)
	case fault == Stall:
		<-r.Context().Done()
	default:
		s.serve(w, r, body, readErr)
	}
}

func (s *Elastic) fail(w http.ResponseWriter, f *elasticFailure) {
	cause := map[string]any{"type": f.kind, "reason": f.reason}
	s.reply(w, f.status, map[string]any{
		"error": map[string]any{"root_cause": []any{cause}, "type": f.kind, "reason": f.reason}, "status": f.status,
	})
}

func (s *Elastic) reply(w http.ResponseWriter, status int, body any) {
	if !s.OpenSearch {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *Elastic) serve(w http.ResponseWriter, r *http.Request, body []byte, readErr error) {
	index, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/_bulk")
	content, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case readErr != nil:
		s.fail(w, &elasticFailure{400, "illegal_argument_exception", "the body broke off"})
	case !s.allowed(r.Header.Get("Authorization")):
		w.Header().Set("WWW-Authenticate", `ApiKey`)
		s.fail(w, &elasticFailure{401, "security_exception", "missing or wrong authentication credentials for REST request"})
	case !ok || strings.Contains(index, "/"): // the error is a text here
		s.reply(w, 400, map[string]any{"error": "no handler found for uri [" + r.URL.Path + "] and method [" + r.Method + "]", "status": 400})
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		s.reply(w, 405, map[string]any{"error": "Incorrect HTTP method for uri [" + r.URL.Path + "]", "status": 405})
	case content != "application/x-ndjson" && content != "application/json":
		s.reply(w, 406, map[string]any{"error": "Content-Type header [" + content + "] is not supported", "status": 406})
	default:
		s.bulk(w, r, index, body)
	}
}

func (s *Elastic) allowed(authorization string) bool {
	switch {
	case s.APIKey != "":
		return authorization == "ApiKey "+s.APIKey
	case s.Username != "":
		return authorization == "Basic "+base64.StdEncoding.EncodeToString([]byte(s.Username+":"+s.Password))
	}
	return true
}

func (s *Elastic) bulk(w http.ResponseWriter, r *http.Request, index string, body []byte) {
	limit := s.Limit
	if limit == 0 {
		limit = 100 << 20
	}
	body, err := decoded(r.Header.Get("Content-Encoding"), body, limit)
	if errors.Is(err, errLong) {
		s.fail(w, &elasticFailure{413, "content_too_long_exception", "entity content is too long"})
		return
	}
	if err != nil {
		s.fail(w, &elasticFailure{400, "illegal_argument_exception", err.Error()})
		return
	}
	actions, failure := readBulk(body)
	if failure != nil {
		s.fail(w, failure)
		return
	}
	reply := struct {
		Took   int              `json:"took"`
		Errors bool             `json:"errors"`
		Items  []map[string]any `json:"items"`
	}{Took: 3}
	for _, a := range actions {
		item := s.do(index, a)
		reply.Errors = reply.Errors || item["error"] != nil
		reply.Items = append(reply.Items, map[string]any{a.op: item})
	}
	paths := r.URL.Query().Get("filter_path")
	if paths == "" {
		s.reply(w, 200, reply)
		return
	}
	var whole any
	b, _ := json.Marshal(reply)
	_ = json.Unmarshal(b, &whole)
	var split [][]string
	for p := range strings.SplitSeq(paths, ",") {
		split = append(split, strings.Split(p, "."))
	}
	kept, _ := filtered(whole, split)
	s.reply(w, 200, kept)
}

var errLong = errors.New("too long")

// decoded undoes the content encoding, up to a limit.
func decoded(encoding string, body []byte, limit int) ([]byte, error) {
	switch encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(io.LimitReader(z, int64(limit)+1)); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("no such content encoding: " + encoding)
	}
	if len(body) > limit {
		return nil, errLong
	}
	return body, nil
}
