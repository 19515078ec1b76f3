package powercut

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// settleWrite ends a write that the process died in. As much of it happened as is there: whoever syncs the file
// from now on makes that safe, though the writer was never told.
func (d *Disk) settleWrite(c *call) error {
	file, i := c.wrote, c.index()
	defer func() { file.size = file.whole() }()
	now, err := d.now(file)
	if err != nil {
		return err
	}
	w := &file.writes[i]
	w.ended = d.calls
	happened := 0
	for happened < len(w.data) && w.at+int64(happened) < int64(len(now)) && now[w.at+int64(happened)] == w.data[happened] {
		happened++
	}
	w.data = w.data[:happened]
	if happened == 0 && (!w.resize || int64(len(now)) != w.at) {
		file.writes = slices.Delete(file.writes, i, i+1)
	}
	return nil
}

// now is what is in a file; nothing where it has no name any more.
func (d *Disk) now(file *inode) (data []byte, err error) {
	d.top.walk(d.root, func(n *inode, path string) {
		if n == file && data == nil && err == nil {
			data, err = os.ReadFile(path)
		}
	})
	return data, err
}

// settleName ends a call about names that the process died in.
func (d *Disk) settleName(c *call, cwd string) error {
	switch c.name {
	case "openat", "mkdirat", "unlinkat", "renameat", "renameat2", "linkat":
	default:
		return nil
	}
	i := 0
	if c.name == "linkat" {
		i = 2 // it makes the second one
	}
	dir, base, err := d.find(c, i, cwd)
	if err != nil || dir == nil {
		return err
	}
	var there fs.FileInfo
	d.top.walk(d.root, func(n *inode, path string) {
		if n == dir && err == nil {
			there, err = os.Lstat(filepath.Join(path, base))
		}
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before := dir.names[base]
	emptied := c.name == "openat" && before != nil && there != nil && there.Size() == 0 && before.size > 0
	if (before != nil) == (there != nil) && !emptied {
		return nil
	}
	return d.name(c, "0", cwd)
}
