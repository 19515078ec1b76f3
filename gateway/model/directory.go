package model

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/directory"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
)

// lookEvery is how often the directory file is looked at, and how soon what changed in it shows.
const lookEvery = time.Second

// watched is a file that is read again when it changes.
type watched struct {
	taken    bool // into use once, or found to be no use
	looked   time.Time
	modified time.Time
	size     int64
}

// changed looks at the file, not too often, and says whether it isn't what it was.
func (w *watched) changed(path string, now time.Time) bool {
	if w.taken && (path == "" || now.Sub(w.looked) < lookEvery) {
		return false
	}
	before := *w
	w.taken, w.looked, w.modified, w.size = true, now, time.Time{}, 0
	if info, err := os.Stat(path); err == nil { // reading it says what is wrong
		w.modified, w.size = info.ModTime(), info.Size()
	}
	return !before.taken || !w.modified.Equal(before.modified) || w.size != before.size
}

// heed takes over what has changed in the configuration of users: the domains since the model was last open, the
// directory file at any time. It begins a transaction for it, and leaves none.
func (f *folder) heed(ctx context.Context) error {
	p, file := &f.people, f.m.options.Config.Organisation.DirectoryFile
	first, now := !p.file.taken, time.Now()
	f.locate(now)
	if !p.file.changed(file, now) {
		return f.priority.turn(ctx, now)
	}
	listed, err := readDirectory(file)
	readable := err == nil
	if !readable {
		f.m.log.Error("the directory file can't be used, what it said before stays", "file", file, "err", err)
		if !first {
			return nil
		}
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.rollback()
	if err := p.configure(ctx, listed, readable); err != nil {
		return fmt.Errorf("take over the configuration of users: %w", err)
	}
	if err := f.priority.configure(ctx); err != nil {
		return fmt.Errorf("take over the configuration of investigation priority: %w", err)
	}
	return f.commit(ctx)
}

// readDirectory reads the file; nobody is in none.
func readDirectory(file string) ([]directory.Person, error) {
	if file == "" {
		return nil, nil
	}
	return directory.Load(file)
}

// configure takes over the directory, unless it couldn't be read, and decides anew who is who where the domains are
// others than before, or the directory says something else of names that were seen.
func (p *people) configure(ctx context.Context, listed []directory.Person, readable bool) error {
	var organisation, directory []byte
	if _, err := p.f.row(ctx, "SELECT organisation, directory FROM people_config", nil, &organisation, &directory); err != nil {
		return err
	}
	domains, err := json.Marshal(p.f.m.options.Config.Organisation.Domains)
	if err != nil {
		return fmt.Errorf("write the domains: %w", err)
	}
	sum := sha256.Sum256(domains)
	moved := !bytes.Equal(organisation, sum[:]) // and then the directory's names are read in another way too
	described := false
	if readable {
		now := digestOf(listed)
		described = !bytes.Equal(directory, now)
		directory = now
	}
	var renamed bool
	if readable && (moved || described) {
		if renamed, err = p.fill(ctx, listed); err != nil {
			return err
		}
	}
	switch {
	case moved || renamed:
		err = p.anew(ctx)
	case described:
		err = p.describeAnew(ctx)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return p.f.exec(ctx, "INSERT INTO people_config (one, organisation, directory) VALUES (1, ?, coalesce(?, x'')) ON CONFLICT (one) DO UPDATE SET "+
		"organisation = excluded.organisation, directory = excluded.directory", sum[:], directory)
}

// describeAnew has the users' rows follow from what the directory says now, and said before.
func (p *people) describeAnew(ctx context.Context) error {
	s, err := p.f.stmt(ctx, "SELECT n FROM persons WHERE into_n IS NULL")
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx)
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return errors.Join(err, rows.Close())
		}
		p.stale[n] = struct{}{}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	return p.flush(ctx)
}

// digestOf is equal for what says the same.
func digestOf(listed []directory.Person) []byte {
	h := sha256.New()
	for i := range listed {
		l := &listed[i]
		addTexts(h, l.UPN, l.SAM, l.Display, l.Department, l.Title, l.Manager, fmt.Sprint(l.Sensitive, len(l.Groups)))
		addTexts(h, l.Groups...)
	}
	return h.Sum(nil)
}

func addTexts(h hash.Hash, texts ...string) {
	for _, t := range texts {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(t)))) // never fails
		_, _ = h.Write([]byte(t))
	}
}

