package test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The made-up company of these tests is Fjordwerk, whose people are numbered.

// happened is when the i-th thing happened. Two are so far apart that they are candidates for nothing.
func happened(i int) time.Time {
	return time.Date(2024, 5, 14, 6, 0, 1, 0, time.UTC).Add(time.Duration(i) * 2 * time.Hour)
}

// defenderAlert is the i-th alert of Defender for Identity: another user, machine and ID for each.
func defenderAlert(i int) string { return defenderAlertAt(i, happened(i)) }

func defenderAlertAt(i int, t time.Time) string {
	return fmt.Sprintf("<36>1 %s FW-DC2 CEF 3388 PassTheTicketSecurityAlert 0|Microsoft|Azure ATP|2.231.1.0|PassTheTicketSecurityAlert|"+
		"Suspected identity theft (pass-the-ticket)|10|start=%s app=Kerberos shost=FW-PC%05d suser=worker%05d "+
		"msg=Worker No%05d's Kerberos tickets were stolen from FW-PC%05d to FW-LAB%05d. externalId=2018 cs1Label=url "+
		`cs1=https\://fjordwerk.atp.azure.com/securityAlert/%s cs2Label=trigger cs2=new`,
		t.Add(time.Minute).Format("2006-01-02T15:04:05.000000-07:00"), t.Format("2006-01-02T15:04:05.0000000Z"),
		i, i, i, i, i, defenderID(i))
}

func defenderID(i int) string { return fmt.Sprintf("0badcafe-%04x-4aaa-8bbb-%012x", i&0xffff, i) }

// cloudAlert is the twin of the i-th alert, as Cloud App Security tells it.
func cloudAlert(i int) string { return cloudAlertAt(i, happened(i)) }

func cloudAlertAt(i int, t time.Time) string {
	return fmt.Sprintf("%s FWAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_EXTERNAL_AATP_PASS_THE_TICKET_SECURITY_ALERT|"+
		"Suspected identity theft (pass-the-ticket)|6|externalId=%s start=%d end=%d "+
		"msg=Worker No%05d's Kerberos tickets were stolen from FW-PC%05d to FW-LAB%05d. suser=worker%05d@fjordwerk.example "+
		"destinationServiceName=Active Directory cn1Label=riskScore cn1= cs1Label=portalURL "+
		"cs1=https://fjordwerk.portal.cloudappsecurity.com/#/alerts/%s cs2Label=uniqueServiceAppIds cs2= cs3Label=relatedAudits cs3= "+
		"cs4Label=policyIDs cs4=",
		t.Format("2006-01-02T15:04:05.000Z"), cloudID(i), t.UnixMilli(), t.UnixMilli(), i, i, i, i, cloudID(i))
}

func cloudID(i int) string { return fmt.Sprintf("664300%018x", i) }

// activity is the i-th activity of Cloud App Security.
func activity(i int) string {
	t := happened(i)
	return fmt.Sprintf("%s FWAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_DOWNLOAD_FILE|Download file|0|externalId=%s "+
		"rt=%d start=%d end=%d msg=Download file: file drawing%05d.dwg suser=worker%05d@fjordwerk.example destinationServiceName=Box "+
		"dvc=192.0.2.%d requestClientApplication=Mozilla/5.0 cs1Label=portalURL cs1=https://fjordwerk.portal.cloudappsecurity.com/#/audits?activity.id=eq(1,) "+
		"cs2Label=uniqueServiceAppIds cs2=APPID_BOX cs3Label=targetObjects cs3=drawing%05d.dwg cs4Label=policyIDs cs4= "+
		`c6a1Label="Device IPv6 Address" c6a1=`,
		t.Format("2006-01-02T15:04:05.000Z"), activityID(i), t.UnixMilli(), t.UnixMilli(), t.UnixMilli(), i, i, i%250+1, i)
}

func activityID(i int) string {
	return fmt.Sprintf("%d_20893_5f3a1c22-0000-4000-8000-%012x", 97531000+i, i)
}

// cmdGenerate writes notifications, a line each.
//
//	generate defender|cloud|activities|both FROM N FILE
//
// cloud FROM N are the twins of defender FROM N; both is defender and activities in turn.
func cmdGenerate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: generate KIND FROM N FILE")
	}
	from, n := number(ts, args[1]), number(ts, args[2])
	var b strings.Builder
	for i := from; i < from+n; i++ {
		switch args[0] {
		case "defender":
			b.WriteString(defenderAlert(i) + "\n")
		case "cloud":
			b.WriteString(cloudAlert(i) + "\n")
		case "activities":
			b.WriteString(activity(i) + "\n")
		case "both":
			b.WriteString(defenderAlert(i) + "\n" + activity(i) + "\n")
		default:
			ts.Fatalf("generate %s: unknown", args[0])
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(b.String()), 0o666))
}
