package target

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// hecReply is what a collector says, by Splunk's "Troubleshoot HTTP Event Collector". A number is -1 where
// it says none, or one that isn't whole.
type hecReply struct {
	code  int
	event int // that it stopped at
	ack   int // to be asked for
}

func readHECReply(body []byte) hecReply {
	var raw struct {
		Code  json.RawMessage `json:"code"`
		Event json.RawMessage `json:"invalid-event-number"`
		Ack   json.RawMessage `json:"ackId"`
	}
	if json.Unmarshal(body, &raw) != nil {
		return hecReply{-1, -1, -1}
	}
	number := func(b json.RawMessage) int {
		n, err := strconv.ParseUint(string(bytes.Trim(b, `"`)), 10, strconv.IntSize-1)
		if err != nil {
			return -1
		}
		return int(n)
	}
	return hecReply{number(raw.Code), number(raw.Event), number(raw.Ack)}
}

// hecClass is what an answer means for a request.
type hecClass uint8

const (
	hecRetry   hecClass = iota // nothing is known to be taken; it may be sent again
	hecTaken                   // the collector has all of it
	hecStopped                 // one event is refused for good; those before it are taken, those behind it are not
	hecSplit                   // it is too large
	hecBlocked                 // somebody must mend something
)

// class judges an answer by its code, and by its HTTP status where it has no code that is known: a proxy
// answers with pages of its own. Neither alone makes an event delivered or refused where the other says
// something else: a status of success without Splunk's code for it may be anybody's, such as a login.
func (r hecReply) class(status int) hecClass {
	byStatus := hecBlocked
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return hecSplit
	case status/100 == 5, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		byStatus = hecRetry
	}
	switch r.code {
	case 0, 24, 25: // success; it is nearly full
		if status == http.StatusOK {
			return hecTaken
		}
	case 8, 9, 18, 19, 20, 23, 26, 27: // busy, full, or shutting down
		return hecRetry
	case 6, 12, 13, 15: // the format, no event, an empty event, the fields
		if status == http.StatusBadRequest {
			return hecStopped
		}
	case 1, 2, 3, 4, 16, 21, 22, // the token
		7,      // the index, which is the same for all events
		10, 11, // the channel
		14, // no acknowledgements, which an event doesn't ask for
		5,  // no data: somebody on the way has taken it out, as no request is empty
		17: // healthy: that is no answer to events
		return hecBlocked
	}
	return byStatus
}