// fill writes the directory into its tables, and says whether it gives somebody a name, or takes one away, that was
// seen.
func (p *people) fill(ctx context.Context, listed []directory.Person) (renamed bool, err error) {
	for _, query := range []string{"DELETE FROM directory", "DELETE FROM directory_groups"} {
		if err := p.f.exec(ctx, query); err != nil {
			return false, err
		}
	}
	lines := map[string]int{}
	for i := range listed {
		l := &listed[i]
		identity := p.identityOf(l)
		if lines[identity] > 0 {
			p.f.m.log.Warn("the directory file has somebody twice, the first line counts", "line", lines[identity], "again", l.Line)
			continue
		}
		lines[identity] = l.Line
		if err := p.fillOne(ctx, l, identity); err != nil {
			return false, err
		}
	}
	before, err := p.calledBefore(ctx)
	if err != nil {
		return false, err
	}
	p.f.priority.watched = nil // the directory may mean others
	now := p.callings(listed)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := now[name]; !ok {
			if err := p.rename(ctx, "DELETE FROM directory_names WHERE name = ?", &renamed, name); err != nil {
				return false, err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if was, ok := before[name]; !ok || was != now[name] {
			err := p.rename(ctx, "INSERT INTO directory_names (name, identity) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET identity = excluded.identity",
				&renamed, name, now[name])
			if err != nil {
				return false, err
			}
		}
	}
	return renamed, nil
}

// rename changes what one name in the directory means.
func (p *people) rename(ctx context.Context, query string, renamed *bool, args ...any) error {
	if name, _ := args[0].(string); !*renamed {
		var some int
		var err error
		if *renamed, err = p.f.row(ctx, "SELECT 1 FROM names WHERE key = ? LIMIT 1", []any{name[len(asDisplay):]}, &some); err != nil {
			return err
		}
	}
	return p.f.exec(ctx, query, args...)
}

// calledBefore is what callings gave for the directory that is in the tables.
func (p *people) calledBefore(ctx context.Context) (map[string]string, error) {
	s, err := p.f.stmt(ctx, "SELECT name, identity FROM directory_names")
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the directory's names: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	out := map[string]string{}
	for rows.Next() {
		var name, identity string
		if err := rows.Scan(&name, &identity); err != nil {
			return nil, fmt.Errorf("read the directory's names: %w", err)
		}
		out[name] = identity
	}
	return out, rows.Err()
}

func (p *people) fillOne(ctx context.Context, l *directory.Person, identity string) error {
	err := p.f.exec(ctx, "INSERT INTO directory (identity, upn, display, department, title, manager, sensitive) VALUES (?, ?, ?, ?, ?, ?, ?)",
		identity, l.UPN, l.Display, l.Department, l.Title, l.Manager, l.Sensitive)
	if err != nil {
		return err
	}
	for _, g := range append([]string{l.Department}, l.Groups...) {
		if g == "" {
			continue
		}
		if err := p.f.exec(ctx, "INSERT INTO directory_groups (folded, identity, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", filter.Fold(g), identity, g); err != nil {
			return err
		}
	}
	return nil
}

// identityOf is the identity of all names of somebody in the directory: that of the UPN, else that of the account.
func (p *people) identityOf(l *directory.Person) string {
	return p.read.Read(cmp.Or(l.UPN, l.SAM)).Key
}

// callings lists what the people of the directory are called and whom that means; nobody where it means several.
// What is only concluded, that an account's name is also the one in front of the @, counts where nobody has it
// in so many words.
func (p *people) callings(listed []directory.Person) map[string]string {
	said, concluded := map[string]string{}, map[string]string{}
	for i := range listed {
		l := &listed[i]
		identity := p.identityOf(l)
		add := func(to map[string]string, name string) {
			if before, ok := to[name]; ok && before != identity {
				to[name] = ""
			} else {
				to[name] = identity
			}
		}
		upn, sam := p.read.Read(l.UPN), p.read.Read(l.SAM)
		if l.UPN != "" {
			add(said, calledAs(upn))
			add(concluded, asAccount+upn.Key)
		}
		if l.SAM != "" {
			in := p.read.In(sam, upn)
			add(said, calledAs(in))
			add(concluded, asPrincipal+in.Key)
			add(said, asBare+bareOf(l.SAM))
		}
		if r := p.read.Read(l.Display); l.Display != "" && r.Form == dedup.Display {
			add(said, calledAs(r))
		}
		if r := p.read.Read(l.Display + " (" + l.Title + ")"); l.Display != "" && l.Title != "" && r.Form == dedup.Display {
			add(said, calledAs(r)) // as Defender for Identity writes it
		}
	}
	for name, identity := range concluded {
		if _, ok := said[name]; !ok {
			said[name] = identity
		}
	}
	return said
}

// How directory_names writes names: in front of the key the form, because ibrook@hill.example need not be
// HILL\ibrook where the directory says so.
const (
	asDisplay   = "d:"
	asPrincipal = "u:"
	asAccount   = "s:" // in a domain
	asBare      = "b:" // in a domain that nobody knows
)

func calledAs(r dedup.Spelling) string {
	switch {
	case r.Form == dedup.Display:
		return asDisplay + r.Key
	case r.Form == dedup.Principal:
		return asPrincipal + r.Key
	case r.Certain:
		return asAccount + r.Key
	}
	return asBare + r.Key
}

// bareOf is the key of an account's name without its domain.
func bareOf(sam string) string {
	key, _ := dedup.People{}.Identity(sam[1+strings.LastIndexByte(sam, '\\'):])
	return key
}

// listed is the identity that the directory gives a spelling; known without one means that it doesn't say whose.
func (p *people) listed(ctx context.Context, r dedup.Spelling) (identity string, known bool, err error) {
	known, err = p.f.row(ctx, "SELECT identity FROM directory_names WHERE name = ?", []any{calledAs(r)}, &identity)
	return identity, known, err
}
