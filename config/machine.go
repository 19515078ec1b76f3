package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-siem/sluice/config/directory"
)

// Machine says what this machine, to the user who asks, lacks for the configuration in a file without
// problems: directories that Sluice doesn't make itself, or may not write to, certificates that don't end soon, and a
// directory file without a mistake. It says so with file, line and key, and apart from Load, as a configuration may be
// meant for another machine or user.
func Machine(path string) (Errors, error) {
	c, p, err := read(path)
	if err != nil {
		return nil, err
	}
	if _, err := p.result(c); err != nil {
		return nil, err
	}
	c.checkMachine(p)
	c.checkLapse(p, time.Now())
	_, err = p.result(c)
	found, _ := errors.AsType[Errors](err)
	return found, nil
}

func (c *Config) checkMachine(p *problems) {
	if why := lacksTree(c.DataDir); why != "" {
		p.add("data_dir", "on this machine: found %s, %s; expected a directory that Sluice may write to, or make", quote(c.DataDir), why)
	}
	for i, t := range c.Targets {
		// What lies in data_dir itself needs nothing more.
		if t.Type != "file" || filepath.Dir(t.Path) == filepath.Clean(c.DataDir) {
			continue
		}
		if why := lacksFile(t.Path); why != "" {
			p.add(fmt.Sprintf("targets[%d].path", i),
				"on this machine: found %s, %s; expected a file that Sluice may write to, or may make in a directory that is there", quote(t.Path), why)
		}
	}
	if file := c.Organisation.DirectoryFile; file != "" {
		if _, err := directory.Load(file); err != nil {
			p.add("organisation.directory_file", "on this machine: found %s: %s; expected no mistake in it: until then nobody is known by it", quote(file), err)
		}
	}
}

// checkLapse finds certificates that are over, soon will be, or are not good yet: senders then leave without a word that anybody
// would understand.
func (c *Config) checkLapse(p *problems, now time.Time) {
	check := func(t TLS, path string) {
		if t.Cert == "" {
			return
		}
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		switch {
		case err != nil: // it was told of
		case pair.Leaf.NotBefore.After(now):
			p.add(path+".cert", "on this machine: found %s, which is good from %s only, and the clock says %s; expected one that is good now",
				quote(t.Cert), pair.Leaf.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		case !pair.Leaf.NotAfter.After(now.AddDate(0, 0, 14)):
			p.add(path+".cert", "on this machine: found %s, which is good until %s; expected a certificate that is good for two weeks more",
				quote(t.Cert), pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	for i, in := range c.Inputs {
		check(in.TLS, fmt.Sprintf("inputs[%d].tls", i))
	}
	check(TLS{Cert: c.HTTP.TLS.Cert, Key: c.HTTP.TLS.Key}, "http.tls")
	for i, t := range c.Targets {
		check(t.TLS, fmt.Sprintf("targets[%d].tls", i))
	}
}

// lacksTree says why a directory can neither be used nor made with those above it.
func lacksTree(dir string) string {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return err.Error()
	}
	for above := whole; ; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		switch {
		case err != nil && exists(above):
			return fmt.Sprintf("where %s can't be followed: %s", quote(above), plain(err))
		case err != nil && above != filepath.Dir(above):
			continue // it is made
		case err != nil:
			return err.Error()
		case !info.IsDir():
			return fmt.Sprintf("where %s is no directory", quote(above))
		}
		if err := unix.Faccessat(unix.AT_FDCWD, above, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
			if above == whole {
				return fmt.Sprintf("in which user %d may not write (%s)", os.Geteuid(), err)
			}
			return fmt.Sprintf("which user %d neither finds nor may make in %s (%s)", os.Geteuid(), quote(above), err)
		}
		return ""
	}
}

// exists says whether there is something of that name, be it a link to nothing.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// lacksFile says why a file can neither be written to nor made.
func lacksFile(path string) string {
	dir := filepath.Dir(path)
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return "which is a directory"
	case err == nil:
		if err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS); err != nil {
			return fmt.Sprintf("to which user %d may not write (%s)", os.Geteuid(), err)
		}
		return ""
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
		return plain(err)
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("whose directory %s isn't there", quote(dir))
	case err != nil:
		return plain(err)
	case !info.IsDir():
		return fmt.Sprintf("where %s is no directory", quote(dir))
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Sprintf("which isn't there and user %d may not make in %s (%s)", os.Geteuid(), quote(dir), err)
	}
	return ""
}

// plain is the operating system's word without the call and the path, which stand beside it.
func plain(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}
