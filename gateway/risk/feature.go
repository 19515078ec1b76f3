package risk

// feature is one side of what somebody does; a habit is kept of each.
type feature uint8

// The features.
const (
	app      feature = iota
	class            // type of the activity
	action           // type and application
	country          //
	tag              // kind of network: corporate, vpn, anonymous, hosting...
	network          // range of addresses
	agent            // user agent without its versions
	device           //
	target           // machine on which something was done
	jump             // two countries within hours
	hour             // of the day
	weekday          //
	features         // how many there are
)

// The findings that are of no habit.
const (
	volume feature = features + iota
	spray
	detection
)

// sort tells which features say much the same: of one activity the oddest of a sort counts, and of one day the
// second of a sort counts half.
type sort uint8

// The sorts.
const (
	what sort = iota
	where
	with
	whereto
	when
	apart
	howMuch
	fromWhom
	alerted
)

func (f feature) sort() sort {
	return [...]sort{
		app: what, class: what, action: what, country: where, tag: where, network: where, agent: with, device: with,
		target: whereto, jump: apart, hour: when, weekday: when, volume: howMuch, spray: fromWhom, detection: alerted,
	}[f]
}

// room is how many values a profile keeps of a feature; the least used makes room for a new one.
func (f feature) room() int {
	return [features]int{
		app: 12, class: 20, action: 28, country: 8, tag: 6, network: 20, agent: 10, device: 8, target: 20, jump: 1, hour: 24, weekday: 7,
	}[f]
}

// noun is the feature in words, for a first time.
func (f feature) noun() string {
	return [...]string{
		app: "in this application", class: "an activity of this type", action: "such an activity in this application", country: "from this country",
		tag: "from such a network", network: "from this range of addresses", agent: "with such a program", device: "from this device",
		target: "on this machine", jump: "in two countries within hours", hour: "at this hour", weekday: "on this day of the week",
		detection: "an alert of this type",
	}[f]
}
