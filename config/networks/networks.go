// Package networks reads the file in which an organisation says where its addresses are: CSV with a header and
// the columns cidr, country and tag, in any order, divided by commas or semicolons. tag is the kind of network in
// one word, such as corporate, vpn, hosting or anonymous; country its two-letter code; either may be empty. Of
// networks in networks the smallest one holds. Empty lines and lines that begin with # are passed over.
package networks

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// maxFile is what a file may hold: many times over a country's networks, or the world's countries.
const maxFile = 128 << 20

// maxListed is how many problems of one file are told.
const maxListed = 10

// Network is what the file says of an address.
type Network struct{ Country, Tag string }

// Table is a file as it was read. The zero value knows no address.
type Table struct {
	lengths []int // of the prefixes that there are, the longest first
	nets    map[netip.Prefix]Network
}

// Find says where an address is, and whether the file says so.
func (t *Table) Find(a netip.Addr) (Network, bool) {
	a = a.Unmap().WithZone("")
	for _, bits := range t.lengths {
		if bits > a.BitLen() {
			continue
		}
		if p, err := a.Prefix(bits); err == nil {
			if n, ok := t.nets[p]; ok {
				return n, true
			}
		}
	}
	return Network{}, false
}

// Len is how many networks there are.
func (t *Table) Len() int { return len(t.nets) }

// Load reads a file. Every problem of it is told, the first ones where there are many, with its line.
func Load(path string) (*Table, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	return Read(data)
}

// readSmall reads a file. The error is without the name, which who names the file says.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // a pipe might never end
		err = errors.New("expected a regular file")
	}
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("expected no more than %d MiB", maxFile>>20)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Read is Load for what was read.
func Read(data []byte) (*Table, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	rows := csv.NewReader(bytes.NewReader(data))
	rows.Comment, rows.TrimLeadingSpace, rows.ReuseRecord = '#', true, true
	if first, _, _ := bytes.Cut(data, []byte("\n")); bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		rows.Comma = ';'
	}
	header, err := rows.Read()
	if err != nil {
		return nil, errors.New("line 1: found no header, expected cidr,country,tag")
	}
	columns := map[string]int{}
	for i, c := range header {
		columns[strings.ToLower(strings.TrimSpace(c))] = i
	}
	cidr, ok := columns["cidr"]
	if !ok {
		return nil, errors.New("line 1: found no column cidr, expected cidr,country,tag")
	}
	t := &Table{nets: map[netip.Prefix]Network{}}
	var problems []string
	for len(problems) < maxListed {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			problems = append(problems, fmt.Sprintf("line %d: %s", wrong.Line, wrong.Err))
			continue
		}
		column := func(name string) string {
			if i, ok := columns[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		if err := t.add(strings.TrimSpace(row[cidr]), Network{strings.ToUpper(column("country")), strings.ToLower(column("tag"))}); err != nil {
			line, _ := rows.FieldPos(0)
			problems = append(problems, fmt.Sprintf("line %d: %s", line, err))
		}
	}
	slices.SortFunc(t.lengths, func(a, b int) int { return b - a })
	if len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	return t, nil
}

// add takes one line. An address stands for the network that it alone is in.
func (t *Table) add(cidr string, n Network) error {
	p, err := netip.ParsePrefix(cidr)
	if addr, e := netip.ParseAddr(cidr); err != nil && e == nil {
		p, err = addr.Prefix(addr.BitLen())
	}
	switch {
	case err != nil:
		return fmt.Errorf("found %q, expected a network such as 10.1.0.0/16", cidr)
	case p != p.Masked():
		return fmt.Errorf("found %s, which is an address in a network; expected %s", cidr, p.Masked())
	case len(n.Country) > 64 || len(n.Tag) > 64:
		return errors.New("found a country or a tag of more than 64 bytes")
	}
	if old, ok := t.nets[p]; ok && old != n {
		return fmt.Errorf("found the network %s again, with another country or tag", p)
	}
	t.nets[p] = n
	if !slices.Contains(t.lengths, p.Bits()) {
		t.lengths = append(t.lengths, p.Bits())
	}
	return nil
}
