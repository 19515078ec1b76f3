package siem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// bulkAction is one action of a request, with its document.
type bulkAction struct {
	op, index, id string
	source        []byte
}

// readBulk reads a request's body, of which nothing is taken if any action can't be read.
func readBulk(body []byte) ([]bulkAction, *elasticFailure) {
	illegal := func(format string, args ...any) *elasticFailure {
		return &elasticFailure{400, "illegal_argument_exception", fmt.Sprintf(format, args...)}
	}
	switch {
	case len(body) == 0:
		return nil, &elasticFailure{400, "parse_exception", "request body is required"}
	case body[len(body)-1] != '\n':
		return nil, illegal(`The bulk request must be terminated by a newline [\n]`)
	}
	var actions []bulkAction
	lines := bytes.Split(body[:len(body)-1], []byte("\n"))
	for at := 0; at < len(lines); at++ {
		if len(lines[at]) == 0 {
			continue
		}
		var line map[string]struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		}
		if err := json.Unmarshal(lines[at], &line); err != nil || len(line) != 1 {
			return nil, illegal("Malformed action/metadata line [%d], expected START_OBJECT", at+1)
		}
		for op, meta := range line {
			a := bulkAction{op: op, index: meta.Index, id: meta.ID}
			switch op {
			case "create", "index", "update":
				if at++; at >= len(lines) {
					return nil, illegal("Malformed action/metadata line [%d], no document follows", at)
				}
				a.source = lines[at]
			case "delete":
			default:
				return nil, illegal("Malformed action/metadata line [%d], expected field [create], [delete], [index] or [update] but found [%s]", at+1, op)
			}
			if len(a.id) > 512 {
				return nil, &elasticFailure{400, "action_request_validation_exception", fmt.Sprintf("Validation Failed: 1: id [%s] is too long", a.id)}
			}
			actions = append(actions, a)
		}
	}
	if len(actions) == 0 {
		return nil, &elasticFailure{400, "action_request_validation_exception", "Validation Failed: 1: no requests added;"}
	}
	return actions, nil
}

// do does one action and gives its item of the reply.
func (s *Elastic) do(index string, a bulkAction) map[string]any {
	s.lock.Lock()
	defer s.lock.Unlock()
	if a.index != "" {
		index = a.index
	}
	refused := func(status int, kind, reason string) map[string]any {
		return map[string]any{"_index": index, "_id": a.id, "status": status, "error": map[string]any{"type": kind, "reason": reason}}
	}
	if index != s.Index {
		return refused(404, "index_not_found_exception", "no such index ["+index+"]")
	}
	if a.op != "create" && s.DataStream {
		return refused(400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams")
	}
	if len(s.items) > 0 {
		said := s.items[0]
		s.items = s.items[1:]
		if said.Status != 0 {
			return refused(said.Status, said.Type, said.Reason)
		}
	}
	if len(s.backing) == 0 {
		s.backing = append(s.backing, map[string]bool{})
	}
	if reason := s.unfit(a.source); reason != "" {
		if s.FailureStore && s.DataStream {
			s.failed = append(s.failed, a.source)
			return map[string]any{"_index": ".fs-" + index, "_id": fmt.Sprint(len(s.failed)), "status": 201, "result": "created", "failure_store": "used"}
		}
		kind := "document_parsing_exception"
		if s.OpenSearch {
			kind = "mapper_parsing_exception"
		}
		return refused(400, kind, reason)
	}
	ids := s.backing[len(s.backing)-1]
	if ids[a.id] && a.op == "create" {
		return refused(409, "version_conflict_engine_exception", "["+a.id+"]: version conflict, document already exists (current version [1])")
	}
	ids[a.id] = true
	s.Take(Event{a.id, a.source})
	return map[string]any{"_index": index, "_id": a.id, "_version": 1, "status": 201, "result": "created"}
}

// unfit says why a document can't be indexed.
func (s *Elastic) unfit(source []byte) string {
	if name, ok := twice(json.NewDecoder(bytes.NewReader(source))); ok {
		return "failed to parse: Duplicate field '" + name + "'"
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(source, &members); err != nil || members == nil {
		return "failed to parse: " + fmt.Sprint(err)
	}
	if s.DataStream {
		var stamp string
		if err := json.Unmarshal(members["@timestamp"], &stamp); err != nil {
			return "data stream timestamp field [@timestamp] is missing"
		}
		if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil {
			return "failed to parse field [@timestamp] of type [date]"
		}
	}
	if bytes.Contains(source, []byte(Poison)) {
		return "failed to parse field [source.ip] of type [ip] in document. Preview of field's value: '" + Poison + "'"
	}
	if s.Unfit != nil {
		return s.Unfit(members)
	}
	return ""
}

// twice finds a name that an object has twice; a real server takes no such document.
func twice(d *json.Decoder) (string, bool) {
	type level struct {
		names map[string]bool // nil in an array
		value bool            // the next token is one
	}
	var levels []level
	for {
		token, err := d.Token()
		if err == io.EOF || err != nil {
			return "", false
		}
		top := len(levels) - 1
		if name, ok := token.(string); ok && top >= 0 && levels[top].names != nil && !levels[top].value {
			if levels[top].names[name] {
				return name, true
			}
			levels[top].names[name], levels[top].value = true, true
			continue
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			levels = levels[:top]
			continue
		}
		if top >= 0 {
			levels[top].value = false
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		}
	}
}

// filtered keeps of a reply what filter_path names; an asterisk is any name, and arrays don't count.
func filtered(v any, paths [][]string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			var deeper [][]string
			whole := false
			for _, p := range paths {
				if p[0] == name || p[0] == "*" {
					whole = whole || len(p) == 1
					if len(p) > 1 {
						deeper = append(deeper, p[1:])
					}
				}
			}
			if whole {
				out[name] = value
			} else if kept, ok := filtered(value, deeper); ok {
				out[name] = kept
			}
		}
		return out, len(out) > 0
	case []any:
		var out []any
		for _, value := range v {
			if kept, ok := filtered(value, paths); ok {
				out = append(out, kept)
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}
