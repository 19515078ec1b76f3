package siem

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Sentinel is the Logs Ingestion API of Azure Monitor with one data collection rule, beside what issues
// tokens for it, an [Entra]. It is an [http.Handler]: the endpoint, the authority and the metadata services
// of machines are at its one address. Its [Record] holds what was accepted; the rows are seen later.
type Sentinel struct {
	Record
	Entra

	Rule    string   // immutable ID
	Streams []string // that the rule declares
	Columns []string // that the streams declare; others are dropped without a word. All are declared where nil
	Key     string   // the column with the event key; EventKey where empty

	rows    sync.Mutex // guards what follows
	denied  bool
	hidden  []SentinelRow
	table   []SentinelRow
	replies []SentinelReply
}

// SentinelRow is one of the table.
type SentinelRow map[string]any

// SentinelReply is what a service says instead of what it would.
type SentinelReply struct {
	Status int
	Header map[string]string
	Body   string
}

func (r SentinelReply) write(w http.ResponseWriter) {
	for k, v := range r.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(r.Status)
	_, _ = io.WriteString(w, r.Body)
}

// Limits of the service (https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits).
const (
	sentinelCall  = 1 << 20  // bytes of a call, compressed and uncompressed
	sentinelValue = 64 << 10 // bytes of a field, of which the rest is cut off
)

// NewSentinel makes a service with an application that may upload, and a clock that its tokens expire by.
func NewSentinel(now func() time.Time) *Sentinel {
	return &Sentinel{
		Rule: "dcr-0123456789abcdef0123456789abcdef", Streams: []string{"Custom-Sluice_CL", "Microsoft-CommonSecurityLog"},
		Entra: Entra{
			Tenant: "7d1b3c52-8a40-4c7e-9b1f-2f6f0a3f1c11", ClientID: "3e0f4a6e-51a7-4f0e-8a84-6d2b5a1d9c22", ClientSecret: "Zq8~hush.hush-hush_hush",
			Audience: "https://monitor.azure.com", now: now,
		},
	}
}

// Deny takes the application's role on the rule away, or gives it back.
func (s *Sentinel) Deny(denied bool) {
	s.rows.Lock()
	defer s.rows.Unlock()
	s.denied = denied
}

// Answer sets what is said to the next uploads, which are not taken.
func (s *Sentinel) Answer(replies ...SentinelReply) {
	s.rows.Lock()
	defer s.rows.Unlock()
	s.replies = append(s.replies, replies...)
}

// Appear makes seen in the table what was accepted until now.
func (s *Sentinel) Appear() {
	s.rows.Lock()
	defer s.rows.Unlock()
	s.table, s.hidden = append(s.table, s.hidden...), nil
}

// Table lists the rows that are seen.
func (s *Sentinel) Table() []SentinelRow {
	s.rows.Lock()
	defer s.rows.Unlock()
	return slices.Clone(s.table)
}

// ServeHTTP implements [http.Handler].
func (s *Sentinel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/dataCollectionRules/") {
		s.serveTokens(w, r)
		return
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.rows.Lock()
	var reply SentinelReply
	if len(s.replies) > 0 {
		reply, s.replies = s.replies[0], s.replies[1:]
	}
	s.rows.Unlock()
	if reply.Status != 0 {
		reply.write(w)
		return
	}
	fault := s.Fault()
	switch fault {
	case Refuse:
		azureError(w, http.StatusServiceUnavailable, "ServiceUnavailable", "The service is temporarily unavailable.")
		return
	case Throttle:
		w.Header().Set("Retry-After", "1")
		azureError(w, http.StatusTooManyRequests, "TooManyRequests", "The request rate limit of the data collection rule is exceeded.")
		return
	case Reset:
		panic(http.ErrAbortHandler)
	case Stall:
		<-r.Context().Done()
		return
	case None, Lie:
	}
	if !s.upload(w, r, sent) {
		return
	}
	if fault == Lie {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

// upload takes what was sent, or says why not.
func (s *Sentinel) upload(w http.ResponseWriter, r *http.Request, sent []byte) bool {
	if code, why := s.checkToken(r.Header.Get("Authorization")); code != "" {
		azureError(w, http.StatusUnauthorized, code, why)
		return false
	}
	if !s.route(w, r) {
		return false
	}
	body := sent
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(sent))
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(z, 64<<20))
		}
		if err != nil {
			azureError(w, http.StatusBadRequest, "InvalidPayload", "The request body can't be decompressed.")
			return false
		}
	}
	if n := max(len(sent), len(body)); n > sentinelCall {
		azureError(w, http.StatusRequestEntityTooLarge, "ContentLengthLimitExceeded",
			fmt.Sprintf("Maximum allowed content length: %d bytes (1 MB). Provided content length: %d bytes.", sentinelCall, n))
		return false
	}
	if len(body) == 0 { // seen with the real service
		w.WriteHeader(http.StatusInternalServerError)
		return false
	}
	return s.take(w, body)
}

