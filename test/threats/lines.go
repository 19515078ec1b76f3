package threats

import (
	"fmt"
	"strings"
	"time"
)

// Domain is the organisation's.
const Domain = "lakeside.example"

func deeds() []deed {
	return []deed{
		{"EVENT_CATEGORY_LOGIN", "Log on", "", "", 20},
		{"EVENT_CATEGORY_VIEW_FILE", "View file", "file", "", 25},
		{"EVENT_CATEGORY_DOWNLOAD_FILE", "Download file", "file", "", 12},
		{"EVENT_CATEGORY_MODIFY_FILE", "Modify file", "file", "", 15},
		{"EVENT_CATEGORY_UPLOAD_FILE", "Upload file", "file", "", 8},
		{"EVENT_CATEGORY_SEND_MESSAGE", "Send message", "", "", 14},
		{"EVENT_CATEGORY_SHARE_FILE", "Share file", "file", "", 3},
		{"EVENT_CATEGORY_DELETE_FILE", "Delete file", "file", "", 2},
		{"EVENT_CATEGORY_VIEW_REPORT", "View report", "", "", 2},
		{"EVENT_CATEGORY_RUN_COMMAND", "Run command", "machine", "Active Directory", 2},
		{"EVENT_CATEGORY_LOGOUT", "Log off", "", "", 6},
		{"EVENT_CATEGORY_CHANGE_PASSWORD", "Change password", "", "", 0.15},
	}
}

func adminDeeds() []deed {
	return []deed{
		{"EVENT_CATEGORY_CREATE_USER", "Create user", "user", "Microsoft Azure", 1},
		{"EVENT_CATEGORY_RESET_PASSWORD", "Reset user password", "user", "Microsoft Azure", 2},
		{"EVENT_CATEGORY_ADD_MEMBER_TO_ROLE", "Add member to role", "user", "Microsoft Azure", 0.3},
		{"EVENT_CATEGORY_UPDATE_POLICY", "Update policy", "", "Microsoft Azure", 0.3},
	}
}

// do is an activity as Cloud App Security's agent writes it.
func (o *Organisation) do(p *person, at time.Time, address, agent string, d deed, app string) {
	if d.app != "" {
		app = d.app
	}
	r := o.r
	msg := d.name
	switch d.object {
	case "file":
		msg += fmt.Sprintf(": file doc%05d.xlsx", r.IntN(100000))
	case "user":
		msg += ": user " + pick(r, o.people).upn
	case "machine":
		msg += o.command(p, pick(r, p.machines))
	}
	o.write(p, at, address, agent, d.class, d.name, msg, app)
}

func (o *Organisation) command(p *person, machine string) string {
	return fmt.Sprintf(": Kerberos TGS request; Parameters: Count 1, SourceComputerDnsName %s, DestinationComputerDnsName %s, Protocol Kerberos ; Is Success: True", p.device, machine)
}

func (o *Organisation) fail(p *person, at time.Time, address, agent string) {
	o.write(p, at, address, agent, "EVENT_CATEGORY_FAILED_LOGIN", "Failed log on", "Failed log on (Failure message: invalid credentials)", "Microsoft Exchange Online")
}

func (o *Organisation) write(p *person, at time.Time, address, agent, class, name, msg, app string) {
	ms := at.UnixMilli()
	id := fmt.Sprintf("75914224_%d_%016x%016x", ms, o.r.Uint64(), o.r.Uint64())
	o.Lines = append(o.Lines, Line{at.Add(time.Duration(o.r.IntN(90)) * time.Second), fmt.Sprintf(
		"%s LKAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|%s|%s|0|externalId=%s rt=%d start=%d end=%d msg=%s suser=%s destinationServiceName=%s dvc=%s "+
			"requestClientApplication=%s cs1Label=portalURL cs1=https://lakeside.portal.cloudappsecurity.com/#/audits?activity.id\\=eq(%s,) "+
			`cs2Label=uniqueServiceAppIds cs2=APPID cs3Label=targetObjects cs3= cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`,
		at.Format("2006-01-02T15:04:05.000Z"), class, name, id, ms, ms, ms, msg, p.upn, app, address, agent, id)})
}

// detection is a type of alert of Defender for Identity in both services' words.
type detection struct {
	class, cloud, title, id string
	severity                int
}

func suspicions() []detection {
	return []detection{
		{"AccountEnumerationSecurityAlert", "ACCOUNT_ENUMERATION", "Account enumeration reconnaissance", "2003", 5},
		{"BruteForceSecurityAlert", "BRUTE_FORCE", "Suspected Brute Force attack (Kerberos, NTLM)", "2023", 5},
		{"DnsReconnaissanceSecurityAlert", "DNS_RECONNAISSANCE", "Network mapping reconnaissance (DNS)", "2007", 5},
		{"EnumerateSessionsSecurityAlert", "ENUMERATE_SESSIONS", "User and IP address reconnaissance (SMB)", "2012", 5},
		{"RemoteExecutionSecurityAlert", "REMOTE_EXECUTION", "Remote code execution attempt", "2019", 5},
		{"PassTheTicketSecurityAlert", "PASS_THE_TICKET", "Suspected identity theft (pass-the-ticket)", "2018", 10},
		{"PassTheHashSecurityAlert", "PASS_THE_HASH", "Suspected identity theft (pass-the-hash)", "2017", 10},
		{"HoneytokenActivitySecurityAlert", "HONEYTOKEN_ACTIVITY", "Honeytoken activity", "2014", 5},
	}
}

