package company

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// activity is a line of Cloud App Security's agent.
func (c *Company) activity(r *rand.Rand, p *person, at time.Time) string {
	d := pickDeed(r)
	a := pick(r, p.apps)
	object := d.object
	switch object {
	case "file":
		object = fmt.Sprintf("file %s-%04d.%s", pick(r, words()), r.IntN(3000), pick(r, []string{"docx", "xlsx", "pdf", "dwg"}))
	case "user":
		object = "user " + c.people[r.IntN(len(c.people))].upn
	}
	msg, target := d.name, ""
	if object != "" {
		msg += ": " + object
		_, target, _ = strings.Cut(object, " ")
	}
	id, ms := identifier(r), at.UnixMilli()
	return fmt.Sprintf("%s NHAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|%s|%s|0|externalId=%s rt=%d start=%d end=%d msg=%s suser=%s "+
		"destinationServiceName=%s dvc=%s requestClientApplication=%s cs1Label=portalURL "+
		"cs1=https://nordhavn.portal.cloudappsecurity.com/#/audits?activity.id\\=eq(%s,) cs2Label=uniqueServiceAppIds cs2=%s "+
		`cs3Label=targetObjects cs3=%s,%s cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`,
		at.Format("2006-01-02T15:04:05.000Z"), d.class, d.name, id, ms, ms, ms, msg, p.upn, a.name, p.address(r), p.agent, id, a.id, target, p.display())
}

// identifier is an activity's, in the form of 2020.
func identifier(r *rand.Rand) string {
	return fmt.Sprintf("75914224_%d_%016x%016x", 1_600_000_000_000+r.Int64N(1e11), r.Uint64(), r.Uint64())
}

// alert is one alert as Defender for Identity's sensor and Cloud App Security's agent write it, some minutes apart.
func (c *Company) alert(r *rand.Rand, p *person, at time.Time) []Line {
	d := pick(r, detections())
	sensor := at.Add(time.Duration(30+r.IntN(600)) * time.Second)
	agent := at.Add(time.Duration(60+r.IntN(1500)) * time.Second)
	guid := fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&0xffffffffffff)
	id := fmt.Sprintf("%08x%016x", uint32(agent.Unix()), r.Uint64())
	text := fmt.Sprintf(d.text, p.display(), p.device())
	return []Line{
		{sensor, fmt.Sprintf("<36>1 %s NH-DC1 CEF 4012 %s 0|Microsoft|Azure ATP|2.231.1.0|%s|%s|%d|start=%s app=%s shost=%s suser=%s msg=%s "+
			`externalId=%s cs1Label=url cs1=https\://nordhavn.atp.azure.com/securityAlert/%s cs2Label=trigger cs2=new`,
			sensor.Format("2006-01-02T15:04:05.000000-07:00"), d.class, d.class, d.title, d.severity, at.Format("2006-01-02T15:04:05.0000000Z"),
			d.app, p.device(), p.sam, text, d.id, guid)},
		{agent, fmt.Sprintf("%s NHAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_EXTERNAL_AATP_%s_SECURITY_ALERT|%s|3|externalId=%s start=%d end=%d msg=%s suser=%s "+
			"destinationServiceName=Active Directory cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://nordhavn.portal.cloudappsecurity.com/#/alerts/%s "+
			"cs2Label=uniqueServiceAppIds cs2=APPID_ACTIVE_DIRECTORY cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=",
			at.Format("2006-01-02T15:04:05.000Z"), d.cloud, d.title, id, at.UnixMilli(), at.UnixMilli(), text, p.upn, id)},
	}
}

// detection is one type of alert in both services' words.
type detection struct {
	class, cloud, title, id, app, text string
	severity                           int
}

