package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// resolve replaces ${NAME} by the environment's value and ${file:/path} by what the file holds,
// anywhere in s; $$ is a dollar sign, and one before anything else is itself. What comes in so is not
// resolved again. Of a variable as a shell has it a target's answer would say no more than that a token is wrong.
func (w *walker) resolve(s string) (string, error) {
	if name, ok := strings.CutPrefix(s, "$"); ok && !strings.ContainsAny(name, "${}") {
		if _, ok := w.env(name); ok {
			return "", fmt.Errorf("found %s, expected %s for the environment variable, or %s for this text", quote(s), quote("${"+name+"}"), quote("$"+s))
		}
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		if rest, ok := strings.CutPrefix(after, "$"); ok {
			out.WriteByte('$')
			s = rest
			continue
		}
		reference, ok := strings.CutPrefix(after, "{")
		if !ok {
			out.WriteByte('$')
			s = after
			continue
		}
		name, rest, ok := strings.Cut(reference, "}")
		if !ok {
			return "", fmt.Errorf("found %s, expected } after ${; a dollar sign itself is written $$", quote("$"+after))
		}
		value, err := w.look(name)
		if err != nil {
			return "", err
		}
		if out.WriteString(value); out.Len() > maxFile {
			return "", fmt.Errorf("found %s, expected references to no more than 1 MiB", quote(s))
		}
		s = rest
	}
}

// look reads an environment variable, or a file without the line feed at its end.
func (w *walker) look(name string) (string, error) {
	path, isFile := strings.CutPrefix(name, "file:")
	if isFile {
		text, err := readSmall(path)
		if err != nil {
			return "", fmt.Errorf("found %s: %w; expected %s", quote("${"+name+"}"), err, readable)
		}
		text = strings.TrimSuffix(text, "\n")
		return strings.TrimSuffix(text, "\r"), nil
	}
	if name == "" {
		return "", fmt.Errorf("found %s, expected the name of an environment variable or file:/path", quote("${}"))
	}
	value, ok := w.env(name)
	if !ok {
		return "", fmt.Errorf("found %s, expected an environment variable that is set", quote("${"+name+"}"))
	}
	return value, nil
}

// readable is what is expected of a file that the configuration names.
const readable = "a file that Sluice can read"

// readSmall reads a regular file of up to maxFile bytes; a pipe might never end. What it says of a
// failure doesn't name the file.
func readSmall(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", bare(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", bare(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", bare(err)
	}
	if len(data) > maxFile {
		return "", errors.New("it has more than 1 MiB")
	}
	return string(data), nil
}

// bare is what the operating system says, without the call and the path.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
