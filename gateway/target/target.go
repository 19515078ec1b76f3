// Package target delivers the stream's entries: to a SIEM over syslog or RELP, to Splunk, Elasticsearch,
// Microsoft Sentinel or any endpoint over HTTP, to Kafka or NATS JetStream, to a file, to standard output. It
// tries once; to try again is the caller's part.
//
// # Decisions
//
// Delivered means what the other side can prove: over TCP and TLS its kernel has acknowledged every
// byte, over RELP, HTTP, Kafka and NATS the receiver says so of the entry or of the request it was in, a file
// is synced, a pipe has taken the line, a datagram has left. When it isn't known, the entry is to be retried: twice with the same
// event key is better than never.
//
// A SIEM's kernel acknowledges what the SIEM has not read, and throws it away in a reset. So what was
// acknowledged not long ago is in doubt until the SIEM closes in order, which proves that it had read
// everything, or some time has passed without a reset. Where the doubt begins is kept with the cursor,
// before the cursor passes it. After a kill everything in doubt is sent again, as the reset may have come when
// nobody was there to see it; but our kernel still knows if the SIEM has closed in order, so that a kill
// alone doubles nothing. Of a SIEM behind a proxy it knows nothing: there every end of a connection is taken for a
// reset.
package target

import (
	"errors"
	"fmt"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Result is what became of one entry.
type Result uint8

// The results. The zero value is the one that loses nothing.
const (
	Retry     Result = iota // not delivered, or not known to be
	Delivered               //
	Rejected                // can't be delivered, now or later
)

// String returns the word that metrics use.
func (r Result) String() string {
	names := [...]string{"retry", "delivered", "rejected"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("result(%d)", uint8(r))
}

// ErrRejected is wrapped by the errors of Deliver that speak of an entry that is [Rejected].
var ErrRejected = errors.New("rejected")

// rejection is why one entry can't be delivered.
type rejection struct {
	key dedup.EventKey
	err error
}

// Error implements error.
func (r *rejection) Error() string { return fmt.Sprintf("entry %s %v: %v", r.key, ErrRejected, r.err) }

// Unwrap implements errors.Is for the cause and for [ErrRejected].
func (r *rejection) Unwrap() []error { return []error{ErrRejected, r.err} }

// reject is the error for an entry that can't be delivered.
func reject(e *stream.Entry, err error) error { return &rejection{e.Key, err} }

// Reply is what err, which Deliver returned, says of why the entry of that key is [Rejected].
func Reply(err error, key dedup.EventKey) string {
	switch r := find(err, key); {
	case r != nil:
		return r.err.Error()
	case err != nil:
		return err.Error()
	}
	return "the target gave no reason"
}

// find looks through all that were joined; errors.As stops at the first of its type.
func find(err error, key dedup.EventKey) *rejection {
	switch err := err.(type) { //nolint:errorlint // the tree is walked here
	case *rejection:
		if err.key == key {
			return err
		}
	case interface{ Unwrap() error }:
		return find(err.Unwrap(), key)
	case interface{ Unwrap() []error }:
		for _, one := range err.Unwrap() {
			if r := find(one, key); r != nil {
				return r
			}
		}
	}
	return nil
}
