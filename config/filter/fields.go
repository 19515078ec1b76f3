package filter

import "fmt"

// Kind is how a field's values are written and compared.
type Kind uint8

// The kinds. A Word is one of the field's Words and a Rank one of them in rising order. A Time is RFC 3339, a
// date, or before now, see [Moment] and [Span]; an Address is a network too, see [Network]. FreeText is searched for
// whole words, see [Words].
const (
	Text Kind = iota
	Word
	Rank
	Time
	Address
	Number
	YesNo
	FreeText
)

// String is the name that the API gives a kind.
func (k Kind) String() string {
	names := [...]string{"text", "word", "rank", "time", "address", "number", "yes_no", "free_text"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText writes the name, as JSON shows it.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Ops lists the operators that go with the kind.
func (k Kind) Ops() []Op {
	switch k {
	case Rank:
		return []Op{
			Equals, NotEquals, Contains, NotContains, StartsWith, NotStartsWith, Matches, NotMatches,
			Above, AtLeast, Below, AtMost, Set, NotSet,
		}
	case Time, Number:
		return []Op{Equals, NotEquals, Above, AtLeast, Below, AtMost, Set, NotSet}
	case YesNo:
		return []Op{Equals, NotEquals, Set, NotSet}
	case FreeText:
		return []Op{Contains, NotContains}
	case Text, Word, Address:
	}
	return []Op{Equals, NotEquals, Contains, NotContains, StartsWith, NotStartsWith, Matches, NotMatches, Set, NotSet}
}

// Field is one that a filter may name. Help says in a sentence what it is. Many is set where one thing may
// have several values.
type Field struct {
	Name    string
	Kind    Kind
	Words   []string
	Help    string
	Aliases []string
	Many    bool
}

// Fields is what filters of one kind of thing may name. A name means the same in all of them.
type Fields []Field

// kindOf is how a field compares, by its name alone: a filter needs no more than itself to be matched. What
// isn't named here compares as text does, in order as numbers do.
func kindOf(name string) Kind {
	switch name {
	case "severity":
		return Rank
	case "time", "first_seen":
		return Time
	case "ip":
		return Address
	case "text":
		return FreeText
	case "user_score":
		return Number
	}
	return Text
}

// severities are the words of severity in rising order; unknown is what names none.
func severities() []string { return []string{"unknown", "informational", "low", "medium", "high"} }

// services are those that may say something, Sluice itself last.
func services() []string {
	return []string{"defender_for_identity", "cloud_app_security", "identity_protection", "unknown", "sluice"}
}

// Alerts are the fields of the alerts queue.
func Alerts() Fields {
	return Fields{
		{Name: "id", Help: "The alert's ID in Sluice."},
		{Name: "status", Kind: Word, Words: []string{"open", "closed"}, Help: "Whether the alert is open or closed, by the service it is managed in."},
		{Name: "title", Help: "The alert's title."},
		{Name: "type", Help: "The detection type: the catalogue's, the service's own, or the CEF class.", Many: true},
		{Name: "category", Help: "The catalogue's category of the detection type."},
		{Name: "severity", Kind: Rank, Words: severities(), Help: "The alert's severity; unknown is below all others."},
		{Name: "application", Help: "The application it is about; alerts of Defender for Identity are under Active Directory.", Aliases: []string{"app"}},
		{Name: "service", Kind: Word, Words: services(), Help: "A service that reports the alert.", Many: true},
		{Name: "user", Help: "A user of the alert, in any spelling that was seen.", Many: true},
		{Name: "user_domain", Help: "The domain of a user of the alert.", Many: true},
		{Name: "user_score", Kind: Number, Help: "The investigation priority of a user of the alert as it is now, 0 where there is none.", Many: true},
		{Name: "device", Help: "A device of the alert.", Aliases: []string{"host"}, Many: true},
		{Name: "ip", Kind: Address, Help: "An address of the alert; a network such as 10.0.0.0/8 stands for all its addresses.", Many: true},
		{Name: "policy", Help: "A policy that raised the alert.", Many: true},
		{Name: "managed_in", Kind: Word, Words: services(), Help: "The service in which the alert is managed."},
		{Name: "drift", Kind: YesNo, Help: "Whether it is closed in one service and open in another one."},
		{Name: "assigned", Help: "Whom the alert is assigned to."},
		{Name: "read", Kind: YesNo, Help: "Whether somebody has marked the alert as read."},
		{Name: "tactic", Help: "A MITRE ATT&CK tactic of the alert.", Many: true},
		{Name: "technique", Help: "A MITRE ATT&CK technique of the alert, such as T1110.", Many: true},
		{Name: "first_seen", Kind: Time, Help: "When the alert was first seen."},
		{Name: "time", Kind: Time, Help: "When the alert was last seen."},
		{Name: "text", Kind: FreeText, Help: "Words anywhere in what the alert says."},
	}
}

// Activities are the fields of the activity log.
func Activities() Fields {
	return Fields{
		{Name: "id", Help: "The activity's ID."},
		{Name: "kind", Kind: Word, Words: []string{"activity", "alert"}, Help: "Whether it is an activity or an alert, which the log shows too."},
		{Name: "type", Help: "The service's class of the activity, such as EVENT_CATEGORY_LOGIN."},
		{Name: "action", Help: "What was done, read from the type: login, download and so on."},
		{Name: "failed", Kind: YesNo, Help: "Whether it was tried in vain."},
		{Name: "administrative", Kind: YesNo, Help: "Whether it is an administrator's activity."},
		{Name: "application", Help: "The application in which it was done.", Aliases: []string{"app"}},
		{Name: "service", Kind: Word, Words: services(), Help: "The service that reports it."},
		{Name: "source", Help: "The input by which it came to Sluice."},
		{Name: "user", Help: "The user who did it, in any spelling that was seen.", Many: true},
		{Name: "user_domain", Help: "The user's domain.", Many: true},
		{Name: "user_group", Help: "A department or group of the user, by the directory file.", Many: true},
		{Name: "user_score", Kind: Number, Help: "The user's investigation priority, 0 where there is none: as it is now, for an activity policy as it was then."},
		{Name: "ip", Kind: Address, Help: "The address it came from; a network such as 10.0.0.0/8 stands for all its addresses.", Many: true},
		{Name: "device", Help: "The device it was done on.", Aliases: []string{"host"}, Many: true},
		{Name: "user_agent", Help: "The user agent, as the browser or program names itself."},
		{Name: "object", Help: "A file, folder, account or other thing that it was done to.", Many: true},
		{Name: "policy", Help: "A policy that it matched: a service's by its ID, an activity policy by its name or ID.", Many: true},
		{Name: "alert", Help: "The ID of the alert that it belongs to."},
		{Name: "severity", Kind: Rank, Words: severities(), Help: "The severity; unknown is below all others."},
		{Name: "title", Help: "What the service calls it."},
		{Name: "time", Kind: Time, Help: "When it happened."},
		{Name: "text", Kind: FreeText, Help: "Words anywhere in what is said of it."},
	}
}

// Notifications are the fields of `when` in the configuration.
func Notifications() Fields {
	return Fields{
		{Name: "service", Kind: Word, Words: services(), Help: "Who says it: unknown where nobody can tell, sluice where an activity policy raised it.", Many: true},
		{Name: "kind", Kind: Word, Words: []string{"alert", "activity", "health", "unknown"}, Help: "What it speaks of."},
		{Name: "type", Help: "The detection type: the catalogue's, the service's own, or the CEF class.", Many: true},
		{Name: "title", Help: "What the service calls it.", Many: true},
		{Name: "severity", Kind: Rank, Words: severities(), Help: "The severity; unknown is below all others.", Many: true},
		{Name: "user", Help: "An account in any spelling that was seen.", Many: true},
		{Name: "user_score", Kind: Number, Help: "The highest investigation priority of an account of it, as it is when it is delivered; only targets may ask for it."},
		{Name: "device", Help: "A device in any spelling that was seen.", Aliases: []string{"host"}, Many: true},
		{Name: "application", Help: "The application it is about.", Aliases: []string{"app"}, Many: true},
	}
}
