// Package directory reads the file in which an organisation says who its people are: one line for each, with
// the names they go by, their department and title.
//
// A file whose name ends in .json holds an array of objects, one in .ndjson or .jsonl an object on each line;
// everything else is CSV with a header, as spreadsheets and Export-Csv write it, divided by commas, semicolons
// or tabs. Columns and keys are upn, sam, display_name, department, title, manager, sensitive and groups, in
// any order and letter case; upn or sam has to be there, others are left alone. sam may have its domain in
// front; groups are divided by | or ;.
package directory

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// What a file may hold. It is the directory of the largest organisation, and little enough to read whole.
const (
	maxFile   = 64 << 20
	maxPeople = 1 << 20
	maxText   = 1 << 10 // bytes of a column
	maxGroups = 256     // of one person
	maxListed = 10      // problems of one file that are told
)

// Person is one line of the file.
type Person struct {
	Line       int // where it stands
	UPN        string
	SAM        string
	Display    string
	Department string
	Title      string
	Manager    string
	Groups     []string
	Sensitive  bool
}

// Error says what is wrong with a line.
type Error struct {
	Line int // 0 for the file as a whole
	Msg  string
}

// Error is the problem as the log shows it.
func (p Error) Error() string {
	if p.Line == 0 {
		return p.Msg
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Msg)
}

// Errors are what is wrong with one file, the first ones where there are many.
type Errors []Error

// Error lists them.
func (p Errors) Error() string {
	words := make([]string, len(p))
	for i := range p {
		words[i] = p[i].Error()
	}
	return strings.Join(words, "; ")
}

// Load reads a file. Where it isn't what it should be the error is [Errors] and nothing of it counts;
// where it can't be read, the operating system's without the name.
func Load(path string) ([]Person, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return Read(path, f)
}

// CheckHeader says whether the file can be read and begins as it should. Whoever fills it may be at work:
// the lines are looked at when it is taken into use.
func CheckHeader(path string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := newReader(path, f)
	if err := r.begin(); err != nil {
		return Errors{*err}
	}
	return nil
}

func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // a pipe might never end
		err = errors.New("expected a regular file")
	}
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("expected no more than %d MiB", maxFile>>20)
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return f, err
}

// Read is Load for what is open; the name tells the form.
func Read(name string, in io.Reader) ([]Person, error) {
	r := newReader(name, in)
	if err := r.begin(); err != nil {
		return nil, Errors{*err}
	}
	c := collector{upns: map[string]int{}}
	for len(c.problems) < maxListed {
		p, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return c.result()
		case err != nil:
			var problem Error
			if !errors.As(err, &problem) {
				return nil, err
			}
			c.problems = append(c.problems, problem)
			if !r.goesOn() {
				return c.result()
			}
		default:
			c.add(p)
		}
		if len(c.people) > maxPeople {
			return nil, Errors{{p.Line, fmt.Sprintf("found more than %d people", maxPeople)}}
		}
	}
	return c.result()
}

// reader is a form.
type reader interface {
	begin() *Error         // reads what is in front of the people
	next() (Person, error) // Error, io.EOF, or what reading failed with
	goesOn() bool          // after a problem
}

func newReader(name string, in io.Reader) reader {
	b := bufio.NewReaderSize(&bounded{in, maxFile + 1}, 64<<10)
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".ndjson", ".jsonl":
		return &objects{in: b}
	}
	return &table{in: b}
}

// bounded fails where more is read than a file may hold: it may have grown since it was opened.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("expected no more than %d MiB", maxFile>>20)
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// skipMark takes the byte order mark from the front of UTF-8.
func skipMark(b *bufio.Reader) *Error {
	head, _ := b.Peek(3) // at the end of the file there are fewer
	switch {
	case string(head) == "\ufeff":
		_, _ = b.Discard(3) // it is there
	case strings.HasPrefix(string(head), "\xff\xfe"), strings.HasPrefix(string(head), "\xfe\xff"):
		return &Error{1, "found UTF-16, expected UTF-8"}
	}
	return nil
}

// collector takes the people of a file and finds what is wrong with each.
type collector struct {
	people   []Person
	problems Errors
	upns     map[string]int // lines
}

func (c *collector) add(p Person) {
	if msg := p.clean(); msg != "" {
		c.problems = append(c.problems, Error{p.Line, msg})
		return
	}
	if p.UPN != "" {
		key := strings.ToLower(p.UPN)
		if line := c.upns[key]; line > 0 {
			c.problems = append(c.problems, Error{p.Line, fmt.Sprintf("found the upn %q again, it stands on line %d too", p.UPN, line)})
			return
		}
		c.upns[key] = p.Line
	}
	c.people = append(c.people, p)
}

func (c *collector) result() ([]Person, error) {
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return c.people, nil
}

// clean brings the texts into order and says what is wrong.
func (p *Person) clean() string {
	for _, t := range []struct {
		name string
		text *string
	}{
		{"upn", &p.UPN}, {"sam", &p.SAM}, {"display_name", &p.Display}, {"department", &p.Department}, {"title", &p.Title}, {"manager", &p.Manager},
	} {
		if msg := cleanText(t.name, t.text); msg != "" {
			return msg
		}
	}
	if len(p.Groups) > maxGroups {
		return fmt.Sprintf("found %d groups, expected at most %d", len(p.Groups), maxGroups)
	}
	var groups []string
	for _, g := range p.Groups {
		if msg := cleanText("groups", &g); msg != "" {
			return msg
		}
		if g != "" {
			groups = append(groups, g)
		}
	}
	p.Groups = groups
	switch {
	case p.UPN == "" && p.SAM == "":
		return "found neither upn nor sam, expected one of them"
	case p.UPN != "" && (strings.Count(p.UPN, "@") != 1 || strings.HasPrefix(p.UPN, "@") || strings.HasSuffix(p.UPN, "@") || strings.ContainsAny(p.UPN, ` \`)):
		return fmt.Sprintf("found the upn %q, expected such as anna@contoso.com", p.UPN)
	case strings.ContainsAny(p.SAM, " @") || strings.HasSuffix(p.SAM, `\`):
		return fmt.Sprintf(`found the sam %q, expected such as anna or CONTOSO\anna`, p.SAM)
	}
	return ""
}

func cleanText(name string, text *string) string {
	*text = strings.Join(strings.Fields(*text), " ")
	switch {
	case len(*text) > maxText:
		return fmt.Sprintf("found a %s of %d bytes, expected at most %d", name, len(*text), maxText)
	case !utf8.ValidString(*text):
		return fmt.Sprintf("found a %s that isn't UTF-8", name)
	}
	return ""
}

// split divides groups that stand in one text.
func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '|' || r == ';' })
}

// yes reads what says that somebody is sensitive.
func yes(s string) (yes, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "no", "false", "0", "n":
		return false, true
	case "yes", "true", "1", "y", "x":
		return true, true
	}
	return false, false
}
