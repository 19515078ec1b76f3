// Package problem writes problem documents (RFC 9457): what is wrong with a request, for people and programs.
package problem

import (
	"encoding/json"
	"net/http"
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
