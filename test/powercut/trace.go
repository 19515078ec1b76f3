package powercut

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// followed are the system calls that change files, or say which file a later one changes.
const followed = "openat,?open,?creat,close,lseek,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,msync,mmap,munmap,mremap," +
	"?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?link,linkat,?symlink,symlinkat,truncate,ftruncate,fallocate," +
	"copy_file_range,sendfile,splice,dup,?dup2,dup3"

// Recorder is the command before a command whose system calls are recorded in the file trace, by strace.
// The process keeps its number. The recording is complete when nobody has the command's standard error open.
func Recorder(trace string) []string {
	return []string{
		"strace", "-D", "-f", "--seccomp-bpf", "-e", "signal=none", "-xx", "-s", "16777216", "-o", trace, "-e", "trace=" + followed, "--",
	}
}

// handle is an open file or directory.
type handle struct {
	file         *inode
	at           int64
	appends      bool
	synchronized bool
}

type mapping struct {
	file     *inode
	at, size int64 // in the file
}

// call is one system call.
type call struct {
	name  string
	args  []string
	begun int
	wrote *inode // by the call, as its last write that hasn't ended
	text  string // as far as it is known
}

// Follow takes in what a process did that has ended, dir being its working directory. What became of the calls that
// it was killed in the middle of, the directory tells: nobody may have worked on it since.
func (d *Disk) Follow(trace, dir string) error {
	text, err := os.ReadFile(trace)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return err
	}
	d.open, d.mapped, d.pending = map[int]*handle{}, map[uint64]mapping{}, map[string]*call{}
	for line := range strings.Lines(string(text)) {
		if err := d.line(strings.TrimSuffix(line, "\n"), dir); err != nil {
			return fmt.Errorf("%w: %.300s", err, line)
		}
	}
	for _, c := range slices.SortedFunc(maps.Values(d.pending), func(a, b *call) int { return a.begun - b.begun }) {
		d.calls++
		if c.wrote != nil {
			err = d.settleWrite(c)
		} else {
			err = d.settleName(c, dir)
		}
		if err != nil {
			return fmt.Errorf("%w: %.300s", err, c.text)
		}
	}
	return nil
}

// line takes in one line of the recording: a call, its beginning or its end.
func (d *Disk) line(line, dir string) error {
	const unfinished, resumed, dead = " <unfinished ...>", " resumed>", "= ?"
	thread, text, _ := strings.Cut(line, " ")
	text = strings.TrimSpace(text)
	text = strings.Replace(text, " <detached ...>", unfinished, 1) // it died
	text = strings.TrimSuffix(text, " <unavailable>")              // the same, of a call that was just ending
	d.calls++
	switch {
	case strings.HasPrefix(text, "+++"), strings.HasPrefix(text, "---"):
		return nil // the end of a thread, a signal
	case strings.HasPrefix(text, "<... ") && strings.HasSuffix(text, dead):
		return nil
	case strings.HasPrefix(text, "<... "):
		c := d.pending[thread]
		if c == nil {
			return errors.New("nothing to resume")
		}
		delete(d.pending, thread)
		_, rest, _ := strings.Cut(text, resumed)
		c.text += rest
		return d.end(c, dir)
	}
	c := &call{begun: d.calls, text: strings.TrimSuffix(text, unfinished)}
	if err := d.begin(c); err != nil {
		return err
	}
	if c.text != text || strings.HasSuffix(text, dead) {
		d.pending[thread] = c
		return nil
	}
	d.calls++
	return d.end(c, dir)
}

// begin takes in what is so from the beginning of a call: bytes may be there, a number is free.
func (d *Disk) begin(c *call) error {
	name, rest, ok := strings.Cut(c.text, "(")
	if !ok {
		return errors.New("no call")
	}
	c.name = name
	c.split(rest)
	c.byDirectory()
	if len(c.args) == 0 {
		return nil
	}
	h := d.open[c.number(0)]
	if h == nil {
		return nil
	}
	switch name {
	case "close":
		delete(d.open, c.number(0))
	case "write", "pwrite64":
		data, err := decode(c.args[1])
		if err != nil {
			return err
		}
		at := h.at
		switch {
		case h.appends:
			at = h.file.size
		case name == "pwrite64":
			at = int64(c.number(3))
		}
		c.writes(h.file, write{at: at, data: data})
	case "ftruncate":
		c.writes(h.file, write{at: int64(c.number(1)), resize: true})
	case "writev", "pwritev", "pwritev2", "fallocate", "copy_file_range", "sendfile", "splice", "dup", "dup2", "dup3", "sync_file_range":
		return errors.New("this call on a file is not understood here")
	}
	return nil
}

