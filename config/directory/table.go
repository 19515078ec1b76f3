package directory

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
)

// table is CSV.
type table struct {
	in      *bufio.Reader
	skipped int // lines in front of the header
	rows    *csv.Reader
	columns []string
}

// isColumn says whether a column is read.
func isColumn(name string) bool {
	switch name {
	case "upn", "sam", "display_name", "department", "title", "manager", "sensitive", "groups":
		return true
	}
	return false
}

func (t *table) begin() *Error {
	if p := skipMark(t.in); p != nil {
		return p
	}
	if head, _ := t.in.Peek(6); string(head) == "#TYPE " { // Export-Csv of Windows PowerShell
		if _, err := t.in.ReadString('\n'); err != nil {
			return &Error{1, "found nothing, expected a header"}
		}
		t.skipped = 1
	}
	head, _ := t.in.Peek(4096)
	first, _, _ := strings.Cut(string(head), "\n")
	t.rows = csv.NewReader(t.in)
	t.rows.ReuseRecord, t.rows.TrimLeadingSpace = true, true
	for _, c := range ",;\t" {
		if strings.Count(first, string(c)) > strings.Count(first, string(t.rows.Comma)) {
			t.rows.Comma = c
		}
	}
	header, err := t.rows.Read()
	if err != nil {
		return &Error{1 + t.skipped, "found no header, expected the names of the columns: upn, sam, display_name, …"}
	}
	named := map[string]bool{}
	for _, c := range header {
		c = strings.ToLower(strings.TrimSpace(c))
		if named[c] && isColumn(c) {
			return &Error{1 + t.skipped, fmt.Sprintf("found the column %s twice", c)}
		}
		named[c] = true
		t.columns = append(t.columns, c)
	}
	if !named["upn"] && !named["sam"] {
		return &Error{1 + t.skipped, "found a header with neither upn nor sam, expected at least one of these columns"}
	}
	return nil
}

func (t *table) next() (Person, error) {
	row, err := t.rows.Read()
	for err == nil && strings.Join(row, "") == "" { // spreadsheets leave such rows at the end
		row, err = t.rows.Read()
	}
	if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
		msg := wrong.Err.Error()
		if errors.Is(err, csv.ErrFieldCount) {
			msg = fmt.Sprintf("found %d columns, expected %d as in the header", len(row), len(t.columns))
		}
		return Person{}, Error{wrong.StartLine + t.skipped, msg}
	}
	if err != nil {
		return Person{}, err
	}
	line, _ := t.rows.FieldPos(0)
	p := Person{Line: line + t.skipped}
	for i, c := range t.columns {
		v := strings.Clone(row[i]) // the others share the row's memory
		switch c {
		case "upn":
			p.UPN = v
		case "sam":
			p.SAM = v
		case "display_name":
			p.Display = v
		case "department":
			p.Department = v
		case "title":
			p.Title = v
		case "manager":
			p.Manager = v
		case "groups":
			p.Groups = split(v)
		case "sensitive":
			sensitive, ok := yes(v)
			if !ok {
				return Person{}, Error{p.Line, fmt.Sprintf("found sensitive %q, expected yes or no", v)}
			}
			p.Sensitive = sensitive
		}
	}
	return p, nil
}

// goesOn: a row with a wrong number of columns, or a quotation mark out of place, ends with its line.
func (t *table) goesOn() bool { return true }
