package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// Damaged is a file that says who may come in, and isn't what was written.
type Damaged struct {
	Path string
	Lost string // what goes with it, in words
	Err  error
}

// errDamaged is that a file can be read, but not understood.
var errDamaged = errors.New("the file is damaged")

// read reads what is kept as JSON; a file that isn't there leaves into as it is.
func read(path string, into any) error {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}

func adminPath(dataDir string) string  { return filepath.Join(dataDir, "access", "admin") }
func tokensPath(dataDir string) string { return filepath.Join(dataDir, "access", "tokens") }

// Check finds what is damaged in dataDir.
func Check(dataDir string) []Damaged {
	var found []Damaged
	for _, d := range []struct {
		Damaged
		into any
	}{
		{Damaged{Path: adminPath(dataDir), Lost: "the local admin's password is void, and a start says a new one-time password"}, new(password)},
		{Damaged{Path: tokensPath(dataDir), Lost: "every token is revoked, those of senders too"}, new(tokenFile)},
	} {
		if d.Err = read(d.Path, d.into); errors.Is(d.Err, errDamaged) {
			found = append(found, d.Damaged)
		}
	}
	return found
}

// aside is the end of the name of what was set aside.
const aside = ".damaged"

// Mend sets aside what is damaged in dataDir, and says what that was. It lets nobody in who may not come in, and a
// gateway that doesn't start for want of a password would keep alerts from the SIEM.
func Mend(dataDir string) ([]Damaged, error) {
	found := Check(dataDir)
	for _, d := range found {
		err := os.Rename(d.Path, d.Path+aside)
		if err == nil {
			err = durable.SyncDir(filepath.Dir(d.Path))
		}
		if err != nil {
			return found, fmt.Errorf("set what is damaged aside: %w", err)
		}
	}
	return found, nil
}

// mend is Mend for a start, which says it in the log.
func mend(dataDir string, log *slog.Logger) error {
	found, err := Mend(dataDir)
	for _, d := range found {
		log.Error("what says who may come in is damaged, and set aside", "lost", d.Lost, "file", d.Path, "set_aside", d.Path+aside, "err", d.Err)
	}
	return err
}
