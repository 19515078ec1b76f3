package model

import "context"

const (
	checkpointEntries  = 4096 // after so many the log of what was written is moved into the file
	transactionEntries = 64   // what a transaction writes beside its entries is like so many more
)

// wrote counts what a transaction wrote, and has it moved when it is much. Only the fold calls it.
func (m *Model) wrote(entries int) {
	if m.unmoved += entries + transactionEntries; m.unmoved < checkpointEntries {
		return
	}
	m.unmoved = 0
	select {
	case m.written <- struct{}{}:
	default:
	}
}

// checkpoints moves what was written into the file until ctx ends, so that the fold doesn't wait for the disk: it is a
// tenth of its time. Where this doesn't come by in time, or fails, SQLite does it in the fold.
func (m *Model) checkpoints(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.written:
			if _, err := m.mover.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil && ctx.Err() == nil {
				m.log.Warn("what the model wrote can't be moved into its file, the fold will", "err", err)
			}
		}
	}
}
