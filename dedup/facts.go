package dedup

import (
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// facts is a notification as the weighing sees it.
type facts struct {
	n         *formats.Notification
	detection catalog.Detection
	accounts  []name
	devices   []string
	text      prose

	ids     []string // what may be another service's id, in the URL and the fields
	parties parties  // what related compares
	names   []string // the parties' names, plain
	open    bool     // names nobody, or in a way that can't be compared
}

func (s scale) facts(n *formats.Notification) facts {
	f := facts{n: n, detection: s.catalog.Resolve(n), text: readProse(n.Message)}
	for _, a := range n.Accounts {
		if account, _, _ := strings.Cut(a.Name, "@"); strings.HasSuffix(account, "$") {
			f.devices = addDevice(f.devices, account)
		} else if strings.TrimSpace(a.Name) != "" {
			f.accounts = append(f.accounts, parseName(a.Name))
		}
	}
	for _, d := range n.Devices {
		f.devices = addDevice(f.devices, d.Name)
	}
	f.sketch()
	return f
}

func addDevice(list []string, s string) []string {
	if h := hostName(s); h != "" && !slices.Contains(list, h) {
		return append(list, h)
	}
	return list
}
