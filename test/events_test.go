package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// event is what the tests look at of a line of the JSON format.
type event struct {
	Key            string  `json:"event_key"`
	Kind           string  `json:"kind"`
	Alert          string  `json:"alert_id"`
	Service        string  `json:"service"`
	NotificationID string  `json:"notification_id"`
	Raw            *string `json:"raw"`
	RawBase64      *string `json:"raw_base64"`
}

// readEvents reads files of JSON lines, each of which must be whole.
func readEvents(files ...string) ([]event, error) {
	var out []event
	for _, name := range files {
		events, torn, err := readTorn(name)
		if err == nil && len(torn) > 0 {
			err = fmt.Errorf("%s: no JSON: %.200q", filepath.Base(name), torn[0])
		}
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	return out, nil
}

// readTorn reads a file that a crash may have left lines in that are cut short.
func readTorn(name string) (events []event, torn []string, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(data)) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			events = append(events, e)
		} else {
			torn = append(torn, line)
		}
	}
	return events, torn, nil
}

// absolute makes paths of a script absolute.
func absolute(ts *testscript.TestScript, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = ts.MkAbs(name)
	}
	return out
}

// cmdOnce fails where an event or a notification is in the files twice.
//
//	once FILE...
func cmdOnce(ts *testscript.TestScript, neg bool, args []string) {
	events, err := readEvents(absolute(ts, args)...)
	ts.Check(err)
	seen := map[string]int{}
	for i, e := range events {
		for _, key := range []string{"event " + e.Key, e.Service + " " + e.NotificationID} {
			if e.NotificationID == "" && !strings.HasPrefix(key, "event ") {
				continue
			}
			if before, ok := seen[key]; ok {
				if neg {
					return
				}
				ts.Fatalf("%s: lines %d and %d", key, before+1, i+1)
			}
			seen[key] = i
		}
	}
	if neg {
		ts.Fatalf("nothing is there twice")
	}
}

// cmdConform holds every line of the files against the JSON Schema.
//
//	conform FILE...
func cmdConform(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: conform FILE...")
	}
	for _, name := range args {
		for line := range strings.Lines(ts.ReadFile(name)) {
			if err := judgeJSON(line); err != nil {
				ts.Fatalf("%s: %v: %s", name, err, line)
			}
		}
	}
}

// cmdHasRawLine fails unless every line of the second file is, to the byte, the message of an event in
// the first, in raw where it is UTF-8 and in raw_base64 where it isn't.
//
//	has-rawline EVENTS FILE
func cmdHasRawLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: has-rawline EVENTS FILE")
	}
	events, err := readEvents(ts.MkAbs(args[0]))
	ts.Check(err)
	have := map[string]bool{}
	for _, e := range events {
		switch {
		case e.Raw != nil:
			have[*e.Raw] = true
		case e.RawBase64 != nil:
			raw, err := base64.StdEncoding.DecodeString(*e.RawBase64)
			ts.Check(err)
			have[string(raw)] = true
		}
	}
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if line = strings.TrimSuffix(line, "\n"); !have[line] {
			ts.Fatalf("no event has the message %q", line)
		}
	}
}

// cmdBytes writes a file of lines that hold what no text file can: control characters, bytes that aren't
// UTF-8, an escape sequence.
//
//	bytes FILE
func cmdBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bytes FILE")
	}
	// The first begins as messages do, so that a count before it is believed.
	lines := "<34>\x1b[31mred \xc3\n\xff\xfe\x00\x80 no text\nd\xe9j\xe0 vu in Latin-1\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(lines), 0o666))
}

// cmdSpoil writes over a page in the middle of each file that fits a pattern, as a bad disk may.
func cmdSpoil(ts *testscript.TestScript, neg bool, args []string) {
	const page = 4096
	if neg || len(args) == 0 {
		ts.Fatalf("usage: spoil PATTERN...")
	}
	for _, pattern := range args {
		names, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(names) == 0 {
			ts.Fatalf("spoil %s: no such file", pattern)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			ts.Check(err)
			from := len(data) / 2 / page * page
			copy(data[from:], bytes.Repeat([]byte{0xff}, page))
			ts.Check(os.WriteFile(name, data, 0o600))
		}
	}
}
