// Package powercut leaves of a process's files what a power cut may leave. It knows what was synced, for it
// has read every system call of the process; copying the files of a killed process shows nothing, because
// what the process wrote is safe in the kernel.
//
// # What a power cut may leave
//
// Of a file, what was there when its last fsync began. Of each write after that nothing, all of it, its
// beginning, or any of its sectors; the file may be as long as with the write and have zeros, or what was
// there before, where sectors are missing. Writes to a file that was opened with O_SYNC or O_DSYNC are
// synced when they end. Of a mapped file that the process writes to without a call, any page that no msync
// covers may be as it was before.
//
// Of a directory, the names that were there when its last fsync began, with the sizes that were set before
// anything was written, and a beginning of the changes after that, in their order, as file systems with a
// journal keep it. As with all of them, the fsync of a new file makes its name and those of new directories
// above it safe; that of a renamed one only its contents.
package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Disk is a directory whose files one process after another works on.
type Disk struct {
	root  string
	top   *inode
	calls int // system calls so far

	// of the process that is followed
	open    map[int]*handle
	mapped  map[uint64]mapping // by address
	pending map[string]*call   // by thread
}

// inode is a file or a directory.
type inode struct {
	mode fs.FileMode

	sure   image   // what is synced
	writes []write // since, in the order in which they began
	size   int64   // with all writes
	byMap  bool    // the process wrote to it, or may have, without a call
	synced []span  // of what it wrote so

	names   map[string]*inode // of a directory: what is there
	safe    map[string]*inode // what is synced
	changes []change          // that lead from safe to names
	above   *inode            // where it was made; nil where it was there before
}

// write is one write to a file, or the setting of its size.
type write struct {
	begun, ended int // ended is 0 where it never did
	at           int64
	data         []byte
	resize       bool // to at
}

// change is one change of a directory: a new name, one that is gone, or a renaming.
type change struct {
	ended    int
	from, to string
	file     *inode
}

type span struct{ from, to int64 }

// New takes what is in root for synced.
func New(root string) (*Disk, error) {
	root, err := filepath.Abs(root)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return nil, err
	}
	d := &Disk{root: root}
	d.top, err = load(root)
	return d, err
}

// load reads what is there.
func load(path string) (*inode, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	n := &inode{mode: info.Mode()}
	if info.IsDir() {
		n.names, n.safe = map[string]*inode{}, map[string]*inode{}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && !e.Type().IsRegular() {
				continue // a socket that is left says nothing
			}
			one, err := load(filepath.Join(path, e.Name()))
			if err != nil {
				return nil, err
			}
			n.names[e.Name()], n.safe[e.Name()] = one, one
		}
		return n, nil
	}
	n.sure, err = readImage(path)
	n.size = n.sure.size
	return n, err
}

// sync makes safe what had ended before that call, and the names that lead to it if they are new.
func (n *inode) sync(before int) {
	n.writes = slices.DeleteFunc(n.writes, func(w write) bool {
		over := w.ended > 0 && w.ended < before
		if over {
			n.sure.apply(w)
		}
		return over
	})
	for len(n.changes) > 0 && n.changes[0].ended < before {
		n.settle(1)
	}
	for _, one := range n.safe {
		one.keepSize(before)
	}
	n.keepName(before)
}

// settle makes the first changes of a directory safe.
func (n *inode) settle(some int) {
	for _, c := range n.changes[:some] {
		c.apply(n.safe)
	}
	n.changes = n.changes[some:]
}

// keepSize makes safe the size that a file was given before anything was written to it.
func (n *inode) keepSize(before int) {
	for len(n.writes) > 0 && n.writes[0].resize && n.writes[0].ended > 0 && n.writes[0].ended < before {
		n.sure.apply(n.writes[0])
		n.writes = n.writes[1:]
	}
}

func (n *inode) keepName(before int) {
	dir := n.above
	if dir == nil {
		return
	}
	made := slices.IndexFunc(dir.changes, func(c change) bool { return c.file == n && c.from == "" && c.ended < before })
	dir.settle(made + 1)
	dir.keepName(before)
}

