package target

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// bulkItem is what became of one document.
type bulkItem struct {
	Status       int             `json:"status"`
	Error        json.RawMessage `json:"error"`
	FailureStore string          `json:"failure_store"`
}

// bulkError is why. Of a request that had no handler it is a text.
type bulkError struct {
	Type     string `json:"type"`
	Reason   string `json:"reason"`
	CausedBy struct {
		Reason string `json:"reason"`
	} `json:"caused_by"`
}

func readBulkError(raw json.RawMessage) bulkError {
	e := bulkError{}
	if err := json.Unmarshal(raw, &e); err != nil && e == (bulkError{}) {
		e.Reason = string(raw)
	}
	return e
}

// String gives the error in a line.
func (e bulkError) String() string {
	words := slices.DeleteFunc([]string{e.Type, e.Reason, e.CausedBy.Reason}, func(s string) bool { return s == "" })
	return strings.Join(words, ": ")
}

// setting says whether the error is about the index, the pipeline or the cluster, and so holds for every
// document, although it comes with the status of a bad one.
func (e bulkError) setting() bool {
	switch e.Type {
	case "index_closed_exception", "index_not_found_exception", "invalid_index_name_exception", "security_exception",
		"validation_exception": // such as the cluster's limit of shards
		return true
	}
	return e.Type == "illegal_argument_exception" && slices.ContainsFunc([]string{
		// Only how a reason begins counts: further on it may quote the document, and so its sender.
		"only write ops with an op_type of create are allowed in data streams", "pipeline with id [", "no write index is defined for alias",
		"request [", // has a parameter that an old server doesn't know
	}, func(words string) bool { return strings.HasPrefix(e.Reason, words) })
}

// bulkClass is what to do about a document.
type bulkClass uint8

const (
	bulkAgain   bulkClass = iota // it was not taken, or nobody knows
	bulkTaken                    // now, or before
	bulkDead                     // it never will be
	bulkBlocked                  // somebody must mend something first
)

func (i *bulkItem) class(e bulkError) bulkClass {
	switch s := i.Status; {
	case s/100 == 2 && i.FailureStore == "used":
		return bulkDead // kept by the server, but where no search and no rule looks
	case s/100 == 2, s == http.StatusConflict && e.Type == "version_conflict_engine_exception":
		return bulkTaken
	case s == http.StatusConflict, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s/100 != 4:
		return bulkAgain
	case e.setting():
		return bulkBlocked
	case s == http.StatusBadRequest, s == http.StatusRequestEntityTooLarge, s == http.StatusUnprocessableEntity:
		return bulkDead
	}
	return bulkBlocked
}

// taken reads a reply to a request that was taken, if perhaps none of its documents.
func (e *Elastic) taken(items []item, a answer) ([]Result, error) {
	if len(a.body) >= maxReply && len(items) > 1 { // what has been taken is known again
		return nil, fmt.Errorf("the reply is too long: %w", errSplit)
	}
	var reply struct {
		Errors *bool `json:"errors"`
		Items  []struct {
			Create *bulkItem `json:"create"`
		} `json:"items"`
	}
	switch err := json.Unmarshal(a.body, &reply); {
	case err != nil:
		return nil, fmt.Errorf("the reply to a bulk request is none: %w: %s", err, a.hush(e.secrets))
	case reply.Errors == nil || len(reply.Items) != len(items):
		return nil, fmt.Errorf("the reply to a bulk request of %d documents speaks of %d: %s", len(items), len(reply.Items), a.hush(e.secrets))
	}
	results := make([]Result, len(items))
	var mend, again error
	var refused []error
	for i := range items {
		one := reply.Items[i].Create
		if one == nil {
			again = errors.New("the reply doesn't tell what became of a document")
			continue
		}
		why := readBulkError(one.Error)
		said := answer{status: one.Status, body: []byte(why.String())}.hush(e.secrets)
		switch one.class(why) {
		case bulkTaken:
			results[i] = Delivered
		case bulkDead:
			results[i] = Rejected
			if one.FailureStore == "used" {
				said.body = []byte("the server put it in its failure store, as it fits neither the pipeline nor the mapping")
			}
			refused = append(refused, refusal(items[i], "%s", said))
		case bulkBlocked:
			mend = blocked(fmt.Errorf("a document is refused: %s", said))
		case bulkAgain:
			again = fmt.Errorf("a document is not taken: %s", said)
		}
	}
	return results, errors.Join(append([]error{mend, again}, refused...)...)
}

// refused classes a reply to a request that was not taken.
func (e *Elastic) refused(a answer) error {
	said := a.hush(e.secrets)
	switch s := a.status; {
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s/100 == 5:
		return said.later("bulk request")
	case s == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %s", errSplit, said)
	case s == http.StatusBadRequest:
		var reply struct {
			Error json.RawMessage `json:"error"`
		}
		_ = json.Unmarshal(a.body, &reply) // a proxy answers in HTML: then there is no type
		if why := readBulkError(reply.Error); why.Type != "" && !why.setting() {
			return fmt.Errorf("%w: %s", errSplit, said)
		}
	}
	return blocked(fmt.Errorf("bulk request: %s", said))
}
