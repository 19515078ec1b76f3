package model

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Errors of the queries and of what is asked of the model.
var (
	ErrNotFound    = errors.New("not found")
	ErrChanged     = errors.New("changed meanwhile") // what is to be edited is not what was read
	ErrCursor      = errors.New("no cursor of ours") // of a page
	ErrRefused     = errors.New("refused")           // an act that can't be: the text says why
	ErrUnavailable = errors.New("can't be done now") // though it could later
	// ErrInvalid is an ErrRefused whatever there is: what the act says can't be.
	ErrInvalid = fmt.Errorf("%w", ErrRefused)
)

// Query asks for a page. The newest come first, unless Sort says otherwise.
type Query struct {
	Filter filter.Filter // checked
	Sort   string        // time, -time, severity, …: the fields that each list names; - is falling
	Cursor string        // Next of the page before; empty for the first
	Limit  int           // at most 500; 50 where 0
}

// Page is a part of a list. Paging is stable: what is added meanwhile neither shifts nor doubles anything.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // empty at the end
}

// Total is how many fit a filter. Counting ends at a bound, from where on it is "at least".
type Total struct {
	Count   int64 `json:"count"`
	AtLeast bool  `json:"at_least,omitempty"`
}

// ValueCount says how many fit a filter and have that value; an empty value stands for those that have none.
type ValueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Alert is one thing to handle, whatever the number of notifications.
type Alert struct {
	ID         string           `json:"id"`
	Revision   int64            `json:"revision"` // grows with every change
	Status     string           `json:"status"`   // open, closed: as in the service it is managed in
	Title      string           `json:"title"`
	Type       string           `json:"type,omitempty"`      // detection type: of the catalogue, else the service's own
	Detection  *Detection       `json:"detection,omitempty"` // the catalogue's entry
	Category   string           `json:"category,omitempty"`
	Severity   formats.Severity `json:"severity"` // the highest that a service gave
	App        string           `json:"application,omitempty"`
	Users      []Named          `json:"users"`
	Devices    []string         `json:"devices"`
	Addresses  []string         `json:"ips"`
	Tactics    []string         `json:"tactics"`
	Techniques []string         `json:"techniques"`
	Policies   []string         `json:"policies"`
	First      time.Time        `json:"first_seen"` // when what it tells began
	Last       time.Time        `json:"last_seen"`  // when a service last said something new of it; a resend doesn't count
	Count      int              `json:"count"`      // notifications
	ManagedIn  formats.Service  `json:"managed_in"`
	Rule       string           `json:"rule,omitempty"` // of the policy, that decided so
	Sightings  []Sighting       `json:"sightings"`
	Evidence   []dedup.Evidence `json:"evidence"` // that paired them
	RunnerUp   *dedup.Candidate `json:"runner_up,omitempty"`
	Drift      time.Time        `json:"drift_since,omitzero"` // closed in one service and open in another, since then
	Assigned   string           `json:"assigned,omitempty"`
	Read       bool             `json:"read"`
	Closure    *Closure         `json:"closure,omitempty"` // of the alert as a whole
	Comments   []Comment        `json:"comments"`
}

// Detection is what the catalogue says of a detection type.
type Detection struct {
	Type  string   `json:"type"`
	Names []string `json:"names"` // the present one first
}

// Named is somebody as an alert or activity names them.
type Named struct {
	Spelling string `json:"spelling"`
	User     string `json:"user"`              // the ID of the user it is a name of
	Display  string `json:"display,omitempty"` // how that user is shown
}

// Sighting is what one service says of an alert, and how it stands there.
type Sighting struct {
	Service  formats.Service  `json:"service"`
	ID       string           `json:"id,omitempty"` // the service's own
	URL      string           `json:"url,omitempty"`
	Title    string           `json:"title"`
	Severity formats.Severity `json:"severity"`
	Status   string           `json:"status"` // open, closed
	Closure  *Closure         `json:"closure,omitempty"`
	First    time.Time        `json:"first"` // notification received
	Last     time.Time        `json:"last"`
	Count    int              `json:"count"`
	Updates  int              `json:"updates"`
	Notices  []Notice         `json:"notifications,omitempty"` // the newest; only of a single alert
}

// Notice is one notification of an alert, with what was decided for it.
type Notice struct {
	Key       dedup.EventKey       `json:"event_key"`
	At        stream.Position      `json:"position"`
	Input     string               `json:"source,omitempty"` // the input that received it
	Time      time.Time            `json:"time"`             // received, by the decider's clock
	Kind      stream.Kind          `json:"kind"`             // of the entry that decided it last: release after a hold, undo after a wrong pairing
	Relation  dedup.Relation       `json:"relation"`
	Action    dedup.Action         `json:"action"`
	Would     dedup.Action         `json:"would,omitempty"` // what enforce mode does, where it was decided in shadow mode
	Reason    policy.Reason        `json:"reason"`
	Rule      string               `json:"rule,omitempty"`
	StandsFor dedup.EventKey       `json:"stands_for,omitempty"`
	Until     time.Time            `json:"held_until,omitzero"`
	Decided   time.Time            `json:"decided"`       // last: when the hold ended, or the pairing was taken back
	Said      formats.Notification `json:"-" cbor:"said"` // as it was received, with the bytes
	Told      Told                 `json:"said" cbor:"-"` // that, for readers of JSON
}

// Closure is how something was closed.
type Closure struct {
	By      string    `json:"by"`
	Time    time.Time `json:"time"`
	Why     string    `json:"classification"` // true_positive, benign, false_positive
	Comment string    `json:"comment,omitempty"`
	In      string    `json:"closed_in"` // the service where somebody closed it: not this one where the rule closed it here
}

