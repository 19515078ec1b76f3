package portal

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// functions are what the templates call.
func functions() template.FuncMap {
	return template.FuncMap{
		"points": points, "red": red,
		"service": serviceName, "short": shortName, "field": fieldName, "reason": reasonWords, "action": actionWord, "utc": utc, "moment": moment,
		"since": since, "web": web, "cut": cut, "join": strings.Join, "why": whyWords, "count": count, "plural": plural, "quote": url.PathEscape, "lasts": lasts, "rate": perSecond,
		"text": func(v any) string { return fmt.Sprint(v) },
	}
}

// serviceName is how people call a service.
func serviceName(s any) string {
	switch name := formats.Service(fmt.Sprint(s)); name {
	case formats.UnknownService, "":
		return "Unknown"
	default:
		return name.Title()
	}
}

// shortName is what fits a badge.
func shortName(s any) string {
	return map[string]string{
		"Defender for Identity": "Identity", "Cloud App Security": "Cloud", "Identity Protection": "Entra",
	}[serviceName(s)] + map[bool]string{true: serviceName(s)}[serviceName(s) == "Sluice" || serviceName(s) == "Unknown"]
}

// fieldName is a field of the filter language as a heading.
func fieldName(name string) string {
	if heading := map[string]string{
		"managed_in": "Managed in", "ip": "IP address", "user": "User name", "user_domain": "User's domain", "user_group": "User's group",
		"first_seen": "First seen", "time": "Last seen", "id": "ID", "drift": "Drift", "user_agent": "User agent",
	}[name]; heading != "" {
		return heading
	}
	return strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
}

// reasonWords says why something was decided so.
func reasonWords(r policy.Reason) string {
	if words := map[policy.Reason]string{
		policy.ManagedHere:     "the service that manages the alert says it",
		policy.NoTwinExpected:  "only this service can report it",
		policy.ServiceDisabled: "its service is switched off in the configuration",
		policy.Waiting:         "waiting for the managing service's notification",
		policy.HoldExpired:     "the managing service did not report it in time",
		policy.TwinForwarded:   "the other service's notification was forwarded",
		policy.TwinHeld:        "the other service's notification is held and will be forwarded",
		policy.LateTwin:        "the managing service's notification came after the hold; a link tells both IDs",
		policy.IsUpdate:        "the same service has news of the alert",
		policy.UpdateOfHeld:    "the alert it belongs to is held",
		policy.UpdatesOff:      "policy.updates is suppress",
		policy.IsResend:        "the same content under the same ID was handled before",
		policy.ByKind:          "what is no alert goes by policy.health, policy.activities or policy.unknown",
		policy.Linked:          "two notifications are one alert",
		policy.Separated:       "its pairing was taken back",
		policy.Silent:          "a service has gone silent",
		policy.Operated:        "what an operator did, for the record",
	}[r]; words != "" {
		return words
	}
	return string(r)
}

// actionWord is what was done with a notification.
func actionWord(a dedup.Action) string {
	return cmp.Or(map[dedup.Action]string{
		dedup.Forward: "forwarded", dedup.Suppress: "suppressed", dedup.Hold: "held", dedup.Drop: "dropped",
	}[a], string(a))
}

// whyWords is a classification in words.
func whyWords(code string) string {
	return cmp.Or(map[string]string{"true_positive": "True positive", "benign": "Benign", "false_positive": "False positive"}[code], code)
}

// mayNot says who asks for a page that isn't theirs what it needs.
func mayNot(who access.Principal, page string, err error) string {
	what := map[string]string{
		"stream": "see the whole stream", "policies": "see the policies", "policy": "see the policies", "try": "try a line",
		"admin": "see the administration", "licences": "see the administration", "audit": "see the audit log",
		"alerts": "see alerts", "activities": "see the activity log", "users": "see users", "user": "see users",
	}[page]
	role := who.Role.String()
	if !who.Scope.Whole() {
		role += ", limited to " + who.Scope.String()
	}
	text := fmt.Sprintf("Your role (%s) may not %s", role, cmp.Or(what, "see this page"))
	var refused *access.RefusalError
	if errors.As(err, &refused) && refused.Needs != "" {
		return text + ": that needs " + refused.Needs + "."
	}
	return text + "."
}

// utc is the machine's form of a time, which a script shows in the viewer's zone.
func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// moment is a time for people, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// since is how long ago a time was, or how far ahead, in the two greatest units.
func since(a, b time.Time) string {
	d := b.Sub(a).Abs().Round(time.Second)
	days, hours := int(d.Hours())/24, int(d.Hours())%24
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}

// lasts writes a duration without what is 0 of it.
func lasts(d time.Duration) string {
	text := strings.Replace(d.String(), "m0s", "m", 1)
	return strings.Replace(text, "h0m", "h", 1)
}

// web is a link that a service gave, where it leads to the web; whatever else it is isn't followed.
func web(link string) string {
	if u, err := url.Parse(link); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return link
	}
	return ""
}

// cut shortens what is longer than a list has room for: the drawer shows it whole.
func cut(n int, s string) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// count writes a number with thousands apart.
func count(n any) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "\u202f" + text[i:] // a narrow space
	}
	return text
}

// perSecond writes a rate. Of what comes seldom it shows that it comes.
func perSecond(n float64) string {
	switch {
	case n == 0:
		return "0/s"
	case n < 0.1:
		return fmt.Sprintf("%.2f/s", n)
	case n < 100:
		return fmt.Sprintf("%.1f/s", n)
	}
	return count(int64(n)) + "/s"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(int64(n)) + " " + many
}
