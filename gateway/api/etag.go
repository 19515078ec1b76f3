package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/model"
)

// tagged is an answer with an entity tag.
type tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// Reread is the part of the input of who may have read the document before.
type Reread struct {
	IfNoneMatch string `header:"If-None-Match" doc:"Entity tags; with that of the document the answer is 304, without the document."`
}

// rereadable describes what answers so.
func rereadable(o huma.Operation) huma.Operation {
	o.Responses = map[string]*huma.Response{"304": {Description: http.StatusText(http.StatusNotModified)}}
	return o
}

// unlessRead answers with v, unless it was read before.
func unlessRead[T any](in Reread, etag string, v T) (*tagged[T], error) {
	if lists(in.IfNoneMatch, etag, true) {
		return nil, huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"ETag": {etag}})
	}
	return &tagged[T]{etag, v}, nil
}

// lists says whether If-Match or If-None-Match has an entity tag, or * for whatever is there (RFC 9110, section 13.1).
// Weak tags are of documents that are alike, which is enough for If-None-Match alone.
func lists(header, etag string, weakly bool) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for {
		before, rest, _ := strings.Cut(header, `"`)
		opaque, after, whole := strings.Cut(rest, `"`)
		switch {
		case !whole:
			return false
		case `"`+opaque+`"` == etag && (weakly || !strings.HasSuffix(before, "W/")):
			return true
		}
		header = after
	}
}

// matches says whether the document with that entity tag may be changed.
func matches(ifMatch, etag string) error {
	if !lists(ifMatch, etag, false) {
		return huma.Error412PreconditionFailed("it was changed meanwhile: the entity tag is " + etag + ", not " + ifMatch)
	}
	return nil
}

// edits describes what is done to a document as it was read alone: whoever asks has to say which that was (RFC 6585, section 3).
func edits(api huma.API, o huma.Operation) huma.Operation {
	o.Errors = append(o.Errors, http.StatusPreconditionRequired)
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		if ctx.Header("If-Match") == "" {
			_ = huma.WriteErr(api, ctx, http.StatusPreconditionRequired, "If-Match is missing: expected the entity tag with which it was read, several or *") // who asked may be gone
			return
		}
		next(ctx)
	})
	return o
}

// revisionTag is the entity tag of what changes with its revision alone.
func revisionTag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// digestTag is the entity tag of what also shows something that has no revision, such as whose name it is.
func digestTag(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is answered as JSON, too
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// userTag is the entity tag of who somebody is: names, tags and what the directory says. What is seen of them from one
// moment to the next is nothing that who edits them could miss.
func userTag(u model.User) string {
	u.First, u.Last, u.Alerts, u.Activities, u.Peers, u.Score, u.Bounded, u.Percentile = time.Time{}, time.Time{}, 0, 0, 0, 0, 0, 0
	u.Names = slices.Clone(u.Names)
	for i := range u.Names {
		u.Names[i] = model.Name{Spelling: u.Names[i].Spelling, Why: u.Names[i].Why}
	}
	return digestTag(u)
}
