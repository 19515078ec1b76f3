package target

import (
	"net/http"
	"strings"
)

// camel writes a label's name as the parameters of RFC 5424's structured data are: alert_id is alertId.
func camel(name string) string {
	first, rest, _ := strings.Cut(name, "_")
	for word := range strings.SplitSeq(rest, "_") {
		if word != "" {
			first += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return first
}

// headerOf writes a label's name as a header of HTTP or NATS: alert_id is Sluice-Alert-Id.
func headerOf(name string) string {
	return "Sluice-" + http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}