func (c *call) writes(file *inode, w write) {
	w.begun = c.begun
	file.writes = append(file.writes, w)
	c.wrote = file
	if w.resize {
		file.size = w.at
	} else {
		file.size = max(file.size, w.at+int64(len(w.data)))
	}
}

func (c *call) split(args string) {
	if i := strings.LastIndex(args, " = "); i >= 0 {
		args = strings.TrimRight(args[:i], " ")
		args = strings.TrimSuffix(args, ")")
	}
	c.args = strings.Split(args, ", ")
}

// byDirectory makes the older calls, whose paths stand alone, those that name each path's directory first: SQLite
// uses the older ones.
func (c *call) byDirectory() {
	const here = "AT_FDCWD"
	switch c.name {
	case "open", "mkdir", "unlink", "rmdir":
		c.args = append([]string{here}, c.args...)
	case "rename", "link":
		if len(c.args) == 2 {
			c.args = []string{here, c.args[0], here, c.args[1]}
		}
	}
	if at, old := map[string]string{
		"open": "openat", "mkdir": "mkdirat", "unlink": "unlinkat", "rmdir": "unlinkat", "rename": "renameat", "link": "linkat",
	}[c.name]; old {
		c.name = at
	}
}

// number is an argument, -1 where it is none: AT_FDCWD, for example.
func (c *call) number(i int) int {
	if i >= len(c.args) {
		return -1
	}
	n, err := strconv.ParseInt(c.args[i], 0, 64)
	if err != nil {
		return -1
	}
	return int(n)
}

// decode reads a string of \x00.
func decode(s string) ([]byte, error) {
	s, ok := strings.CutPrefix(s, `"`)
	s, end := strings.CutSuffix(s, `"`)
	if !ok || !end {
		return nil, errors.New("a string that is cut")
	}
	return hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
}

// end takes in what is so when a call has ended.
func (d *Disk) end(c *call, dir string) error {
	i := strings.LastIndex(c.text, " = ")
	if i < 0 {
		return errors.New("no result")
	}
	result, _, _ := strings.Cut(c.text[i+3:], " ")
	name, rest, _ := strings.Cut(c.text, "(")
	c.name = name
	c.split(rest)
	c.byDirectory()
	if c.wrote != nil {
		return d.wrote(c, result)
	}
	if strings.HasPrefix(result, "-1") {
		return nil
	}
	h := d.open[c.number(0)]
	switch c.name {
	case "fsync", "fdatasync":
		if h != nil {
			h.file.sync(c.begun)
		}
		return nil
	case "lseek":
		if h != nil {
			at, err := strconv.ParseInt(result, 10, 64)
			h.at = at
			return err
		}
		return nil
	case "mmap", "munmap", "msync", "mremap":
		return d.memory(c, result)
	case "openat", "mkdirat", "unlinkat", "renameat", "renameat2", "linkat":
		return d.name(c, result, dir)
	case "close", "write", "pwrite64", "writev", "ftruncate", "dup", "dup2", "dup3", "sendfile", "splice", "copy_file_range", "pwritev", "pwritev2":
		return nil // of something else
	}
	return errors.New("this call is not understood here")
}

// wrote ends a write.
func (d *Disk) wrote(c *call, result string) error {
	n, err := strconv.Atoi(result)
	if err != nil {
		return err
	}
	file := c.wrote
	w := &file.writes[c.index()]
	w.ended = d.calls
	h := d.open[c.number(0)]
	switch {
	case n < 0:
		return errors.New("a write failed, and how much of it is there is not understood here")
	case !w.resize && n < len(w.data):
		w.data = w.data[:n]
		file.size = file.whole()
	}
	if h == nil {
		return nil
	}
	if c.name == "write" {
		h.at = w.at + int64(n)
	}
	if h.synchronized {
		file.sync(d.calls + 1)
	}
	return nil
}

// index is the place of the call's write among those of its file.
func (c *call) index() int {
	return slices.IndexFunc(c.wrote.writes, func(w write) bool { return w.begun == c.begun })
}

// whole is the size with all writes.
func (n *inode) whole() int64 {
	size := n.sure.size
	for _, w := range n.writes {
		if w.resize {
			size = w.at
		} else if len(w.data) > 0 {
			size = max(size, w.at+int64(len(w.data)))
		}
	}
	return size
}

