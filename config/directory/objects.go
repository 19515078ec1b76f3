package directory

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// objects is JSON: an array of objects, or objects one after the other.
type objects struct {
	in      *bufio.Reader
	lines   *lineCounter
	decoder *json.Decoder
	array   bool
	broken  bool
}

// object is a person as JSON has it.
type object struct {
	UPN        string          `json:"upn"`
	SAM        string          `json:"sam"`
	Display    string          `json:"display_name"`
	Department string          `json:"department"`
	Title      string          `json:"title"`
	Manager    string          `json:"manager"`
	Groups     json.RawMessage `json:"groups"`
	Sensitive  json.RawMessage `json:"sensitive"`
}

func (o *objects) begin() *Error {
	if p := skipMark(o.in); p != nil {
		return p
	}
	o.lines = &lineCounter{in: o.in}
	for { // to the first character that counts
		head, err := o.in.Peek(1)
		switch {
		case err != nil:
			return &Error{1, "found nothing, expected objects"}
		case bytes.ContainsAny(head, " \t\r\n"):
			_, _ = o.lines.Read(make([]byte, 1)) // it is there
			continue
		case head[0] == '[':
			o.array = true
		case head[0] != '{':
			return &Error{o.lines.at(o.lines.read), "expected an array of objects, or objects"}
		}
		break
	}
	o.decoder = json.NewDecoder(o.lines)
	o.lines.start = o.lines.read
	if o.array {
		_, _ = o.decoder.Token() // the bracket, which is there
	}
	return nil
}

func (o *objects) next() (Person, error) {
	if o.array && !o.decoder.More() {
		if _, err := o.decoder.Token(); err != nil {
			return Person{}, o.problem(err)
		}
		return Person{}, io.EOF
	}
	var raw json.RawMessage
	if err := o.decoder.Decode(&raw); err != nil {
		if errors.Is(err, io.EOF) && !o.array {
			return Person{}, io.EOF
		}
		return Person{}, o.problem(err)
	}
	line := o.lines.at(o.lines.start + o.decoder.InputOffset() - int64(len(raw)))
	var v object
	err := json.Unmarshal(raw, &v)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return Person{}, Error{line, fmt.Sprintf("found %s, expected an object", wrong.Value)}
		}
		return Person{}, Error{line, fmt.Sprintf("found %s for %s, expected %s", wrong.Value, wrong.Field, wrong.Type)}
	}
	if err != nil {
		return Person{}, Error{line, err.Error()}
	}
	p := Person{Line: line, UPN: v.UPN, SAM: v.SAM, Display: v.Display, Department: v.Department, Title: v.Title, Manager: v.Manager}
	if p.Groups, err = groupsOf(v.Groups); err != nil {
		return Person{}, Error{line, err.Error()}
	}
	if p.Sensitive, err = sensitiveOf(v.Sensitive); err != nil {
		return Person{}, Error{line, err.Error()}
	}
	return p, nil
}

// problem tells where what is no JSON stands.
func (o *objects) problem(err error) error {
	o.broken = true
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return Error{o.lines.at(o.lines.start + wrong.Offset - 1), wrong.Error()}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Error{o.lines.at(o.lines.read), "the file ends within an object or array"}
	}
	return err
}

func (o *objects) goesOn() bool { return !o.broken }

// groupsOf reads a list, or a text as CSV has it.
func groupsOf(raw json.RawMessage) ([]string, error) {
	var text string
	var list []string
	switch {
	case len(raw) == 0:
		return nil, nil
	case json.Unmarshal(raw, &text) == nil:
		return split(text), nil
	case json.Unmarshal(raw, &list) == nil:
		return list, nil
	}
	return nil, errors.New("expected for groups a list of texts")
}

func sensitiveOf(raw json.RawMessage) (bool, error) {
	var text string
	if len(raw) == 0 {
		return false, nil
	}
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if text == "null" {
		text = ""
	}
	v, ok := yes(text)
	if !ok {
		return false, errors.New("expected for sensitive true or false")
	}
	return v, nil
}

// lineCounter remembers where lines begin, as the decoder reads ahead. Lines that are asked about come one after
// the other.
type lineCounter struct {
	in     io.Reader
	read   int64
	start  int64   // where the decoder began
	breaks []int64 // line feeds that are still to come
	before int     // those that have gone by
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.breaks = append(l.breaks, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// at is the line of an offset.
func (l *lineCounter) at(offset int64) int {
	for len(l.breaks) > 0 && l.breaks[0] < offset {
		l.breaks = l.breaks[1:]
		l.before++
	}
	return l.before + 1
}
