// Package problem writes problem documents (RFC 9457): what is wrong with a request, for people and programs.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Document is a problem that its HTTP status names. Whoever has more to say embeds it.
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// New is a problem of that status; detail says what is wrong and what was expected.
func New(status int, detail string) Document {
	return Document{"about:blank", http.StatusText(status), status, detail}
}

// Write answers with the document, which is a [Document] or embeds one.
func Write(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // who asked may be gone
}

// Unserved says why a request came to the pattern of mux that takes what no other one does: nothing is there, or it is there
// by other methods, which the answer's Allow then names (RFC 9110, section 15.5.6).
func Unserved(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) (status int, detail string) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); strings.Contains(pattern, " ") { // it names a method
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return http.StatusNotFound, "there is nothing at " + r.URL.Path
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return http.StatusMethodNotAllowed, fmt.Sprintf("found the method %.20s for %s, expected %s", r.Method, r.URL.Path, strings.Join(allowed, " or "))
}