func (d *Disk) memory(c *call, result string) error {
	if c.name == "mmap" {
		h := d.open[c.number(4)]
		if h == nil || !strings.Contains(c.args[3], "MAP_SHARED") || !strings.Contains(c.args[2], "PROT_WRITE") {
			return nil
		}
		at, err := strconv.ParseUint(result, 0, 64)
		h.file.byMap = true
		d.mapped[at] = mapping{h.file, int64(c.number(5)), int64(c.number(1))}
		return err
	}
	from, err := strconv.ParseUint(c.args[0], 0, 64)
	if err != nil {
		return err
	}
	for at, m := range d.mapped {
		if from < at || from >= at+uint64(m.size) {
			continue
		}
		switch c.name {
		case "munmap":
			delete(d.mapped, at)
		case "mremap":
			to, err := strconv.ParseUint(result, 0, 64)
			delete(d.mapped, at)
			d.mapped[to] = mapping{m.file, m.at, int64(c.number(2))}
			return err
		default:
			m.file.sync(c.begun)
			begin := m.at + int64(from-at)
			m.file.synced = append(m.file.synced, span{begin, begin + int64(c.number(1))})
		}
	}
	return nil
}

// name takes in a call that is about names.
func (d *Disk) name(c *call, result, cwd string) error {
	dir, base, err := d.find(c, 0, cwd)
	if err != nil {
		return err
	}
	switch c.name {
	case "openat":
		return d.opened(c, result, dir, base)
	case "mkdirat":
		if dir != nil {
			n := &inode{mode: fsDir, above: dir, names: map[string]*inode{}, safe: map[string]*inode{}}
			dir.change(change{d.calls, "", base, n})
		}
	case "unlinkat":
		if dir != nil && dir.names[base] != nil {
			dir.change(change{d.calls, base, "", nil})
		}
	default:
		other, to, err := d.find(c, 2, cwd)
		switch {
		case err != nil:
			return err
		case c.name == "linkat" && dir != nil && other != nil && dir.names[base] != nil:
			other.change(change{d.calls, "", to, dir.names[base]})
		case dir != other || dir != nil && dir.names[base] == nil:
			return errors.New("a renaming that is not understood here")
		case dir != nil:
			dir.change(change{d.calls, base, to, dir.names[base]})
		}
	}
	return nil
}

const fsDir = os.ModeDir | 0o700

// opened takes in that a file was opened, and perhaps made.
func (d *Disk) opened(c *call, result string, dir *inode, base string) error {
	number, err := strconv.Atoi(result)
	if err != nil || dir == nil {
		return err
	}
	flags := "|" + c.args[2] + "|"
	has := func(flag string) bool { return strings.Contains(flags, "|"+flag+"|") }
	n := dir.names[base]
	if base == "." {
		n = dir
	}
	switch {
	case n == nil && !has("O_CREAT"):
		return errors.New("what was opened isn't there")
	case n == nil:
		n = &inode{mode: 0o600, above: dir, sure: image{pages: map[int64]*[pageSize]byte{}}}
		dir.change(change{d.calls, "", base, n})
	case has("O_TRUNC") && n.size > 0:
		n.writes = append(n.writes, write{begun: c.begun, ended: d.calls, resize: true})
		n.size = 0
	}
	d.open[number] = &handle{file: n, appends: has("O_APPEND"), synchronized: has("O_SYNC") || has("O_DSYNC")}
	return nil
}

// find gives the directory and the name that the arguments from the i-th on speak of; nil where that isn't
// on this disk.
func (d *Disk) find(c *call, i int, cwd string) (dir *inode, base string, err error) {
	if i+1 >= len(c.args) {
		return nil, "", errors.New("too few arguments")
	}
	name, err := decode(c.args[i+1])
	if err != nil {
		return nil, "", err
	}
	path := string(name)
	n := d.top
	if h := d.open[c.number(i)]; h != nil && !filepath.IsAbs(path) {
		n = h.file
	} else {
		if !filepath.IsAbs(path) {
			path = filepath.Join(cwd, path)
		}
		if path, err = filepath.Rel(d.root, path); err != nil || path == ".." || strings.HasPrefix(path, "../") {
			return nil, "", nil //nolint:nilerr // it is elsewhere
		}
	}
	parts := strings.Split(filepath.Clean(path), "/")
	for _, p := range parts[:len(parts)-1] {
		if n = n.names[p]; n == nil {
			return nil, "", fmt.Errorf("no directory %s", p)
		}
	}
	return n, parts[len(parts)-1], nil
}
