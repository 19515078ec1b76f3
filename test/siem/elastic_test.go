package siem

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestElasticRefusesWhatTheRealOneRefuses(t *testing.T) {
	const good = `{"create":{"_id":"a"}}` + "\n" + `{"@timestamp":"2031-05-06T07:08:08Z"}` + "\n"
	tests := []struct {
		name, path, content, login, body string
		status                           int
		words                            string
	}{
		{"good", "/logs/_bulk", "application/x-ndjson", "ApiKey k", good, 200, `"status":201`},
		{"again", "/logs/_bulk", "application/json; charset=utf-8", "ApiKey k", good, 200, "version_conflict_engine_exception"},
		{"filtered", "/logs/_bulk?filter_path=errors,items.*.status", "application/json", "ApiKey k", good, 200, `{"errors":true,"items":[{"create":{"status":409}}]}`},
		{"no login", "/logs/_bulk", "application/x-ndjson", "", good, 401, "security_exception"},
		{"no handler", "/a/b/_bulk", "application/x-ndjson", "ApiKey k", good, 400, `"error":"no handler`},
		{"no content type", "/logs/_bulk", "text/plain", "ApiKey k", good, 406, "not supported"},
		{"no final newline", "/logs/_bulk", "application/x-ndjson", "ApiKey k", strings.TrimSpace(good), 400, "must be terminated by a newline"},
		{"no body", "/logs/_bulk", "application/x-ndjson", "ApiKey k", "", 400, "body is required"},
		{"no action", "/logs/_bulk", "application/x-ndjson", "ApiKey k", "[]\n{}\n", 400, "Malformed action/metadata line [1]"},
		{"no document", "/logs/_bulk", "application/x-ndjson", "ApiKey k", `{"create":{}}` + "\n", 400, "Malformed"},
		{"a pretty document", "/logs/_bulk", "application/x-ndjson", "ApiKey k", `{"create":{}}` + "\n{\n}\n", 400, "Malformed"},
		{"index", "/logs/_bulk", "application/x-ndjson", "ApiKey k", strings.Replace(good, "create", "index", 1), 200, "only write ops with an op_type of create"},
		{"another index", "/other/_bulk", "application/x-ndjson", "ApiKey k", good, 200, "index_not_found_exception"},
		{"no time", "/logs/_bulk", "application/x-ndjson", "ApiKey k", `{"create":{"_id":"b"}}` + "\n{}\n", 200, "[@timestamp] is missing"},
		{"no date", "/logs/_bulk", "application/x-ndjson", "ApiKey k", `{"create":{"_id":"b"}}` + "\n" + `{"@timestamp":"now"}` + "\n", 200, "of type [date]"},
		{"a field twice", "/logs/_bulk", "application/x-ndjson", "ApiKey k", `{"create":{"_id":"b"}}` + "\n" + `{"@timestamp":"2031-05-06T07:08:08Z","x":[{"a":"a"},{"a":1,"a":2}]}` + "\n", 200, "Duplicate field 'a'"},
		{"no JSON", "/logs/_bulk", "application/x-ndjson", "ApiKey k", `{"create":{"_id":"b"}}` + "\nCEF:0|\n", 200, "document_parsing_exception"},
	}
	s := &Elastic{Index: "logs", DataStream: true, APIKey: "k"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, tt.path, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.content)
			r.Header.Set("Authorization", tt.login)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.words) {
				t.Errorf("%d %s, want %d with %q", w.Code, w.Body, tt.status, tt.words)
			}
			if w.Header().Get("X-Elastic-Product") != "Elasticsearch" {
				t.Error("no product header")
			}
		})
	}
	if got := s.Keys(); len(got) != 1 {
		t.Errorf("taken: %v", got)
	}
}
