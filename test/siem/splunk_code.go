package siem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// splunkStatus is the HTTP status and the text of a code.
func splunkStatus(code int) (int, string) {
	switch code {
	case 0:
		return 200, "Success"
	case 1:
		return 403, "Token disabled"
	case 2:
		return 401, "Token is required"
	case 3:
		return 401, "Invalid authorization"
	case 4:
		return 403, "Invalid token"
	case 5:
		return 400, "No data"
	case 6:
		return 400, "Invalid data format"
	case 7:
		return 400, "Incorrect index"
	case 8:
		return 500, "Internal server error"
	case 9:
		return 503, "Server is busy"
	case 10:
		return 400, "Data channel is missing"
	case 11:
		return 400, "Invalid data channel"
	case 12:
		return 400, "Event field is required"
	case 13:
		return 400, "Event field cannot be blank"
	case 14:
		return 400, "ACK is disabled"
	case 15:
		return 400, "Error in handling indexed fields"
	case 16:
		return 400, "Query string authorization is not enabled"
	case 17:
		return 200, "HEC is healthy"
	case 18:
		return 503, "HEC is unhealthy, queues are full"
	case 19:
		return 503, "HEC is unhealthy, ack service unavailable"
	case 20:
		return 503, "HEC is unhealthy, queues are full, ack service unavailable"
	case 21:
		return 400, "Invalid token"
	case 22:
		return 400, "Token disabled"
	case 23:
		return 503, "Server is shutting down"
	case 24:
		return 200, "HEC queue is approaching its capacity limit"
	case 25:
		return 200, "HEC ACK is approaching its capacity limit"
	case 26:
		return 429, "HEC queue is at capacity and cannot process any more requests"
	case 27:
		return 429, "HEC ACK channel is at capacity and cannot process any more requests"
	}
	return 500, "code " + strconv.Itoa(code)
}

// splunkReply is what a collector answers with.
type splunkReply struct {
	Text  string `json:"text"`
	Code  int    `json:"code"`
	Event *int   `json:"invalid-event-number,omitempty"`
	Ack   *int   `json:"ackId,omitempty"`
}

func (s *Splunk) answer(w http.ResponseWriter, r splunkReply) {
	status, text := splunkStatus(r.Code)
	r.Text = text
	if s.Nameless {
		r.Event = nil
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(r)
}
