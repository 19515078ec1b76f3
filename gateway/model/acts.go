package model

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Act is what an operator does. Each is recorded as an entry of the stream whose verb and arguments it is.
type Act interface{ verb() string }

// The acts. Those on alerts name each one: which alerts a filter fits is found out before the act is recorded, so
// that folding it again gives the same.
type (
	// Close says that alerts are closed in a service; by the closure rule they may then be closed in others too.
	Close struct {
		Alerts  []string        `json:"alerts"`
		In      formats.Service `json:"in"`             // the service; empty for the one that each is managed in
		Why     string          `json:"classification"` // true_positive, benign, false_positive
		Comment string          `json:"comment,omitempty"`
	}
	// Reopen says that alerts are open again in a service.
	Reopen struct {
		Alerts  []string        `json:"alerts"`
		In      formats.Service `json:"in"`
		Comment string          `json:"comment,omitempty"`
	}
	// Assign gives alerts to somebody; to nobody where To is empty. Where Seen isn't nil it says who had each of them, as far as
	// anybody had, when whoever does it looked; it decides whether the act is recorded, and isn't part of it.
	Assign struct {
		Alerts []string          `json:"alerts"`
		To     string            `json:"to"`
		Seen   map[string]string `json:"-"`
	}
	// Write adds a comment to alerts.
	Write struct {
		Alerts []string `json:"alerts"`
		Text   string   `json:"text"`
	}
	// Mark marks alerts read or unread.
	Mark struct {
		Alerts []string `json:"alerts"`
		Read   bool     `json:"read"`
	}
	// Undo takes an act on alerts back, on each alert that nothing has changed since.
	Undo struct {
		Act string `json:"act"` // its ID
	}
	// Tag sets the tags of a user.
	Tag struct {
		User string   `json:"user"`
		Tags []string `json:"tags"`
	}
	// Join makes two users one, for good.
	Join struct {
		User string `json:"user"` // stays
		With string `json:"with"` // becomes part of it
	}
	// Split gives spellings of a user to a user of their own, for good.
	Split struct {
		User      string   `json:"user"`
		Spellings []string `json:"spellings"`
	}
	// ResetScore begins a user's investigation priority anew: what happened so far counts no more.
	ResetScore struct {
		User string `json:"user"`
		Why  string `json:"why"`
	}
	// SaveQuery keeps a query; DropQuery forgets it.
	SaveQuery struct {
		Query SavedQuery `json:"query"`
	}
	// DropQuery forgets a saved query.
	DropQuery struct {
		ID     string `json:"id"`
		Shared bool   `json:"shared,omitempty"` // another's too, if it is shared: who keeps order for all may
	}
	// SavePolicy keeps an activity policy.
	SavePolicy struct {
		Policy ActivityPolicy `json:"policy"`
	}
	// DropPolicy forgets an activity policy.
	DropPolicy struct {
		ID string `json:"id"`
	}
)

func (Close) verb() string      { return "close" }
func (Reopen) verb() string     { return "reopen" }
func (Assign) verb() string     { return "assign" }
func (Write) verb() string      { return "comment" }
func (Mark) verb() string       { return "mark" }
func (Undo) verb() string       { return "undo" }
func (Tag) verb() string        { return "tag" }
func (Join) verb() string       { return "join" }
func (Split) verb() string      { return "split" }
func (ResetScore) verb() string { return "reset_score" }
func (SaveQuery) verb() string  { return "save_query" }
func (DropQuery) verb() string  { return "drop_query" }
func (SavePolicy) verb() string { return "save_policy" }
func (DropPolicy) verb() string { return "drop_policy" }

// Record is the act as the stream has it, by whoever it is.
func Record(by string, a Act) (stream.Act, error) {
	args, err := Args(a)
	if err != nil {
		return stream.Act{}, fmt.Errorf("record %s: %w", a.verb(), err)
	}
	return stream.Act{By: by, Verb: a.verb(), Args: args}, nil
}

// Args is what an act is about as JSON. Its text stands as it was written, < and > too: the audit log shows it and is searched.
func Args(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// read is the act that the stream has; nil for a verb that this program doesn't know.
func read(a *stream.Act) (Act, error) {
	switch a.Verb {
	case "close":
		return readAs[Close](a)
	case "reopen":
		return readAs[Reopen](a)
	case "assign":
		return readAs[Assign](a)
	case "comment":
		return readAs[Write](a)
	case "mark":
		return readAs[Mark](a)
	case "undo":
		return readAs[Undo](a)
	case "tag":
		return readAs[Tag](a)
	case "join":
		return readAs[Join](a)
	case "split":
		return readAs[Split](a)
	case "reset_score":
		return readAs[ResetScore](a)
	case "save_query":
		return readAs[SaveQuery](a)
	case "drop_query":
		return readAs[DropQuery](a)
	case "save_policy":
		return readAs[SavePolicy](a)
	case "drop_policy":
		return readAs[DropPolicy](a)
	case "log_in", "log_in_failed", "log_out", "denied", "export", "create_token", "revoke_token", "forward_after_all",
		"retry_dead_letter", "drop_dead_letter", "test_target":
		return Noted{What: a.Verb}, nil
	}
	return nil, nil
}

func readAs[T Act](a *stream.Act) (Act, error) {
	var out T
	if err := json.Unmarshal(a.Args, &out); err != nil {
		return nil, fmt.Errorf("read %s: %w", a.Verb, err)
	}
	return out, nil
}
