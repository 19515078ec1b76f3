package aadip

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/formats"
)

// ours tells whether a Graph security alert is of Identity Protection.
func ours(o object) bool {
	if provider := o.child("vendorInformation").text("provider"); strings.EqualFold(provider, "IPC") {
		return true
	}
	switch strings.ToLower(o.text("serviceSource")) {
	case "azureadidentityprotection", "aadidentityprotection":
		return true
	}
	return false
}

// alert fills n from a Graph security alert: alert (version 1) or alert (alerts_v2).
func alert(o object, n *formats.Notification) {
	n.Type = o.text("category")
	if known := title(n.Type); known != n.Type {
		n.Title = known
	}
	n.Title = cmp.Or(o.text("title"), n.Title, n.Type)
	// What a category doesn't name precisely, as in version 2, the title may.
	n.Type = cmp.Or(typeOf(n.Type, n.Title), n.Type)
	_ = n.Severity.UnmarshalText([]byte(strings.ToLower(o.text("severity")))) // an unknown one is none
	n.Message, n.URL = o.text("description"), cmp.Or(o.text("alertWebUrl"), first(o.list("sourceMaterials")))
	n.Start = o.time("firstActivityDateTime")
	if n.Start.IsZero() {
		n.Start = o.time("eventDateTime")
	}
	n.End, n.Raised = o.time("lastActivityDateTime"), o.time("createdDateTime")
	for _, key := range [...]string{"lastUpdateDateTime", "lastModifiedDateTime"} {
		n.Update = n.Update || !n.Raised.IsZero() && o.time(key).After(n.Raised)
	}
	for _, user := range o.objects("userStates") { // version 1
		addAccount(n, user.text("userPrincipalName"), "userPrincipalName")
		addAccount(n, user.text("accountName"), "accountName")
		addAddress(n, user.text("logonIp"))
	}
	for _, e := range o.objects("evidence") { // version 2
		account := e.child("userAccount")
		addAccount(n, account.text("userPrincipalName"), "userPrincipalName")
		addAccount(n, account.text("accountName"), "accountName")
		addAccount(n, account.text("displayName"), "displayName")
		addAddress(n, e.text("ipAddress"))
	}
	o.keep(n, "status", "detectorId", "providerAlertId", "incidentId", "tenantId", "azureTenantId", "classification",
		"lastUpdateDateTime", "lastModifiedDateTime")
}

func addAddress(n *formats.Notification, ip string) {
	if ip != "" && !slices.Contains(n.Addresses, ip) {
		n.Addresses = append(n.Addresses, ip)
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
