package siem

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// index takes one event after the other. The reply is that of the first that is refused.
func (s *Splunk) index(t SplunkToken, body []byte) splunkReply {
	stream := json.NewDecoder(strings.NewReader(string(body)))
	for i := 0; ; i++ {
		var raw json.RawMessage
		err := stream.Decode(&raw)
		code, key := 0, ""
		switch {
		case errors.Is(err, io.EOF) && i == 0:
			return splunkReply{Code: 5}
		case errors.Is(err, io.EOF):
			return splunkReply{}
		case err != nil:
			code = 6
		default:
			code, key = s.judge(t, raw)
		}
		number := i + s.Numbers
		switch code {
		case 0:
			s.Take(Event{Key: key, Body: raw})
			continue
		case unknownKey: // a current server says nothing, and drops this one and all behind it
			if i == 0 {
				return splunkReply{Code: 5}
			}
			return splunkReply{}
		case 7: // for which a current server counts from one
			number = i + 1
		}
		return splunkReply{Code: code, Event: &number}
	}
}

// unknownKey is no code of Splunk's.
const unknownKey = -1

// judge gives the code with which an event is refused, or 0 and its key.
func (s *Splunk) judge(t SplunkToken, raw []byte) (code int, key string) {
	var e map[string]json.RawMessage
	if json.Unmarshal(raw, &e) != nil || e == nil {
		return 6, ""
	}
	for name, value := range e {
		switch name {
		case "event", "fields":
		case "host", "source", "sourcetype", "index":
			if value[0] != '"' {
				return 6, ""
			}
		case "time":
			if _, err := strconv.ParseFloat(strings.Trim(string(value), `"`), 64); err != nil {
				return 6, ""
			}
		default:
			return unknownKey, ""
		}
	}
	var index, text string
	if len(e["index"]) > 0 && (json.Unmarshal(e["index"], &index) != nil || len(t.Indexes) > 0 && !slices.Contains(t.Indexes, index)) {
		return 7, ""
	}
	event := string(e["event"])
	switch {
	case event == "" || event == "null":
		return 12, ""
	case json.Unmarshal(e["event"], &text) == nil && strings.TrimSpace(text) == "":
		return 13, ""
	case event == "true" || event == "false":
		return 6, ""
	case strings.Contains(event, Poison):
		return cmp.Or(s.Refusal, 6), ""
	}
	return judgeFields(e["fields"])
}

// judgeFields takes a flat object of texts, numbers and lists of these.
func judgeFields(raw json.RawMessage) (code int, key string) {
	if len(raw) == 0 {
		return 0, ""
	}
	var fields map[string]any
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return 6, ""
	}
	for _, value := range fields {
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, one := range list {
			switch one.(type) {
			case map[string]any, []any, nil:
				return 15, ""
			}
		}
	}
	key, _ = fields["event_key"].(string)
	return 0, key
}