// route looks at everything but the body.
func (s *Sentinel) route(w http.ResponseWriter, r *http.Request) bool {
	rule, stream, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/dataCollectionRules/"), "/streams/")
	s.rows.Lock()
	denied := s.denied
	s.rows.Unlock()
	switch {
	case r.Method != http.MethodPost || !found:
		azureError(w, http.StatusNotFound, "ResourceNotFound", "The resource can't be found.")
	case !slices.Contains([]string{"2021-11-01-preview", "2023-01-01"}, r.URL.Query().Get("api-version")):
		azureError(w, http.StatusBadRequest, "InvalidApiVersion", "The api-version is missing or not supported.")
	case rule != s.Rule:
		azureError(w, http.StatusNotFound, "NotFound", "Data collection rule with immutable Id '"+rule+"' not found.")
	case denied:
		azureError(w, http.StatusForbidden, "OperationFailed", "The authentication token provided does not have access to ingest data "+
			"for the data collection rule with immutable Id '"+rule+"'.")
	case !slices.Contains(s.Streams, stream):
		azureError(w, http.StatusBadRequest, "InvalidStream", "The stream '"+stream+"' was not found in the data collection rule.")
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		azureError(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The content type must be application/json.")
	default:
		return true
	}
	return false
}

// take accepts an array of objects, all or none.
func (s *Sentinel) take(w http.ResponseWriter, body []byte) bool {
	var events []json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &events) != nil {
		azureError(w, http.StatusBadRequest, "InvalidPayload", "The request body must be a JSON array of objects in UTF-8.")
		return false
	}
	rows := make([]SentinelRow, len(events))
	for i, e := range events {
		if json.Unmarshal(e, &rows[i]) != nil || rows[i] == nil || bytes.Contains(e, []byte(Poison)) {
			azureError(w, http.StatusBadRequest, "InvalidPayload", "An element of the request body is not an object that the stream takes.")
			return false
		}
	}
	s.rows.Lock()
	defer s.rows.Unlock()
	for i, e := range events {
		key, _ := rows[i][s.keyColumn()].(string)
		s.Take(Event{Key: key, Body: e})
		s.hidden = append(s.hidden, s.row(rows[i]))
	}
	return true
}

func (s *Sentinel) keyColumn() string {
	if s.Key == "" {
		return "EventKey"
	}
	return s.Key
}

// row is what becomes of an event: a column for each of its keys that is declared, cut where it is too long,
// and a time of which the table can be sure.
func (s *Sentinel) row(event SentinelRow) SentinelRow {
	out := SentinelRow{}
	for k, v := range event {
		if s.Columns != nil && !slices.Contains(s.Columns, k) {
			continue
		}
		text, isText := v.(string)
		if !isText {
			if b, err := json.Marshal(v); err == nil && len(b) > sentinelValue {
				text, isText = string(b), true
			}
		}
		if isText {
			v = strings.ToValidUTF8(text[:min(len(text), sentinelValue)], "")
		}
		out[k] = v
	}
	now := s.now()
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(event["TimeGenerated"]))
	if err != nil || at.Before(now.Add(-48*time.Hour)) || at.After(now) {
		out["TimeGenerated"] = now.UTC().Format(time.RFC3339Nano)
	}
	return out
}

// azureError answers with an error as Azure's services write it.
func azureError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Ms-Error-Code", code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message}})
}