func (n *inode) change(c change) {
	n.changes = append(n.changes, c)
	c.apply(n.names)
}

func (c change) apply(names map[string]*inode) {
	delete(names, c.from)
	if c.to != "" {
		names[c.to] = c.file
	}
}

// Check compares what is in the directory with what it should be by the calls that were read. Nothing of
// what this package says is true where they differ.
func (d *Disk) Check() error { return d.check(d.top, d.root) }

func (d *Disk) check(n *inode, path string) error {
	if n.names == nil {
		if n.byMap {
			return nil
		}
		have, err := readImage(path)
		if err != nil {
			return err
		}
		want := n.sure.clone()
		for _, w := range n.writes {
			want.apply(w)
		}
		if !have.equal(want) {
			return fmt.Errorf("%s has %d bytes that are not what was written, %d bytes", path, have.size, want.size)
		}
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	errs := []error{}
	for _, e := range entries {
		if n.names[e.Name()] == nil && e.Type()&fs.ModeSocket == 0 {
			errs = append(errs, fmt.Errorf("%s is there, and nobody made it", filepath.Join(path, e.Name())))
		}
	}
	for name, one := range n.names {
		errs = append(errs, d.check(one, filepath.Join(path, name)))
	}
	return errors.Join(errs...)
}

// Cut puts in place of the directory what a power cut may leave of it. No process may work on it.
func (d *Disk) Cut(rng *rand.Rand) error {
	where := map[*inode]string{}
	d.top.walk(d.root, func(n *inode, path string) { where[n] = path })
	top, err := d.top.left(where, rng)
	if err != nil {
		return err
	}
	d.top = top
	place := d.root + ".left"
	return errors.Join(os.RemoveAll(place), top.write(place), os.RemoveAll(d.root), os.Rename(place, d.root))
}

// Put replaces what is in a file, for good.
func (d *Disk) Put(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	var err error
	d.top, err = load(d.root)
	return err
}

// walk visits what is there.
func (n *inode) walk(path string, visit func(*inode, string)) {
	visit(n, path)
	for name, one := range n.names {
		one.walk(filepath.Join(path, name), visit)
	}
}

// left is what may be left of a file or a directory, all of it synced. Mapped files are read where they are.
func (n *inode) left(where map[*inode]string, rng *rand.Rand) (*inode, error) {
	out := &inode{mode: n.mode}
	if n.names == nil {
		how := fate(rng.IntN(4))
		out.sure = n.remains(how, rng)
		if n.byMap && where[n] != "" {
			now, err := readImage(where[n])
			if err != nil {
				return nil, err
			}
			n.mapped(&out.sure, now, how, rng)
		}
		out.size = out.sure.size
		return out, nil
	}
	n.settle(rng.IntN(len(n.changes) + 1))
	out.names, out.safe = map[string]*inode{}, map[string]*inode{}
	for _, name := range slices.Sorted(maps.Keys(n.safe)) { // sorted for the sake of rng
		one, err := n.safe[name].left(where, rng)
		if err != nil {
			return nil, err
		}
		out.names[name], out.safe[name] = one, one
	}
	return out, nil
}

// write makes the files and directories.
func (n *inode) write(path string) error {
	if n.names == nil {
		return n.sure.write(path, n.mode.Perm())
	}
	err := os.Mkdir(path, n.mode.Perm())
	for name, one := range n.names {
		err = errors.Join(err, one.write(filepath.Join(path, name)))
	}
	return err
}

// fate is what becomes of what was not synced.
type fate int

const (
	lost      fate = iota
	kept           // all of it
	beginning      // and a part of what comes next
	scattered      // any sectors
)

// remains is what is left of what was written by calls.
func (n *inode) remains(how fate, rng *rand.Rand) image {
	out := n.sure.clone()
	most := 0 // of the writes
	switch how {
	case kept, scattered:
		most = len(n.writes)
	case beginning:
		most = rng.IntN(len(n.writes) + 1)
	case lost:
	}
	for i, w := range n.writes {
		switch {
		case i < most && how == scattered && w.resize:
			if rng.IntN(2) == 0 {
				out.apply(w)
			}
		case i < most && how == scattered:
			w.scatter(&out, rng)
		case i < most:
			out.apply(w)
		case i == most && how == beginning && !w.resize:
			w.data = w.data[:rng.IntN(len(w.data)/sector+1)*sector]
			out.apply(w)
		}
	}
	return out
}

// scatter writes any sectors.
func (w write) scatter(out *image, rng *rand.Rand) {
	for from := int64(0); from < int64(len(w.data)); {
		to := min(from+sector-(w.at+from)%sector, int64(len(w.data)))
		switch rng.IntN(4) {
		case 0: // it may be longer all the same
			out.size = max(out.size, w.at+to)
		case 1:
		default:
			out.apply(write{at: w.at + from, data: w.data[from:to]})
		}
		from = to
	}
}

// mapped adds what is left of what was written to memory.
func (n *inode) mapped(out *image, now image, how fate, rng *rand.Rand) {
	if how == kept {
		*out = now
		return
	}
	until := int64(0)
	if how == beginning && now.size > 0 {
		until = rng.Int64N(now.size)
	}
	for _, number := range slices.Sorted(maps.Keys(now.pages)) {
		at := number * pageSize
		in := slices.ContainsFunc(n.synced, func(s span) bool { return s.from <= at && at < s.to })
		if in || how == beginning && at < until || how == scattered && rng.IntN(2) == 0 {
			if at < out.size {
				out.pages[number] = now.pages[number]
			}
		}
	}
}

// image is what is in a file. Pages of zeros are left out.
type image struct {
	size  int64
	pages map[int64]*[pageSize]byte // never changed
}

const (
	pageSize = 4096
	sector   = 512
)

func (i image) clone() image {
	out := image{i.size, make(map[int64]*[pageSize]byte, len(i.pages))}
	maps.Copy(out.pages, i.pages)
	return out
}

func (i image) equal(o image) bool {
	all := maps.Clone(i.pages)
	maps.Copy(all, o.pages)
	for n := range all {
		if i.page(n) != o.page(n) {
			return false
		}
	}
	return i.size == o.size
}

func (i image) page(number int64) (p [pageSize]byte) {
	if one := i.pages[number]; one != nil {
		p = *one
	}
	return p
}

func (i *image) apply(w write) {
	if i.pages == nil {
		i.pages = map[int64]*[pageSize]byte{}
	}
	if w.resize {
		i.resize(w.at)
		return
	}
	for data, at := w.data, w.at; len(data) > 0; {
		p := i.page(at / pageSize)
		n := copy(p[at%pageSize:], data)
		i.pages[at/pageSize] = &p
		data, at = data[n:], at+int64(n)
	}
	if len(w.data) > 0 {
		i.size = max(i.size, w.at+int64(len(w.data)))
	}
}

func (i *image) resize(size int64) {
	for n := range i.pages {
		switch at := n * pageSize; {
		case at >= size:
			delete(i.pages, n)
		case at+pageSize > size:
			p := i.page(n)
			clear(p[size-at:])
			i.pages[n] = &p
		}
	}
	i.size = size
}

func readImage(path string) (image, error) {
	out := image{pages: map[int64]*[pageSize]byte{}}
	f, err := os.Open(path)
	if err != nil {
		return out, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return out, err
	}
	out.size = info.Size()
	var zeros [pageSize]byte
	chunk := make([]byte, min(1<<20, out.size))
	for at := int64(0); at < out.size; at += int64(len(chunk)) {
		n, err := f.ReadAt(chunk, at)
		if n == 0 {
			return out, err
		}
		for page := 0; page < n; page += pageSize {
			if b := chunk[page:min(page+pageSize, n)]; !bytes.Equal(b, zeros[:len(b)]) {
				var p [pageSize]byte
				copy(p[:], b)
				out.pages[(at+int64(page))/pageSize] = &p
			}
		}
	}
	return out, nil
}

func (i image) write(path string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	for n, p := range i.pages {
		if at := n * pageSize; err == nil {
			_, err = f.WriteAt(p[:min(pageSize, i.size-at)], at)
		}
	}
	if err == nil {
		err = f.Truncate(i.size)
	}
	return errors.Join(err, f.Close())
}
