package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// A snapshot is at most this old, give or take the look.
const (
	snapshotEvery = 24 * time.Hour
	copyLook      = 10 * time.Minute
)

// snapshot is where the model is copied: what the stream has purged by now, a model made anew has from there.
func (m *Model) snapshot() string { return m.path() + ".snapshot" }

// keep copies the model every day, until ctx ends, the first time some minutes after the start. It reads all of it for
// that, and returns the error where it finds damage.
func (m *Model) keep(ctx context.Context) error {
	tick := time.NewTicker(copyLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			err := m.copyOnce(ctx, time.Now())
			if isDamage(err) {
				return err
			}
			if err != nil && ctx.Err() == nil {
				m.log.Error("the model can't be copied, trying again", "err", err)
			}
		}
	}
}

// copyOnce copies the model where the last copy is old by now.
func (m *Model) copyOnce(ctx context.Context, now time.Time) error {
	switch info, err := os.Stat(m.snapshot()); {
	case err == nil && now.Sub(info.ModTime()) < snapshotEvery:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	fresh := m.snapshot() + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := m.reader.ExecContext(ctx, "VACUUM INTO ?", fresh); err != nil {
		return fmt.Errorf("copy to %s: %w", fresh, err)
	}
	if err := durable.Sync(fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, m.snapshot()); err != nil {
		return err
	}
	return durable.SyncDir(m.options.Dir)
}

// fromSnapshot puts the snapshot in the model's place, and says whether it did. One that is damaged is set aside; one that
// can't be read now is an error, because a model made without it would lack what the stream has purged.
func (m *Model) fromSnapshot(ctx context.Context) (bool, error) {
	from, err := os.Open(m.snapshot())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the model's snapshot: %w", err)
	}
	defer func() { _ = from.Close() }() // it was only read
	f := File{Path: m.snapshot(), Kind: Snapshot}
	switch f.inspect(ctx); {
	case f.Unread != nil:
		return false, fmt.Errorf("read the model's snapshot: %w", f.Unread)
	case f.Damage != nil:
		m.log.Warn("the model's snapshot can't be used", "err", f.Damage)
		return false, SetAside(m.snapshot())
	}
	if err := durable.Write(m.path(), func(w io.Writer) error { _, err := io.Copy(w, from); return err }); err != nil {
		return false, fmt.Errorf("copy the model's snapshot: %w", err)
	}
	m.log.Info("the model is made anew from its snapshot and the stream")
	return true, nil
}
