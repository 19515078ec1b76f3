package portal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// done is what the API says of an act.
type done struct {
	Act     string `json:"act"`
	Alerts  *int   `json:"alerts"`
	CanUndo bool   `json:"can_undo"`
	did     string // the word by which the notice tells of it
	to      string // the address to go to; the page's own where empty
	told    string // what is told on the page at once, and not in its address: a secret, or another's words
}

// back is the address of the page that tells of it.
func (d *done) back(from *url.URL) string {
	u := *from
	if to, err := url.Parse(d.to); err == nil && d.to != "" {
		u = *to
	}
	q := u.Query()
	q.Set("did", d.did)
	q.Del("acted")
	q.Del("on")
	if d.CanUndo {
		q.Set("acted", d.Act)
	}
	if d.Alerts != nil {
		q.Set("on", strconv.Itoa(*d.Alerts))
	}
	u.RawQuery = q.Encode()
	return u.RequestURI()
}

// notice tells what came of an act. It stands in the URL, so that it is there after a reload, with the way to undo.
type notice struct {
	Text string
	Act  string // to undo; empty where that can't be
}

// noticeOf reads it. Its words are ours: an address that somebody sends along says nothing of its own.
func noticeOf(q url.Values) *notice {
	words := map[string]struct {
		one, many string
		undo      bool
	}{
		"close": {"Closed the alert.", "Closed %d alerts.", true}, "reopen": {"Opened the alert again.", "Opened %d alerts again.", true},
		"assign": {"Assigned the alert.", "Assigned %d alerts.", true}, "comment": {"Wrote the comment.", "Wrote the comment on %d alerts.", true},
		"mark": {"Marked the alert.", "Marked %d alerts.", true}, "undo": {"Took it back.", "Took it back on %d alerts.", false},
		"reset":   {"The score begins anew: what happened so far counts no more.", "", false},
		"forward": {"Forwarded it after all. It is an alert of its own from now on.", "", false},
		"join":    {"The two are one user from now on.", "", false}, "split": {"The names are a user of their own from now on.", "", false},
		"save": {"Saved.", "", false}, "drop": {"Removed.", "", false},
		"retry": {"The target has it now.", "", false}, "give_up": {"Given up: the target will never get it.", "", false},
	}
	w, ok := words[q.Get("did")]
	if !ok {
		return nil
	}
	n := &notice{Text: w.one}
	switch on, err := strconv.Atoi(q.Get("on")); {
	case err == nil && on == 0:
		n.Text = "Nothing has changed: it was so already."
	case err == nil && on > 1 && w.many != "":
		n.Text = fmt.Sprintf(w.many, on)
	}
	if w.undo {
		n.Act = q.Get("acted")
	}
	return n
}

// refusal is what the API refused, in its words.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// recorded is the API's answer.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recorded) Header() http.Header { return a.header }

func (a *recorded) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *recorded) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// ask sends the API what a program would send, as the visitor, and reads the answer into out.
func (v *visit) ask(method, path string, in, out any, headers ...string) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(v.r.Context(), method, "/api/v1"+path, &body)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a := &recorded{header: http.Header{}}
	v.API.ServeHTTP(a, r)
	if a.status >= http.StatusBadRequest {
		var problem struct {
			Title, Detail string
			Errors        []struct{ Message, Location string }
		}
		_ = json.Unmarshal(a.body.Bytes(), &problem) // without words the status must do
		if a.status == http.StatusPreconditionFailed {
			problem.Detail = "Somebody has changed it meanwhile: open the page anew to see how, and do it again."
		}
		text := []string{cmp.Or(problem.Detail, problem.Title, http.StatusText(a.status))}
		for _, e := range problem.Errors {
			if !strings.Contains(text[0], e.Message) {
				text = append(text, e.Location+": "+e.Message)
			}
		}
		return &refusal{a.status, strings.Join(text, "; ")}
	}
	if out == nil || a.body.Len() == 0 {
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// post asks for an act, and says it was done.
func (v *visit) post(did, path string, in any) (*done, error) {
	d := &done{did: did}
	err := v.ask(http.MethodPost, path, in, d)
	return d, err
}

// wrong is a form that the pages don't make.
func wrong(format string, args ...any) error {
	return &refusal{http.StatusUnprocessableEntity, fmt.Sprintf(format, args...)}
}