// detect is an alert as Defender for Identity's sensor and Cloud App Security's agent write it, some minutes apart.
func (o *Organisation) detect(p *person, at time.Time, d detection) {
	r := o.r
	sensor := at.Add(time.Duration(30+r.IntN(600)) * time.Second)
	agent := at.Add(time.Duration(60+r.IntN(1500)) * time.Second)
	guid := fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&0xffffffffffff)
	id := fmt.Sprintf("%08x%016x", uint32(agent.Unix()), r.Uint64())
	host, _, _ := strings.Cut(p.device, ".")
	text := fmt.Sprintf("%s did something suspicious from %s.", p.display, host)
	o.Lines = append(o.Lines, Line{sensor, fmt.Sprintf(
		"<36>1 %s LK-DC1 CEF 4012 %.32s 0|Microsoft|Azure ATP|2.231.1.0|%s|%s|%d|start=%s app=Kerberos shost=%s suser=%s msg=%s "+
			`externalId=%s cs1Label=url cs1=https\://lakeside.atp.azure.com/securityAlert/%s cs2Label=trigger cs2=new`,
		sensor.Format("2006-01-02T15:04:05.000000-07:00"), d.class, d.class, d.title, d.severity, at.Format("2006-01-02T15:04:05.0000000Z"), host, p.sam, text, d.id, guid)},
		Line{agent, fmt.Sprintf("%s LKAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_EXTERNAL_AATP_%s_SECURITY_ALERT|%s|3|externalId=%s start=%d end=%d msg=%s suser=%s "+
			"destinationServiceName=Active Directory cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://lakeside.portal.cloudappsecurity.com/#/alerts/%s "+
			"cs2Label=uniqueServiceAppIds cs2=APPID_ACTIVE_DIRECTORY cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=",
			at.Format("2006-01-02T15:04:05.000Z"), d.cloud, d.title, id, at.UnixMilli(), at.UnixMilli(), text, p.upn, id)})
}

// policy is an alert of Cloud App Security's own.
func (o *Organisation) policy(p *person, at time.Time, class, name string) {
	sent := at.Add(time.Duration(60+o.r.IntN(600)) * time.Second)
	id := fmt.Sprintf("%08x%016x", uint32(sent.Unix()), o.r.Uint64())
	o.Lines = append(o.Lines, Line{sent, fmt.Sprintf("%s LKAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|%s|%s|3|externalId=%s start=%d end=%d msg=%s suser=%s "+
		"destinationServiceName=Microsoft 365 cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://lakeside.portal.cloudappsecurity.com/#/alerts/%s "+
		"cs2Label=uniqueServiceAppIds cs2=APPID cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=5f0000000000000000000001",
		at.Format("2006-01-02T15:04:05.000Z"), class, name, id, at.UnixMilli(), at.UnixMilli(), "Policy "+name+" was matched", p.upn, id)})
}

// falseAlerts are those that every organisation has.
func (o *Organisation) falseAlerts(day int) {
	r := o.r
	expected := o.character.falseAlerts * float64(len(o.people)) / 1000
	for range int(expected + r.Float64()) {
		p := pick(r, o.people)
		if chance(r, 0.4) { // some draw them again and again
			p = o.people[(r.IntN(1+len(o.people)/50)*50+49)%len(o.people)]
		}
		at := o.at(day, 6+14*r.Float64())
		if all := suspicions(); chance(r, 0.6) {
			o.detect(p, at, all[int(float64(len(all))*r.Float64()*r.Float64())])
		} else {
			o.policy(p, at, "ALERT_CABINET_EVENT_MATCH_AUDIT", pick(r, []string{"Mass download by a single user", "Log on from a risky IP address", "Unusual file share activity"}))
		}
	}
	for _, p := range o.people {
		if p.trip != nil && chance(r, 0.05) {
			o.policy(p, o.at(day, p.begin), "ALERT_ANUBIS_DETECTION_VELOCITY", "Impossible travel activity")
		}
	}
}

func agents() []string {
	return []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0 Safari/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0 Safari/537.36 Edg/113.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/114.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 13_4) AppleWebKit/605.1.15 Version/16.5 Safari/605.1.15",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 13_4) AppleWebKit/537.36 Chrome/114.0 Safari/537.36",
		"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0)",
	}
}

func phones() []string {
	return []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) Mobile/15E148", "Mozilla/5.0 (Linux; Android 13; SM-G991B) Mobile Chrome/114.0", "Outlook-iOS/2.0",
	}
}

// tools are what attackers use, where they don't take care.
func tools() []string {
	return []string{
		"python-requests/2.28.1", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/109.0 Safari/537.36", "Mozilla/5.0 (Windows NT 6.1) Chrome/86.0",
		"BAV2ROPC", "Go-http-client/1.1", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:102.0) Gecko/20100101 Firefox/102.0",
	}
}

func firstNames() []string {
	return strings.Fields("Ada Ben Cleo Dan Edith Finn Gina Hugo Ines Jon Kim Leo Mara Ned Olga Pia Quinn Rosa Sam Tess Uma Vic Wes Yan Zia")
}

func lastNames() []string {
	return strings.Fields("Abel Brandt Cole Diaz Egger Frost Gray Hahn Ito Jung Kern Lang Moor Nash Ott Pohl Rios Shaw Toth Ueda Voss West York Zorn")
}
