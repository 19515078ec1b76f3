package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/durable"
)

// boot tells one run of the machine from the next. Where nobody tells us, any may have been the last.
type boot struct {
	path string // of the file with that of the last gateway
	now  []byte
}

func thisBoot(c config.Config) boot {
	now, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		now = nil
	}
	return boot{filepath.Join(c.DataDir, "boot"), now}
}

// again says whether the machine may have been started anew since note.
func (b boot) again() (bool, error) {
	then, err := os.ReadFile(b.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the last boot: %w", err)
	}
	return len(b.now) == 0 || !bytes.Equal(then, b.now), nil
}

// note keeps that a gateway ran since this boot.
func (b boot) note() error {
	if again, err := b.again(); !again || err != nil {
		return err
	}
	if err := durable.WriteFile(b.path, b.now); err != nil {
		return fmt.Errorf("keep this boot: %w", err)
	}
	return nil
}

// whole is nil unless a power cut may have made a hole in the state in dir.
func (b boot) whole(dir string) error {
	torn, err := dedup.Torn(dir)
	if err != nil || !torn {
		return err
	}
	if again, err := b.again(); err != nil || !again {
		return err
	}
	return unfit{errors.New("the machine was started anew while the state had two logs, and the older one may have lost its end")}
}
