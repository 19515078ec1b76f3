package input

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

// budget is shared by what is held in memory at once.
type budget struct {
	mu   sync.Mutex // guards left
	left int
}

func (b *budget) take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.left {
		return false
	}
	b.left -= n
	return true
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += n
}

// body is what a request sends, without its encoding.
type body struct {
	limit  int
	budget *budget

	data   []byte
	object bool  // one in each line (NDJSON), not raw text
	json   bool  // objects, wherever lines end
	taken  int   // of the budget
	sent   int64 // bytes as they came
}

// What is wrong with a body.
var (
	errEncoding = errors.New("want Content-Encoding: gzip or identity")
	errLarge    = errors.New("the body is larger than max_body")
	errRatio    = fmt.Errorf("the body is more than %d times as large as what was sent of it", maxRatio)
	errSlow     = errors.New("the body didn't come in time; nothing was accepted")
	errEmpty    = errors.New("the body is empty: want raw lines, or NDJSON with Content-Type: application/x-ndjson")
	errBusy     = errors.New("too many bodies are held at once; nothing was accepted")
)

// syntaxError says why a body can't be read.
type syntaxError struct{ error }

// refusal is the answer to a body that isn't taken.
func refusal(err error) outcome {
	var bad syntaxError
	status := http.StatusBadRequest // it broke off, or is no HTTP
	switch {
	case errors.Is(err, errEncoding):
		status = http.StatusUnsupportedMediaType
	case errors.Is(err, errLarge), errors.Is(err, errRatio):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errBusy):
		status = http.StatusServiceUnavailable
	case errors.As(err, &bad):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, os.ErrDeadlineExceeded):
		status, err = http.StatusRequestTimeout, errSlow // what it says itself is our addresses
	}
	return outcome{status: status, detail: err.Error()}
}

// read takes all of a request's body and looks whether it can be cut into messages.
func (b *body) read(r *http.Request) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what is none is raw lines
	b.object = kind == "application/x-ndjson" || kind == "application/ndjson"
	wire := &counted{r: r.Body, n: &b.sent}
	if r.ContentLength > int64(b.limit) {
		return errLarge // before whoever asked whether to send it begins
	}
	switch strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ", ")) { // two of them are two compressions
	case "", "identity":
		if err := b.fill(wire); err != nil {
			return err
		}
	case "gzip", "x-gzip": // one by RFC 9110
		text, err := gzip.NewReader(wire)
		if err == nil {
			err = b.fill(text)
		}
		if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return syntaxError{fmt.Errorf("the body is no gzip: %w", err)}
		}
		if err != nil {
			return err
		}
	default:
		return errEncoding
	}
	if bytes.HasPrefix(b.data, []byte{0x1f, 0x8b}) {
		return fmt.Errorf("the body is gzip and doesn't say so: %w", errEncoding)
	}
	if kind == "application/json" {
		if err := b.look(); err != nil {
			return err
		}
	}
	return b.check()
}

// look says whether what is called JSON is one object, or several, or lists of them, as log shippers send them. Anything else is
// raw lines.
func (b *body) look() error {
	n := 0
	for object := range objects(b.data) {
		n, b.json = n+1, object != nil
	}
	if n == 0 {
		return errEmpty
	}
	return nil
}

// objects cuts JSON into the objects of which it consists, be they in lists or not. Where it consists of anything else the last
// one is nil. They are cut out of data, which may be too much to be held twice.
func objects(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		const outside = "[{"
		data := bytes.TrimPrefix(data, []byte("\ufeff")) // as programs of Windows write it
		for next := outside; ; data = data[1:] {
			data = bytes.TrimLeft(data, " \t\r\n")
			if len(data) == 0 && next == outside {
				return
			}
			if len(data) == 0 || !strings.Contains(next, string(data[:1])) {
				yield(nil)
				return
			}
			switch data[0] {
			case '[':
				next = "{]"
			case ',':
				next = "{"
			case ']':
				next = outside
			case '{':
				n := closed(data)
				if object := data[:n]; !json.Valid(object) {
					yield(nil)
					return
				} else if !yield(object) {
					return
				}
				if data = data[n-1:]; next != outside {
					next = ",]"
				}
			}
		}
	}
}

// closed gives the length of the object with which data begins, if that is JSON.
func closed(data []byte) int {
	depth, text := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(data)
}

// fill reads to the end, within all the limits. The memory follows what came.
func (b *body) fill(r io.Reader) error {
	const free = 64 << 10 // whatever the ratio
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		size := len(b.data) + n
		switch {
		case size > b.limit || b.sent > int64(b.limit):
			return errLarge
		case size > free && int64(size) > maxRatio*b.sent:
			return errRatio
		case !b.budget.take(n):
			return errBusy
		}
		b.taken += n
		b.data = append(b.data, chunk[:n]...)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// digest tells one body from another, whatever its encoding. The same bytes of another type are other
// messages.
func (b *body) digest() [16]byte {
	kind := strconv.FormatBool(b.object)
	if b.json {
		kind = "json"
	}
	return digest([]byte(kind), b.data)
}

// release gives back what the body took of the budget.
func (b *body) release() {
	b.budget.give(b.taken)
	b.taken, b.data = 0, nil
}

// check finds that there is nothing, by which a sender means something else than it says, and a line that is
// no JSON object where each has to be one.
func (b *body) check() error {
	if len(bytes.TrimSpace(b.data)) == 0 {
		return errEmpty
	}
	if !b.object {
		return nil
	}
	number := 0
	for line := range bytes.Lines(b.data) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if _, err := unwrap(line); err != nil {
			return syntaxError{fmt.Errorf("line %d is no JSON object: %w", number, err)}
		}
	}
	return nil
}

// messages cuts the body into messages, of which none is empty, and each is good until the next one. A raw line ends at its line
// feed; a carriage return before it belongs to the message, as over TCP.
func (b *body) messages() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		each := bytes.Lines(b.data)
		if b.json {
			each = objects(b.data)
		}
		var compact bytes.Buffer
		for line := range each {
			switch {
			case b.json:
				compact.Reset()
				_ = json.Compact(&compact, line) // it is JSON
				line, _ = unwrap(compact.Bytes())
			case b.object:
				line, _ = unwrap(bytes.TrimSpace(line)) // checked
			default:
				line = bytes.TrimSuffix(line, []byte("\n"))
			}
			if len(line) > 0 && string(line) != "\r" && !yield(line) {
				return
			}
		}
	}
}

// unwrap gives the message of one line of NDJSON: the text of {"message": "..."}, or the object itself,
// such as a risk detection of Microsoft Graph. Which of them it is, is told by there being no other
// member.
func unwrap(line []byte) ([]byte, error) {
	if len(line) == 0 {
		return nil, nil
	}
	if line[0] != '{' { // what Go says of an array speaks of Go
		return nil, fmt.Errorf("it begins with %q", line[0])
	}
	if err := json.Unmarshal(line, &struct{}{}); err != nil { // of which nothing is kept, however many members there are
		return nil, err
	}
	values := json.NewDecoder(bytes.NewReader(line))
	_, _ = values.Token() // its brace
	if key, _ := values.Token(); key != "message" {
		return line, nil
	}
	var text *string
	if err := values.Decode(&text); err != nil || text == nil || values.More() {
		return line, nil
	}
	return []byte(*text), nil
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n *int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}
