package portal

import (
	"context"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Gateway is what the running gateway knows beyond the model. Its methods may be called from any goroutine.
type Gateway interface {
	// Sent is the entry at a position as each target gets it. Where the stream doesn't have it any more, the error
	// wraps [stream.ErrPurged].
	Sent(ctx context.Context, at stream.Position) ([]Sent, error)
	// Received is the notification that told a line of the log, as it came. Where it is gone the error wraps
	// [stream.ErrPurged] or [model.ErrNotFound].
	Received(ctx context.Context, a *model.Activity) (*formats.Notification, error)
	// Status is how the whole stands now.
	Status(ctx context.Context) (Status, error)
	// Tail are the newest decisions, the newest first, that fit a filter of notifications.
	Tail(ctx context.Context, f filter.Filter, most int) ([]*stream.Entry, error)
	// Rules says how many of the newest decisions each rule of the policy made; empty is the policy's own keys.
	Rules(ctx context.Context) (Ruled, error)
	// Try says step by step what would become of a line that came now, and changes nothing.
	Try(ctx context.Context, line string) (Trial, error)
	// Letters are the dead letters, of all targets.
	Letters(ctx context.Context) ([]Letter, error)
	// Retry sends a dead letter again; Drop gives it up.
	Retry(ctx context.Context, target, id string) error
	Drop(ctx context.Context, target, id string) error
	// Test sends a target one test event and says in words what came back.
	Test(ctx context.Context, target string) (string, error)
}

// Sent is an entry in a target's format, before a limit shortens it and without what it travels in.
type Sent struct {
	Target, Format string
	Text           string
	Not            string // why the target doesn't get it; empty where it does
}

// Status is how the gateway stands.
type Status struct {
	Now        time.Time
	Services   []Service
	Targets    []Target
	Held       []Held // the next to end
	HeldAll    int
	Inputs     []Route
	Stream     Route
	Disk, Most int64 // bytes of the stream, and those it may have
	Full       bool  // senders wait
}

// Service is what came from one in the last 24 hours.
type Service struct {
	Name                                     formats.Service
	Enabled                                  bool
	Last, Silent                             time.Time // Silent: since when; zero while it isn't
	Received, Forwarded, Suppressed, Dropped int64
	Hours                                    [24]int64 // received, the oldest first
	Rate                                     Rate
}

// Rate is how many notifications a second there were in the last minute.
type Rate struct{ In, Out, Suppressed float64 }

// Target is how one stands, and what it got in the last 24 hours.
type Target struct {
	Name, Type, Format, Via string
	Waiting                 uint64        // entries
	Age                     time.Duration // of the oldest of them
	Blocked                 bool          // somebody must mend it
	Trouble                 string        // the last error, while it lasts
	Since                   time.Time     // of Trouble
	Delivered, Filtered     int64
	Rate                    float64 // delivered a second, in the last minute
	Letters                 int
	Kept, Lost              string // the guarantee of its route
}

// Route is a part of the way with what is guaranteed there.
type Route struct{ Name, Via, Kept, Lost string }

// Held is an alert that waits.
type Held struct {
	Alert     dedup.AlertID
	Title     string
	Service   formats.Service
	Due, From time.Time
}

// Ruled is how often each rule decided.
type Ruled struct {
	By    map[string]int
	Last  map[string]time.Time
	Of    int // decisions looked at
	Since time.Time
}

// Trial is what would become of a line.
type Trial struct {
	Header   []Pair // of syslog
	Fields   []Pair // of CEF, as they are written
	Said     formats.Notification
	Match    dedup.Match
	Decision policy.Decision
	Sent     []Sent
}

// Pair is a name with its value.
type Pair struct{ Name, Value string }

// Letter is what a target refused for good.
type Letter struct {
	Target, ID, Title, Reply string
	Refused                  time.Time
	Attempts                 int
	Damaged                  string // why it can't be read
}
