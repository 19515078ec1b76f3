package portal_test

import (
	"fmt"
	"time"
)

// defender is an alert as Defender for Identity notifies it.
func defender(at time.Time, n int, class, id, title, user, host, text string, severity int) string {
	const service = "<36>1 %s DC01 CEF 4242 %.32s 0|Microsoft|Azure ATP|2.213.0.0|%s|%s|%d|start=%s app=Kerberos shost=%s suser=%s msg=%s externalId=%s " +
		"cs1Label=url cs1=https\\://security.microsoft.com/alerts/aa%08x-0000-4000-8000-%012x cs2Label=trigger cs2=new"
	return fmt.Sprintf(service, at.Add(10*time.Second).UTC().Format("2006-01-02T15:04:05.000000-07:00"), class, class, title, severity,
		at.UTC().Format("2006-01-02T15:04:05.0000000Z"), host, user, text, id, n, n)
}

// cloud is one as Cloud App Security notifies it.
func cloud(at time.Time, n int, class, title, user, app, text string) string {
	id := fmt.Sprintf("%024x", 0x5f00000000000000+n)
	return fmt.Sprintf("%s MCAS01 CEF:0|MCAS|SIEM_Agent|0.259.87|%s|%s|6|externalId=%s start=%d end=%d msg=%s suser=%s destinationServiceName=%s "+
		"cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://fjordwerk.portal.cloudappsecurity.com/#/alerts/%s cs2Label=uniqueServiceAppIds cs2= "+
		"cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=", at.UTC().Format("2006-01-02T15:04:05.000Z"), class, title, id, at.UnixMilli(), at.UnixMilli(), text, user, app, id)
}

// activity is a line of Cloud App Security's activity log.
func activity(at time.Time, n int, class, title, user, app, address string) string {
	id := fmt.Sprintf("%d_%032x", at.UnixMilli(), n)
	return fmt.Sprintf("%s MCAS01 CEF:0|MCAS|SIEM_Agent|0.259.87|%s|%s|0|externalId=%s rt=%d start=%d end=%d msg=%s suser=%s destinationServiceName=%s "+
		"dvc=%s requestClientApplication=Mozilla/5.0 cs1Label=portalURL cs1=https://fjordwerk.portal.cloudappsecurity.com/#/audits?activity.id\\=eq(%s,) "+
		"cs2Label=uniqueServiceAppIds cs2=APPID_20892 cs3Label=targetObjects cs3=%s,Plans Q3.xlsx cs4Label=policyIDs cs4= c6a1Label=\"Device IPv6 Address\" c6a1=",
		at.UTC().Format("2006-01-02T15:04:05.000Z"), class, title, id, at.UnixMilli(), at.UnixMilli(), at.UnixMilli(), title, user, app, address, id, user)
}

// morning is what a company's services tell in an hour: alerts that both tell, and such that one does.
func morning(now time.Time) []string {
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	const ad = "ALERT_EXTERNAL_AATP_%s_SECURITY_ALERT"
	dcsync, ticket := "Malicious replication requests were successfully performed by Mara Winter, from WS-0412 against DC01.", "Otto Lind's Kerberos tickets were stolen from WS-0007 to WS-0033 and used to access krbtgt/FJORDWERK."
	return []string{
		defender(at(50), 1, "DirectoryServicesReplicationSecurityAlert", "2006", "Suspected DCSync attack (replication of directory services)", "mara.winter", "WS-0412", dcsync, 10),
		cloud(at(50), 1, fmt.Sprintf(ad, "DIRECTORY_SERVICES_REPLICATION"), "Suspected DCSync attack (replication of directory services)", "mara.winter@fjordwerk.example", "Active Directory", dcsync),
		defender(at(40), 2, "PassTheTicketSecurityAlert", "2018", "Suspected identity theft (pass-the-ticket)", "otto.lind", "WS-0033", ticket, 10),
		cloud(at(40), 2, fmt.Sprintf(ad, "PASS_THE_TICKET"), "Suspected identity theft (pass-the-ticket)", "otto.lind@fjordwerk.example", "Active Directory", ticket),
		cloud(at(30), 3, "ALERT_ANUBIS_DETECTION_VELOCITY", "Impossible travel activity", "nina.berg@fjordwerk.example", "Salesforce", "The user Nina Berg performed an impossible travel activity."),
		defender(at(20), 4, "MaliciousServiceCreationSecurityAlert", "2026", "Suspicious service creation", "paul.reed", "SRV-12", "Paul Reed created svc_9 in order to execute potentially malicious commands on SRV-12.", 5),
		cloud(at(15), 5, "ALERT_CABINET_EVENT_MATCH_AUDIT", "Mass download by a single user", "mara.winter@fjordwerk.example", "Microsoft SharePoint Online", "Mara Winter downloaded 214 files."),
		activity(at(14), 1, "EVENT_CATEGORY_LOGIN", "Log on", "mara.winter@fjordwerk.example", "Office 365", "192.0.2.17"),
		activity(at(13), 2, "EVENT_CATEGORY_DOWNLOAD_FILE", "Download file: Plans Q3.xlsx", "mara.winter@fjordwerk.example", "Microsoft SharePoint Online", "192.0.2.17"),
		activity(at(12), 3, "EVENT_CATEGORY_DELETE_FILE", "Delete file: notes.docx", "nina.berg@fjordwerk.example", "Microsoft OneDrive for Business", "198.51.100.9"),
	}
}
