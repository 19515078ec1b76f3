package main

import (
	"fmt"
	"time"
)

// Of so many lines, one is an alert and one is its twin.
const (
	cycle     = 20
	atAlert   = 7
	atTwin    = 13
	minEvents = 8 * cycle // a cycle for each connection
)

// work is what is sent: lines with their line feeds.
type work struct {
	text []byte
	ends []int // of each line in text
}

// newWork makes n lines, a whole number of cycles, of which first is the number of the first one. Lines
// of other numbers have other IDs.
func newWork(first, n int) work {
	n -= n % cycle
	w := work{text: make([]byte, 0, n*640), ends: make([]int, 0, n)}
	for i := first; i < first+n; i++ {
		w.text = append(appendLine(w.text, i), '\n')
		w.ends = append(w.ends, len(w.text))
	}
	return w
}

// part cuts the work into whole cycles for so many connections and gives the c-th part.
func (w work) part(c, of int) work {
	cycles := len(w.ends) / cycle
	return w.lines(c*cycles/of*cycle, (c+1)*cycles/of*cycle)
}

// lines is the work from one line to another.
func (w work) lines(from, to int) work {
	start := 0
	if from > 0 {
		start = w.ends[from-1]
	}
	ends := make([]int, 0, to-from)
	for _, e := range w.ends[from:to] {
		ends = append(ends, e-start)
	}
	return work{text: w.text[start : start+last(ends)], ends: ends}
}

func last(ends []int) int {
	if len(ends) == 0 {
		return 0
	}
	return ends[len(ends)-1]
}

// line is the i-th line, with its line feed.
func (w work) line(i int) []byte {
	if i == 0 {
		return w.text[:w.ends[0]]
	}
	return w.text[w.ends[i-1]:w.ends[i]]
}

// forwarded says how many of n lines, a whole number of cycles, go out where twins are suppressed.
func forwarded(n int) int { return n - n/cycle }

// appendLine appends the i-th line. In every fourth cycle the twin comes first. Each line but a twin has
// its number behind [mark], by which the target knows it.
func appendLine(b []byte, i int) []byte {
	alert, twin := atAlert, atTwin
	if i/cycle%4 == 3 {
		alert, twin = twin, alert
	}
	switch i % cycle {
	case alert:
		return appendAlert(b, i)
	case twin:
		return appendTwin(b, i-twin+alert)
	}
	return appendActivity(b, i)
}

// happened is when the alert of a cycle happened: for the first 14 million lines in the past, for a start that lies ahead
// counts for none.
func happened(i int) time.Time {
	return time.Date(2012, 5, 14, 6, 0, 1, 0, time.UTC).Add(time.Duration(i/cycle) * 10 * time.Minute)
}

// detection is one type of alert in both services' words.
type detection struct{ class, cloud, title, externalID, app, text string }

func detections() [4]detection {
	return [...]detection{
		{
			"PassTheTicketSecurityAlert", "PASS_THE_TICKET", "Suspected identity theft (pass-the-ticket)", "2018", "Kerberos",
			"'s Kerberos tickets were stolen to a machine of the laboratory and used from there",
		},
		{
			"BruteForceSecurityAlert", "BRUTE_FORCE", "Suspected Brute Force attack (Kerberos, NTLM)", "2023", "Kerberos",
			"'s password was guessed at in many attempts to log on that failed one after the other",
		},
		{
			"RemoteExecutionSecurityAlert", "REMOTE_EXECUTION", "Remote code execution attempt", "2019", "Smb",
			" ran commands on a domain controller by way of a service that was made for the purpose",
		},
		{
			"RetrieveDataProtectionBackupKeySecurityAlert", "RETRIEVE_DATA_PROTECTION_BACKUP_KEY",
			"Malicious request of Data Protection API master key", "2020", "Lsarpc",
			" asked a domain controller for the backup key of everybody's protected data",
		},
	}
}

// mark stands before a line's number.
const mark = "No#"

// appendAlert appends line i, an alert as Defender for Identity's sensor writes it.
func appendAlert(b []byte, i int) []byte {
	d, t := detections()[i/cycle%4], happened(i)
	return fmt.Appendf(b, "<36>1 %s FW-DC2 CEF 3388 %s 0|Microsoft|Azure ATP|2.231.1.0|%s|%s|10|start=%s app=%s "+
		"shost=FW-PC%07d suser=worker%07d msg=Worker "+mark+"%09d%s. externalId=%s cs1Label=url "+
		`cs1=https\://fjordwerk.atp.azure.com/securityAlert/0badcafe-4aaa-4aaa-8bbb-%012x cs2Label=trigger cs2=new`,
		t.Add(time.Minute).Format("2006-01-02T15:04:05.000000-07:00"), d.class, d.class, d.title,
		t.Format("2006-01-02T15:04:05.0000000Z"), d.app, i, i, i, d.text, d.externalID, i)
}

// appendTwin appends what Cloud App Security's agent writes about the alert of line i.
func appendTwin(b []byte, i int) []byte {
	d, t := detections()[i/cycle%4], happened(i)
	return fmt.Appendf(b, "%s FWAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_EXTERNAL_AATP_%s_SECURITY_ALERT|%s|6|externalId=664300%018x "+
		"start=%d end=%d msg=Worker %09d%s. suser=worker%07d@fjordwerk.example destinationServiceName=Active Directory "+
		"cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://fjordwerk.portal.cloudappsecurity.com/#/alerts/664300%018x "+
		"cs2Label=uniqueServiceAppIds cs2= cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=",
		t.Format("2006-01-02T15:04:05.000Z"), d.cloud, d.title, i, t.UnixMilli(), t.UnixMilli(), i, d.text, i, i)
}

// appendActivity appends line i, an activity.
func appendActivity(b []byte, i int) []byte {
	kind := [...]struct{ class, name, app, appID string }{
		{"EVENT_CATEGORY_DOWNLOAD_FILE", "Download file", "Box", "APPID_BOX"},
		{"EVENT_CATEGORY_LOGIN", "Log on", "Office 365", "APPID_OFFICE365"},
		{"EVENT_CATEGORY_VIEW_FILE", "View file", "Microsoft SharePoint Online", "APPID_SHAREPOINT"},
	}[i%3]
	t := happened(i).UnixMilli() + int64(i%cycle)*1000
	return fmt.Appendf(b, "%s FWAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|%s|%s|0|externalId=%d_20893_5f3a1c22-0000-4000-8000-%012x "+
		"rt=%d start=%d end=%d msg=%s: file "+mark+"%09d.dwg suser=worker%05d@fjordwerk.example destinationServiceName=%s dvc=192.0.2.%d "+
		"requestClientApplication=Mozilla/5.0 cs1Label=portalURL "+
		"cs1=https://fjordwerk.portal.cloudappsecurity.com/#/audits?activity.id\\=eq(%d,) cs2Label=uniqueServiceAppIds cs2=%s "+
		`cs3Label=targetObjects cs3=,worker%05d cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`,
		time.UnixMilli(t).UTC().Format("2006-01-02T15:04:05.000Z"), kind.class, kind.name, 97531000+i, i, t, t, t, kind.name, i,
		i%20000, kind.app, i%250+1, 97531000+i, kind.appID, i%20000)
}