func detections() []detection {
	return []detection{
		{"AccountEnumerationSecurityAlert", "ACCOUNT_ENUMERATION", "Account enumeration reconnaissance", "2003", "Kerberos", "%s asked for many account names from %s, of which few exist.", 5},
		{"BruteForceSecurityAlert", "BRUTE_FORCE", "Suspected Brute Force attack (Kerberos, NTLM)", "2023", "Kerberos", "%s failed to log on to %s with many passwords.", 5},
		{"DnsReconnaissanceSecurityAlert", "DNS_RECONNAISSANCE", "Network mapping reconnaissance (DNS)", "2007", "Dns", "%s queried the names of many machines from %s.", 5},
		{"HoneytokenActivitySecurityAlert", "HONEYTOKEN_ACTIVITY", "Honeytoken activity", "2014", "Ntlm", "%s used a honeytoken account on %s.", 5},
		{"LdapBruteForceSecurityAlert", "LDAP_BRUTE_FORCE", "Suspected Brute Force attack (LDAP)", "2004", "Ldap", "%s tried passwords over LDAP from %s.", 5},
		{"PassTheTicketSecurityAlert", "PASS_THE_TICKET", "Suspected identity theft (pass-the-ticket)", "2018", "Kerberos", "An actor took the tickets of %s from %s and used them elsewhere.", 10},
		{"RemoteExecutionSecurityAlert", "REMOTE_EXECUTION", "Remote code execution attempt", "2019", "Smb", "%s ran commands from %s on a domain controller.", 5},
	}
}

// deed is what people do, and how often in a thousand.
type deed struct {
	class, name, object string
	often               int
}

func deeds() []deed {
	return []deed{
		{"EVENT_CATEGORY_LOGIN", "Log on", "", 180},
		{"EVENT_CATEGORY_VIEW_FILE", "View file", "file", 240},
		{"EVENT_CATEGORY_DOWNLOAD_FILE", "Download file", "file", 140},
		{"EVENT_CATEGORY_MODIFY_FILE", "Modify file", "file", 160},
		{"EVENT_CATEGORY_UPLOAD_FILE", "Upload file", "file", 90},
		{"EVENT_CATEGORY_LOGOUT", "Log off", "", 80},
		{"EVENT_CATEGORY_FAILED_LOGIN", "Failed log on", "", 40},
		{"EVENT_CATEGORY_SHARE_FILE", "Share file", "file", 30},
		{"EVENT_CATEGORY_DELETE_FILE", "Delete file", "file", 20},
		{"EVENT_CATEGORY_RUN_COMMAND", "Run command", "", 12},
		{"EVENT_CATEGORY_CHANGE_PASSWORD", "Change password", "user", 5},
		{"EVENT_CATEGORY_CREATE_USER", "Create user", "user", 2},
		{"EVENT_CATEGORY_DELETE_USER", "Delete user", "user", 1},
	}
}

func pickDeed(r *rand.Rand) deed {
	all := deeds()
	n := r.IntN(1000)
	for _, d := range all {
		if n -= d.often; n < 0 {
			return d
		}
	}
	return all[0]
}

func apps() []app {
	return []app{
		{"Office 365", "APPID_OFFICE365"},
		{"Microsoft SharePoint Online", "APPID_SHAREPOINT"},
		{"Microsoft OneDrive for Business", "APPID_ONEDRIVE"},
		{"Microsoft Exchange Online", "APPID_OUTLOOK"},
		{"Box", "APPID_BOX"},
		{"Salesforce", "APPID_SALESFORCE"},
		{"Dropbox", "APPID_DROPBOX"},
		{"Active Directory", "APPID_ACTIVE_DIRECTORY"},
		{"GitHub", "APPID_GITHUB"},
	}
}

func agents() []string {
	return []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/114.0 Safari/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/114.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 13_4) AppleWebKit/605.1.15 Safari/605.1.15",
		"Microsoft Office/16.0 (Windows NT 10.0)",
		"OneDriveMpc-Transform_Client/1.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X)",
	}
}

func departments() []string {
	return []string{"Design", "Finance", "Human Resources", "IT", "Legal", "Production", "Purchasing", "Sales", "Service", "Yard"}
}

func firstNames() []string {
	return strings.Fields("Anna Bo Clara David Emma Finn Greta Hanna Ivar Jens Kari Lars Maja Nils Olga Per Rikke Søren Tuva Ulf Vera Wim Yara Zoë")
}

func lastNames() []string {
	return strings.Fields("Aas Berg Christensen Dahl Eriksen Fjeld Gundersen Haugen Iversen Jensen Knudsen Lund Møller Nygård Olsen Petersen " +
		"Rask Sørensen Thomsen Ulriksen Vestergaard Winther Østergaard Ågren Bakke Holm Krogh Lien Moen Strand")
}

func words() []string {
	return strings.Fields("budget hull keel engine contract offer roster minutes invoice drawing test plan report survey price list")
}

// ascii writes a name as account names are written.
func ascii(s string) string {
	return strings.NewReplacer("ø", "o", "Ø", "O", "å", "a", "Å", "A", "ë", "e", "æ", "ae").Replace(s)
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
