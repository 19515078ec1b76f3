package model

import (
	"fmt"
	"strings"

	library "github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/formats/cbor"
)

// record is what a line's row has whole.
type record struct {
	Activity
	Spelling string `cbor:"23,keyasint,omitempty"` // of the user
}

// appendRecord encodes what the line's row has whole.
func (l *line) appendRecord(b []byte) ([]byte, error) {
	if l.Spelling = ""; l.User != nil {
		l.Spelling = l.User.Spelling
	}
	w := cbor.NewWriter(b)
	w.Open()
	w.Text(1, string(l.Event))
	w.Optional(2, l.ID)
	w.Text(3, string(l.Kind))
	w.Text(4, string(l.Service))
	w.Optional(5, l.Source)
	w.Optional(6, l.App)
	w.Optional(7, l.Type)
	w.Optional(8, l.Action)
	w.Optional(9, l.Title)
	w.Texts(11, l.Addresses)
	w.Texts(12, l.Devices)
	w.Optional(13, l.Agent)
	w.Texts(14, l.Objects)
	w.Texts(15, l.Policies)
	w.Yes(16, l.Failed)
	w.Yes(17, l.Admin)
	w.Number(18, int(l.Severity))
	w.Optional(19, l.Message)
	w.Optional(20, l.URL)
	w.Fields(21, l.Extra, hasElsewhere)
	w.Named(22, cbor.Named{Name: "Index", Number: uint64(l.At.Index)}, cbor.Named{Name: "Sequence", Number: l.At.Sequence})
	w.Optional(23, l.Spelling)
	w.Texts(24, l.Matched)
	w.Close()
	data, err := w.Done()
	if err != nil {
		return nil, fmt.Errorf("encode line %s: %w", l.Event, err)
	}
	return data, nil
}

// hasElsewhere says whether the record has that under another key. A list that is longer than ours stays whole.
func hasElsewhere(name, value string) bool {
	switch name {
	case "requestClientApplication":
		return true
	case "targetObjects", "policyIDs":
		return strings.Count(value, ",") < mostValues
	}
	return false
}

// decode reads what the row of the line has whole.
func (l *line) decode(data []byte) error {
	if err := library.Unmarshal(data, &l.record); err != nil {
		return fmt.Errorf("read line %d of the log: %w", l.n, err)
	}
	l.Time = timeOf(l.n)
	if l.Spelling != "" {
		l.User = &Named{Spelling: l.Spelling}
	}
	return nil
}