// Comment is what somebody wrote.
type Comment struct {
	Act  string    `json:"act"` // its ID, to undo it
	By   string    `json:"by"`
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// Change is a line of an alert's history.
type Change struct {
	Act  string    `json:"act"` // its ID, to undo it; of an entry that no operator made, its event key
	Time time.Time `json:"time"`
	By   string    `json:"by"`       // sluice where nobody did it
	What string    `json:"what"`     // the verb
	Text string    `json:"text"`     // in words
	Undo bool      `json:"can_undo"` // by who asks: nothing of what it changed has changed since, and the window isn't over
}

// Activity is a line of the log.
type Activity struct {
	Key       string            `json:"key" cbor:"-"`                // ours, for ever
	Event     dedup.EventKey    `json:"event_key" cbor:"1,keyasint"` // of the notification that told it first
	ID        string            `json:"id,omitempty" cbor:"2,keyasint,omitempty"`
	Kind      formats.Kind      `json:"kind" cbor:"3,keyasint"` // activity, alert
	Time      time.Time         `json:"time" cbor:"-"`          // to the millisecond
	Service   formats.Service   `json:"service" cbor:"4,keyasint"`
	Source    string            `json:"source" cbor:"5,keyasint,omitempty"` // the input
	App       string            `json:"application,omitempty" cbor:"6,keyasint,omitempty"`
	Type      string            `json:"type,omitempty" cbor:"7,keyasint,omitempty"`
	Action    string            `json:"action,omitempty" cbor:"8,keyasint,omitempty"`
	Title     string            `json:"title,omitempty" cbor:"9,keyasint,omitempty"`
	User      *Named            `json:"user,omitempty" cbor:"-"`
	Addresses []string          `json:"ips" cbor:"11,keyasint,omitempty"`
	Devices   []string          `json:"devices" cbor:"12,keyasint,omitempty"`
	Agent     string            `json:"user_agent,omitempty" cbor:"13,keyasint,omitempty"`
	Objects   []string          `json:"objects" cbor:"14,keyasint,omitempty"`
	Policies  []string          `json:"policies" cbor:"15,keyasint,omitempty"`
	Failed    bool              `json:"failed" cbor:"16,keyasint,omitempty"`
	Admin     bool              `json:"administrative" cbor:"17,keyasint,omitempty"`
	Severity  formats.Severity  `json:"severity" cbor:"18,keyasint,omitempty"`
	Alert     string            `json:"alert,omitempty" cbor:"-"` // the ID of the alert that this line is, or that it led to
	Message   string            `json:"message,omitempty" cbor:"19,keyasint,omitempty"`
	URL       string            `json:"url,omitempty" cbor:"20,keyasint,omitempty"`
	Extra     map[string]string `json:"extra,omitempty" cbor:"21,keyasint,omitempty"`
	At        stream.Position   `json:"position" cbor:"22,keyasint"`
	Matched   []string          `json:"matched_policies,omitempty" cbor:"24,keyasint,omitempty"` // names and IDs of the activity policies for which it counted
}

// User is one person, whatever the spelling.
type User struct {
	ID         string    `json:"id"`
	Display    string    `json:"display"`
	UPN        string    `json:"upn,omitempty"`
	Names      []Name    `json:"names"` // the first one first; of very many the first ones
	Tags       []string  `json:"tags"`  // sensitive, admin, watched
	Department string    `json:"department,omitempty"`
	Title      string    `json:"title,omitempty"`
	Manager    string    `json:"manager,omitempty"`
	Groups     []string  `json:"groups"`
	Peers      int64     `json:"peers"` // others of the same department
	First      time.Time `json:"first_seen"`
	Last       time.Time `json:"last_seen"`
	Alerts     int64     `json:"alerts"`               // open ones
	Activities int64     `json:"activities,omitempty"` // lines of the log, at most 100,000; only of a single user
	Score      float64   `json:"score"`                // investigation priority
	Bounded    float64   `json:"bounded"`              // that, 0 to 100
	Percentile float64   `json:"percentile"`           // how many of the other users have less
}

// Name is one spelling of a user.
type Name struct {
	Spelling string    `json:"spelling"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Seen     []Seen    `json:"seen"` // by whom
	Why      string    `json:"why"`  // it is this user's: same account, same spelling, directory, alert, by hand
}

// Seen is when a service used a name.
type Seen struct {
	Service formats.Service `json:"service"`
	First   time.Time       `json:"first"`
	Last    time.Time       `json:"last"`
}

// State is how the model stands to the stream.
type State struct {
	Sequence   uint64   `json:"sequence"` // of the last message folded
	Behind     uint64   `json:"behind"`   // messages of the stream that come after it
	Gaps       []Gap    `json:"gaps"`     // parts of the stream that it never saw
	Alerts     int64    `json:"alerts"`   //
	Activities int64    `json:"activities"`
	Users      int64    `json:"users"`
	Oldest     Since    `json:"oldest"`        // what is kept goes back to there
	Missing    []string `json:"not_available"` // services without licence, whose insights are not available
}

// Gap is a part of the stream that was gone before the model saw it.
type Gap struct {
	First   uint64    `json:"first"`
	Last    uint64    `json:"last"`
	Noticed time.Time `json:"noticed"`
}

// Since is how far back the tables go.
type Since struct {
	Alerts     time.Time `json:"alerts,omitzero"`
	Activities time.Time `json:"activities,omitzero"`
}
