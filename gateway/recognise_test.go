package gateway

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// told is what one service says of an incident; empty fields are left out of the message.
type told struct {
	class, title, id string // class: CEF class, or Cloud App Security's type; id: externalId of Defender for Identity
	user, host, text string
	shift            time.Duration // of the start
	late             time.Duration // of the arrival
}

const (
	classRemote = "RemoteExecutionSecurityAlert"
	cloudRemote = "ALERT_EXTERNAL_AATP_REMOTE_EXECUTION_SECURITY_ALERT"
	titleRemote = "Remote code execution attempt"
)

func (d told) mdi(number int) string {
	f := fmt.Sprintf("start=%s app=Wmi", monday.Add(d.shift).Format("2006-01-02T15:04:05.0000000Z"))
	for _, kv := range [][2]string{{"shost", d.host}, {"suser", d.user}, {"msg", d.text}, {"externalId", d.id}} {
		if kv[1] != "" {
			f += " " + kv[0] + "=" + kv[1]
		}
	}
	return fmt.Sprintf(`<36>1 2024-03-04T08:00:20.000000+00:00 DC CEF 1 X 0|Microsoft|Azure ATP|2.2|%s|%s|5|%s cs1Label=url `+
		`cs1=https\://security.microsoft.com/alerts/aa00000000-0000-4000-8000-%012d cs2Label=trigger cs2=new`, d.class, d.title, f, number)
}

func (d told) mcas(number int) string {
	start, address := monday.Add(d.shift), ""
	if d.host != "" {
		address = ` c6a1Label="Device IPv6 Address" c6a1=` + d.host
	}
	return fmt.Sprintf(`%s CEF:0|MCAS|SIEM_Agent|0.2|%s|%s|6|externalId=%08x%016x start=%d end=%[6]d msg=%[7]s suser=%[8]s `+
		`destinationServiceName=Active Directory cs1Label=portalURL cs1=https://x/#/alerts/1 cs2Label=uniqueServiceAppIds `+
		`cs2=APPID_ACTIVE_DIRECTORY%[9]s`, start.Format(time.RFC3339), d.class, d.title, start.Unix()+90, number, start.UnixMilli(), d.text, d.user, address)
}

// alerts is how many alerts all that was told turned out to be.
func (s *story) alerts() int {
	all := map[dedup.AlertID]bool{}
	for _, e := range s.entries {
		if e.Kind == stream.Release || e.Decision.Action != dedup.Hold {
			all[e.Match.Alert] = true
		}
	}
	return len(all)
}

// alertsOf tells of each message the alert that it turned out to be.
func (s *story) alertsOf(messages map[string]string) map[string]dedup.AlertID {
	of := map[string]dedup.AlertID{}
	for _, e := range s.entries {
		for name, message := range messages {
			if string(e.Notification.Raw) == message {
				of[name] = e.Match.Alert // the last word on it
			}
		}
	}
	return of
}

// TestRecognise: what an analyst would call one alert, and what not.
func TestRecognise(t *testing.T) {
	remote := func(user, host, text string) told {
		return told{class: classRemote, title: titleRemote, id: "2019", user: user, host: host, text: text}
	}
	cloud := func(user, text string) told {
		return told{class: cloudRemote, title: titleRemote, user: user, text: text}
	}
	shifted := func(d told, by time.Duration) told { d.shift = by; return d }
	exactly := func(d told) told { return shifted(d, 123456700) }
	late := func(d told, by time.Duration) told { d.late = by; return d }
	typed := func(d told, class, title, id string) told { d.class, d.title, d.id = class, title, id; return d }
	const generic = " performed 7 suspicious activities MITRE Technique used Remote Services (T1021)"
	tests := []struct {
		name string
		m, c told
		one  bool
	}{
		{
			"employee number, the text has the name", remote("E104233", "", "Nora Falk (Pilot) ran 3 commands on APPSRV."),
			cloud("nora.falk@harbour.example", "Nora Falk ran 3 commands on APPSRV."), true,
		},
		{
			"employee number in both, another one", remote("E104233", "APPSRV", "E104233 ran commands on APPSRV."),
			cloud("e104234@harbour.example", "e104234 ran commands on APPSRV."), false,
		},
		{
			"employee numbers of attacker and victim", remote("e104233@harbour.example", "APPSRV", "E104233 ran commands on APPSRV as E104234."),
			cloud("e104234@harbour.example", "e104233 ran commands on APPSRV as e104234."), true,
		},
		{
			"two people of one name, whose accounts are numbers", remote("s1180000", "LAB3", "Nora Falk (Student) ran commands on LAB3."),
			shifted(cloud("s1190001@harbour.example", "Nora Falk"+generic), 2*s), false,
		},
		{
			"an employee number, and another person on the machine", remote("E104233", "LAB3", "Nora Falk (Nurse) ran commands on LAB3."),
			shifted(cloud("nils.falk@harbour.example", "Nils Falk ran commands on LAB3."), 2*s), false,
		},
		{
			"a security identifier, and the same person", remote("S-1-5-21-1004336348-1177238915-682003330-2201", "LAB3", "Nora Falk (Nurse) ran commands on LAB3."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran commands on LAB3."), 2*s), true,
		},
		{
			"two addresses for machines", remote("", "10.20.0.7", "Somebody made 60 attempts on HARBOURDC from 10.20.0.7."),
			shifted(cloud("", "Somebody made 60 attempts on HARBOURDC from 10.20.0.77."), 5*s), false,
		},
		{
			"two addresses for machines of one person", remote("nfalk", "10.20.0.7", "Nora Falk ran commands on HARBOURDC from 10.20.0.7."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran commands on HARBOURDC from 10.20.0.77."), 5*s), false,
		},
		{
			"employee number, no name anywhere, the same machine and figures", remote("u48213", "LAPTOPNORA", "u48213 ran 17 commands from LAPTOPNORA."),
			cloud("nora.falk@harbour.example", "Nora Falk ran 17 commands from LAPTOPNORA."), true,
		},
		{"last and first letters", remote("falno01", "", "falno01 ran commands."), cloud("nora.falk@harbour.example", "nora.falk ran commands."), true},
		{"display names in another order", remote("Falk, Nora", "", "Falk, Nora ran commands."), cloud("nora.falk@harbour.example", "Nora Falk"+generic), true},
		{"a number in the UPN", remote("nfalk", "", "nfalk ran commands."), cloud("nora.falk2@harbour.example", "Nora Falk"+generic), true},
		{
			"a nickname, the text has the name", remote("bobs", "", "Robert Smith (Pilot) ran 3 commands."),
			cloud("robert.smith@harbour.example", "Robert Smith ran 3 commands."), true,
		},
		{
			"two people of one abbreviation, the text tells", remote("kweber", "", "Karl Weber (Pilot) ran commands."),
			cloud("kira.weber@harbour.example", "Kira Weber"+generic), false,
		},
		{
			"other people on one machine", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			cloud("", "Omar Haddad ran commands on APPSRV."), false,
		},
		{
			"other people on one machine, some seconds later", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			shifted(cloud("omar.haddad@harbour.example", "Omar Haddad ran commands on APPSRV."), 2*s), false,
		},
		{
			"one person on other machines", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran commands on DBSRV."), 30*s), false,
		},
		{
			"an account whose name is a word of the other's text, which names its own", remote("nfalk", "", "Nora Falk (Nurse) sent ldap queries."),
			shifted(cloud("ldap@harbour.example", "ldap"+generic), 3*s), false,
		},
		{
			"names of twenty letters that the texts tell apart", remote("christopher.williams", "", "Christopher Williams (Nurse) ran commands."),
			shifted(cloud("christopher.williamson@harbour.example", "Christopher Williamson"+generic), 2*s), false,
		},
		{
			"a name that is cut at twenty letters", remote("christopher.williams", "", "Christopher Williamson (Nurse) ran commands."),
			shifted(cloud("christopher.williamson@harbour.example", "Christopher Williamson"+generic), 2*s), true,
		},
		{
			"two objects, of which one has a GUID for its name", remote("nfalk", "APPSRV", "Nora Falk created service 3f2504e0-4f89-11d3-9a0c-0305e82c3301 on APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk created service PSEXESVC on APPSRV."), 2*s), false,
		},
		{
			"attacker and victim by their names", remote("nfalk", "", "Omar Haddad reset the password of Nora Falk remotely."),
			cloud("omar.haddad@harbour.example", "Omar Haddad reset the password of Nora Falk remotely."), true,
		},
		{
			"an administrator beside another person", remote("a-falk", "", "a-falk ran commands."),
			shifted(cloud("anna.falk@harbour.example", "Anna Falk"+generic), 2*s), false,
		},
		{
			"an address with its zone", remote("", "fe80::a1b2:c3d4:e5f6:1%12", "Commands ran."),
			cloud("", "Commands came from fe80::a1b2:c3d4:e5f6:1%12."), true,
		},
		{"initial behind the name", remote("falk_n", "", "Nora Falk ran commands."), cloud("nora.falk@harbour.example", "Nora Falk ran commands."), true},
		{
			"a GUID in the place of the user", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			cloud("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "Nora Falk ran commands on APPSRV."), true,
		},
		{
			"n after the domain's backslash", remote("", "", `User HARBOUR\nadia ran commands.`),
			cloud("nadia@harbour.example", "nadia"+generic), true,
		},
		{
			"addresses in two spellings", remote("", "2001:db8::7", "Commands ran."),
			func() told {
				d := cloud("", "7 suspicious activities")
				d.host = "2001:0db8:0000:0000:0000:0000:0000:0007"
				return d
			}(), true,
		},
		{"machine account and UPN of it", remote("", "KIOSK-7", "Commands ran."), cloud("KIOSK-7$@harbour.example", "Commands ran there."), true},
		{"machine by its address", remote("", "10.20.0.7", "Commands came from 10.20.0.7."), cloud("", "Commands came from 10.20.0.7."), true},
		{
			"machine without a digit, in the text only", remote("", "", "Someone on LAPTOPANNA ran commands on the server."),
			cloud("", "Someone on LAPTOPANNA ran commands on the server."), true,
		},
		{
			"machines without a digit, two of them", remote("", "", "Someone on LAPTOPANNA ran commands on the server."),
			cloud("", "Someone on LAPTOPBERT ran commands on the server."), false,
		},
		{"nobody in common", remote("", "", "Commands ran."), cloud("", "7 suspicious activities"), false},
		{
			"nobody in common but a word for nobody", remote("Unknown", "APPSRV", "Commands ran on APPSRV."),
			shifted(cloud("unknown", "Someone"+generic), 9*s), false,
		},
		{
			"a word for nobody, and the same machine", remote("N/A", "APPSRV", "Commands ran on APPSRV."),
			shifted(cloud("", "Commands ran on APPSRV."), 9*s), true,
		},
		{"another type", remote("nfalk", "APPSRV", "x"), typed(cloud("nora.falk@harbour.example", "x"),
			"ALERT_EXTERNAL_AATP_PASS_THE_HASH_SECURITY_ALERT", titleRemote, ""), false},
		{
			"a type in no table, by its class", typed(remote("nfalk", "APPSRV", "x"), "TeapotSecurityAlert", "Teapot", "2990"),
			typed(cloud("nora.falk@harbour.example", "x"), "ALERT_EXTERNAL_AATP_TEAPOT_SECURITY_ALERT", "Suspected teapot", ""), true,
		},
		{
			"a type in no table, by its name, person, machine and time", typed(remote("nfalk", "APPSRV", "x on APPSRV"), "TeapotSecurityAlert", "Suspected teapot", "2990"),
			typed(cloud("nora.falk@harbour.example", "x on APPSRV"), "ALERT_EXTERNAL_KETTLE", "Suspected teapot", ""), true,
		},
		{
			"a type in no table, by its name only", typed(remote("nfalk", "", "x"), "TeapotSecurityAlert", "Suspected teapot", "2990"),
			shifted(typed(cloud("", "y"), "ALERT_EXTERNAL_KETTLE", "Suspected teapot", ""), 5*m), false,
		},
		{
			"a policy of that name on Active Directory", remote("nfalk", "APPSRV", "x"),
			typed(cloud("nora.falk@harbour.example", "x"), "ALERT_CABINET_EVENT_MATCH_AUDIT", titleRemote, ""), false,
		},
		{
			"starts minutes apart", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk"+generic), -6*m), true,
		},
		{
			"starts an hour apart", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk"+generic), -61*m), false,
		},
		{
			"a start of another zone, after the arrival", shifted(remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."), 2*h),
			cloud("nora.falk@harbour.example", "Nora Falk ran commands on APPSRV."), true,
		},
		{
			"starts of another zone, minutes apart", shifted(remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."), 2*h),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran commands on APPSRV."), 2*h+4*m), true,
		},
		{
			"two and a half days late", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			late(cloud("nora.falk@harbour.example", "Nora Falk"+generic), 60*h), true,
		},
		{
			"later than dedup.window", remote("nfalk", "APPSRV", "Nora Falk ran commands on APPSRV."),
			late(cloud("nora.falk@harbour.example", "Nora Falk"+generic), 73*h), false,
		},
		{
			"attacker and victim", remote("nfalk", "", "Nora Falk (Pilot) reset the password of Omar Haddad (Chef)."),
			cloud("omar.haddad@harbour.example", "nfalk reset the password of Omar Haddad."), true,
		},
		{
			"victim of another's alert", remote("nfalk", "", "Nora Falk (Pilot) ran commands."),
			cloud("omar.haddad@harbour.example", "Omar Haddad ran commands."), false,
		},
		{
			"equal accounts of two domains", remote(`HARBOUR\nfalk`, "", "nfalk ran commands."),
			cloud("nfalk@alpine.example", "nfalk ran commands."), false,
		},
		{
			"a suffix of two domains", remote(`HARBOUR\nfalk`, "", "nfalk ran commands."),
			cloud("nora.falk@group.example", "Nora Falk ran commands."), true,
		},
		{
			"a suffix of two domains, another domain", remote(`HARBOUR\nfalk`, "", "nfalk ran commands."),
			cloud("nfalk@sea.example", "nfalk ran commands."), false,
		},
		{
			"another script", remote("Юлия Иванова", "APPSRV", "Юлия Иванова ran commands on APPSRV."),
			cloud("yulia.ivanova@harbour.example", "yulia.ivanova ran commands on APPSRV."), true,
		},
		{
			"one script, another person", remote("山田 太郎", "APPSRV", "山田 太郎 ran commands on APPSRV."),
			shifted(cloud("hanako.yamada@harbour.example", "山田 花子 ran commands on APPSRV."), 5*s), false,
		},
		{
			"one script without blanks, another person", remote("王伟", "APPSRV", "王伟 (Pilot) ran commands on APPSRV."),
			shifted(cloud("wang.fang@harbour.example", "王芳 ran commands on APPSRV."), 5*s), false,
		},
		{
			"one script without blanks, the same person", remote("王伟", "APPSRV", "王伟 (Pilot) ran commands on APPSRV."),
			shifted(cloud("wang.wei@harbour.example", "王伟 ran commands on APPSRV."), 5*s), true,
		},
		{
			"letters that have no accent to leave out", remote("Elnur Əliyev", "", "Elnur Əliyev ran commands."),
			cloud("elnur.aliyev@harbour.example", "Elnur Aliyev ran commands."), true,
		},
		{
			"equal accounts of two domains of one forest, not configured", remote(`NORTH\nfalk`, "", "nfalk ran commands."),
			shifted(cloud("nfalk@south.fell.example", "nfalk"+generic), 24*s), false,
		},
		{
			"accounts of one forest, the same machine", remote(`FELL\nfalk`, "APPSRV", "nfalk ran commands on APPSRV."),
			shifted(cloud("nfalk@mail.fell-group.example", "nfalk ran commands on APPSRV."), 2*s), true,
		},
		{
			"an administrator's account beside the person's", remote("nfalk", "APPSRV", "nfalk ran commands on APPSRV."),
			shifted(cloud("nfalk.adm@harbour.example", "nfalk.adm ran commands on APPSRV."), 40*s), false,
		},
		{
			"an administrator's account under a display name", remote("a-nfalk", "APPSRV", "a-nfalk ran commands on APPSRV."),
			cloud("", "Nora Falk (Admin) ran commands on APPSRV."), true,
		},
		{
			"father and son", remote("Omar Haddad Jr.", "", "Omar Haddad Jr. ran commands."),
			shifted(cloud("omar.haddad@harbour.example", "Omar Haddad"+generic), 30*s), false,
		},
		{
			"son by the text, with an employee number", remote("u48213", "", "Omar Haddad Jr. (Chef) ran commands."),
			shifted(cloud("omar.haddad@harbour.example", "Omar Haddad"+generic), 30*s), false,
		},
		{
			"two people of one name", remote("nora.falk", "", "nora.falk ran commands."),
			shifted(cloud("nora.falk2@harbour.example", "nora.falk2 ran commands."), 2*s), false,
		},
		{
			"two machines of one short name", remote("", "web.fell.example", "Somebody ran commands on web.fell.example from LAB3."),
			shifted(cloud("", "Somebody ran commands on web.lab.fell.example from LAB3."), 40*s), false,
		},
		{
			"a machine in full and short, in the texts only", remote("", "", "Somebody ran commands from LAB3 on DC2."),
			cloud("", "Somebody ran commands from lab3.fell.example on DC2."), true,
		},
		{
			"surname of several words", remote("vdbergm", "", "Mies van den Berg (Pilot) ran commands."),
			cloud("mies.vandenberg@harbour.example", "Mies van den Berg ran commands."), true,
		},
		{
			"a number in both accounts", remote("falkno7", "", "Nora Falk (Pilot) ran commands."),
			cloud("nora.falk7@harbour.example", "Nora Falk"+generic), true,
		},
		{
			"a number in one full name", remote("nora.falk", "APPSRV", "nora.falk ran commands on APPSRV."),
			shifted(cloud("nora.falk7@harbour.example", "nora.falk7 ran commands on APPSRV."), 20*s), false,
		},
		{
			"employee number, the summary has the name", remote("E104233", "APPSRV", "Nora Falk (Pilot) ran commands on APPSRV."),
			cloud("", "Nora Falk"+generic), true,
		},
		{
			"employee number, only the texts have the name", remote("E104233", "", "Nora Falk (Pilot) has run commands."),
			cloud("", "Nora Falk has run commands."), true,
		},
		{
			"employee number, and nobody knows whose, at one moment", remote("E104233", "", "E104233 has run commands."),
			cloud("nora.falk@harbour.example", "Nora Falk has run commands."), true,
		},
		{
			"employee number, and nobody knows whose, at another moment", remote("E104233", "", "E104233 has run commands."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk has run commands."), time.Millisecond), false,
		},
		{
			"initial of a second surname, at one moment", remote("nfalkb", "", "nfalkb has run commands."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example"+generic), true,
		},
		{
			"initial of a second surname, and the same machine", remote("nfalkb", "LAB3", "nfalkb ran commands on LAB3."),
			shifted(cloud("nora.falk@harbour.example", "nora.falk@harbour.example ran commands on LAB3."), 45*s), false,
		},
		{
			"employee number, the texts have two names", remote("E104233", "", "Nora Falk (Pilot) has run commands."),
			cloud("", "Omar Haddad has run commands."), false,
		},
		{
			"a technical term that looks like a name", remote("E104233", "", "The Remote Desktop (RDP) of somebody ran commands."),
			shifted(cloud("", "The Remote Desktop of another ran commands."), s), false,
		},
		{
			"employee number and another script in both texts", remote("ya2025", "", "Юлия Иванова ran commands on somebody's behalf."),
			cloud("yulia.ivanova@harbour.example", "Юлия Иванова ran commands on somebody's behalf."), true,
		},
		{
			"nobody from outside is a second account", remote("Nora Falk [ext]", "APPSRV", "Nora Falk [ext] ran commands on APPSRV."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example ran commands on APPSRV."), true,
		},
		{
			"addresses of two families", remote(`HARBOUR\KIOSK-7$`, "fd00::7", "Commands ran from KIOSK-7."),
			shifted(cloud("KIOSK-7$", "Commands ran from 10.20.0.7."), 70*s), true,
		},
		{
			"one wording, another service made", remote("nfalk", "APPSRV", "Nora Falk (Pilot) made svc_aaaa01 on APPSRV to run commands."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk made svc_bbbb02 on APPSRV to run commands."), 5*s), false,
		},
		{
			"one wording, another machine attacked", remote("nfalk", "APPSRV", "nfalk ran commands from APPSRV on HARBOURDC at once."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example ran commands from APPSRV on ALPINEDC at once."), false,
		},
		{
			"one wording, a machine by its address", remote("nfalk", "APPSRV", "nfalk ran commands from APPSRV7 on HARBOURDC at once."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example ran commands from 10.20.0.7 on HARBOURDC at once."), true,
		},
		{
			"one wording, another victim", remote("nfalk", "", "Nora Falk (Pilot) added Omar Haddad (Head of Catering) to the group Domain Admins."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk added Ida Brook to the group Domain Admins."), 12*s), false,
		},
		{
			"one wording, the same victim", remote("nfalk", "", "Nora Falk (Pilot) added Omar Haddad (Head of Catering) to the group Domain Admins."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk added omar.haddad@harbour.example to the group Domain Admins."), 12*s), true,
		},
		{
			"one wording, another victim by account and address", remote("nfalk", "APPSRV", "Nora Falk (Pilot) reset the password of ohaddad from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of ida.brook@harbour.example from APPSRV."), 12*s), false,
		},
		{
			"one wording, the same victim by account and address", remote("nfalk", "APPSRV", `Nora Falk (Pilot) reset the password of HARBOUR\ohaddad from APPSRV.`),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of omar.haddad@harbour.example from APPSRV."), 12*s), true,
		},
		{
			"one wording, a victim and a service", remote("nfalk", "APPSRV", "Nora Falk (Pilot) reset the password of svc_mail from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of Ida Brook from APPSRV."), 12*s), false,
		},
		{
			"one wording, another group", remote("nfalk", "", "Nora Falk (Pilot) added Omar Haddad (Chef) to the group Domain Admins."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk added Omar Haddad to the group Enterprise Admins."), 12*s), false,
		},
		{
			"one wording, another machine attacked, in small letters", remote("nfalk", "APPSRV", "Nora Falk (Pilot) ran 3 commands from APPSRV on srv-file."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran 3 commands from APPSRV on srv-print."), 12*s), false,
		},
		{
			"one wording, another machine attacked, by numbers", remote("E104233", "APPSRV", "E104233 ran 3 commands from APPSRV on srv-file."),
			shifted(cloud("e104233@harbour.example", "e104233@harbour.example ran 3 commands from APPSRV on srv-print."), 12*s), false,
		},
		{
			"one wording, the machine attacked in full", remote("nfalk", "APPSRV", "Nora Falk (Pilot) ran 3 commands from APPSRV on srv-file."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran 3 commands from APPSRV on srv-file.ad.harbour.example."), 12*s), true,
		},
		{
			"one wording, a victim by a word that is no name", remote("nfalk", "APPSRV", "Nora Falk (Pilot) reset the password of somebody from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of Ida Brook from APPSRV."), 12*s), true,
		},
		{
			"one wording, a victim with an initial", remote("nfalk", "APPSRV", "Nora Falk (Pilot) reset the password of Omar Haddad (Chef) from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of O. Haddad from APPSRV."), 12*s), true,
		},
		{
			"one wording, a victim in quotes", remote("nfalk", "APPSRV", "Nora Falk (Pilot) used the ticket of 'Zoë Haddad (Chef)' from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", `Nora Falk used "Zoë Haddad"'s ticket from APPSRV of the same.`), 12*s), true,
		},
		{
			"one wording, a distinguished name", remote("nfalk", "APPSRV", "Nora Falk (Pilot) reset the password of svc-mail from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of CN=svc-mail,OU=Mail,DC=harbour,DC=example from APPSRV."), 12*s), true,
		},
		{
			"one wording, a service by its principal name", remote("nfalk", "APPSRV", "Nora Falk (Pilot) asked for a ticket for MSSQLSvc/db-01.ad.harbour.example:1433 from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk asked for a ticket for db-01 from APPSRV."), 12*s), true,
		},
		{
			"one wording, a service by its principal name, without a hyphen", remote("nfalk", "APPSRV", "Nora Falk (Pilot) asked for a ticket for MSSQLSvc/sql01.ad.harbour.example:1433 from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk asked for a ticket for sql01 from APPSRV."), 12*s), true,
		},
		{
			"one wording, another service by its principal name", remote("nfalk", "APPSRV", "Nora Falk (Pilot) asked for a ticket for MSSQLSvc/sql01.ad.harbour.example:1433 from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk asked for a ticket for sql02 from APPSRV."), 12*s), false,
		},
		{
			"one wording, a machine in a URL", remote("nfalk", "APPSRV", "Nora Falk (Pilot) asked http://srv-ca.ad.harbour.example/certsrv for a certificate from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk asked srv-ca for a certificate from APPSRV."), 12*s), true,
		},
		{
			"one wording, a service by its display name", remote("nfalk", "APPSRV", "Nora Falk (Pilot) reset the password of svc_sql from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of SQL Server Service Account from APPSRV."), 12*s), true,
		},
		{
			"a list of machines in another order", remote("nfalk", "APPSRV", "Nora Falk (Pilot) ran commands from APPSRV on srv-print, srv-file and srv-mail."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran commands from APPSRV on srv-file, srv-mail and srv-print."), 12*s), true,
		},
		{
			"a word for nobody in the place of a victim", remote("nfalk", "APPSRV", "Nora Falk (Pilot) reset the password of Ida Brook (Nurse) from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk reset the password of someone from APPSRV."), 12*s), true,
		},
		{
			"a long list of victims, and another one", remote("nfalk", "APPSRV", "Nora Falk (Pilot) failed to log on from APPSRV as "+
				"Ida Brook, Omar Haddad, Nils Berg, Eva Lund, Jan Voss, Uta Kern, Ole Dahl, Mia Roth, Leo Bach, Tom Stone."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk failed to log on from APPSRV as Zoë Quist."), 12*s), false,
		},
		{
			"one wording, a second machine of one name", remote("nfalk", "APPSRV", "Nora Falk (Pilot) ran commands on srv-mail from APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran commands on srv-mail-old from APPSRV."), 12*s), false,
		},
		{
			"a list of victims that has grown", remote("nfalk", "APPSRV", "Nora Falk (Pilot) failed to log on from APPSRV as Ida Brook (Nurse)."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk failed to log on from APPSRV as Omar Haddad, Ida Brook, Nils Berg."), 12*s), true,
		},
		{
			"a list of victims that was cut in a name", remote("nfalk", "APPSRV", "Nora Falk (Pilot) failed to log on from APPSRV as Ida Brook (Nurse), Omar Hadd"),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk failed to log on from APPSRV as Ida Brook, Omar Haddad, Nils Berg."), 12*s), true,
		},
		{
			"one wording, another count", remote("nfalk", "APPSRV", "nfalk ran 12 commands from APPSRV on HARBOURDC."),
			shifted(cloud("nora.falk@harbour.example", "nora.falk@harbour.example ran 15 commands from APPSRV on HARBOURDC."), 5*s), true,
		},
		{
			"an address where the other text names the machine", remote("nfalk", "LAB3", "nfalk made 60 attempts on HARBOURDC from LAB3."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example made 60 attempts on HARBOURDC from 10.1.2.3."), true,
		},
		{
			"an address where the other text names the machine, and no account", remote("", "LAB3", "Somebody made 60 attempts on HARBOURDC from LAB3."),
			cloud("", "Somebody made 60 attempts on HARBOURDC from 10.1.2.3."), true,
		},
		{
			"an address where the other text names the machine, another count", remote("", "LAB3", "Somebody made 60 attempts on HARBOURDC from LAB3."),
			cloud("", "Somebody made 61 attempts on HARBOURDC from 10.1.2.3."), false,
		},
		{
			"a machine that one service couldn't resolve", remote("nfalk", "Unknown", "nfalk made 60 attempts on HARBOURDC from Unknown."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example made 60 attempts on HARBOURDC from LAB3."), true,
		},
		{
			"a machine in one text, an unknown country in the other", remote("nfalk", "LAB3", "nfalk ran commands from LAB3."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran commands from an unknown country."), 15*s), false,
		},
		{
			"a machine in one text, and the same moment", exactly(remote("nfalk", "LAB3", "nfalk made 60 attempts to run commands on HARBOURDC from LAB3.")),
			exactly(cloud("nora.falk@harbour.example", "Nora Falk ran commands on HARBOURDC.")), true,
		},
		{
			"one moment, and another machine in words of its own", exactly(remote("E104233", "LAB3", "Nora Falk (Nurse) ran commands on HARBOURDC from LAB3.")),
			exactly(cloud("nora.falk@harbour.example", "The administration tools of LAB4 were misused.")), true,
		},
		{
			"one moment, accounts that can't be compared, and another machine", exactly(remote("E104233", "LAB3", "E104233 ran commands on HARBOURDC from LAB3.")),
			exactly(cloud("nora.falk@harbour.example", "The administration tools of LAB4 were misused.")), false,
		},
		{
			"a job title in one of two texts that are the same", remote("E104233", "", "Falk, Nora (Pilot) added Omar Haddad to the group Domain Admins."),
			shifted(cloud("", "Falk, Nora added Omar Haddad to the group Domain Admins."), 2*s), true,
		},
		{
			"an account in the text alone, with a number", remote("", "LAB3", "On LAB3 nfalk01 ran 3 commands."),
			shifted(cloud("nora.falk@harbour.example", "On LAB3 Nora Falk ran 3 commands."), 2*s), true,
		},
		{
			"an account in the text alone, with which it begins", remote("", "LAB3", "nfalk ran 3 commands on LAB3."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran 3 commands on LAB3."), 2*s), true,
		},
		{
			"an account in the text alone, and another person's", remote("", "LAB3", "ohaddad01 ran 3 commands on LAB3."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran 3 commands on LAB3."), 2*s), false,
		},
		{
			"a machine that is called as a person, and nobody else", remote("", "NFALK01", "Somebody ran 3 commands on NFALK01."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk ran 3 commands on LAB3."), 2*s), false,
		},
		{
			"a machine in one text, and a second apart", remote("nora.falk", "LAB3", "nora.falk ran commands on HARBOURDC from LAB3."),
			shifted(cloud("nora.falk@harbour.example", "nora.falk ran commands on HARBOURDC."), s), true,
		},
		{
			"a machine in one text, and half a minute apart", remote("nora.falk", "LAB3", "nora.falk ran commands on HARBOURDC from LAB3."),
			shifted(cloud("nora.falk@harbour.example", "nora.falk ran commands on HARBOURDC."), 30*s), false,
		},
		{
			"a machine in one text, and the same moment of somebody else", exactly(remote("nfalk", "LAB3", "nfalk made 60 attempts to run commands on HARBOURDC from LAB3.")),
			exactly(cloud("omar.haddad@harbour.example", "Omar Haddad ran commands on HARBOURDC.")), false,
		},
		{
			"a machine in one text, the other in words of its own", remote("nfalk", "LAB3", "nfalk made 60 attempts to run commands on HARBOURDC from LAB3."),
			shifted(cloud("nora.falk@harbour.example", "The administration tools of Nora Falk were misused."), 15*s), true,
		},
		{
			"a machine in one text, the other in words of its own, later", remote("nfalk", "LAB3", "nfalk made 60 attempts to run commands on HARBOURDC from LAB3."),
			shifted(cloud("nora.falk@harbour.example", "The administration tools of Nora Falk were misused."), 4*m), false,
		},
		{
			"a machine in one text, and names alone in the other", remote("nfalk", "LAB3", "nfalk made 60 attempts to run commands on HARBOURDC from LAB3."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk HARBOURDC2 HARBOURDC3"), 15*s), false,
		},
		{
			"an account whose name stands where the other text has an address", remote("", "", "Somebody ran 60 commands as 10.1.2.3 in full."),
			shifted(cloud("", "Somebody ran 60 commands as user_7 in full."), 5*s), false,
		},
		{
			"nickname and name as two accounts", remote("dan.lee@harbour.example", "LAB3", "dan.lee@harbour.example ran commands from LAB3."),
			shifted(cloud("daniel.lee@harbour.example", "daniel.lee@harbour.example ran commands from LAB3."), 2*s), false,
		},
		{
			"an employee and their administrator's account", remote("104233", "LAB3", "104233 ran commands from LAB3."),
			shifted(cloud("a104233@harbour.example", "a104233 ran commands from LAB3."), 2*s), false,
		},
		{
			"a nickname, the same machine and moment", remote("rstone", "LAB3", "Robert Stone (Pilot) ran commands from LAB3."),
			cloud("bob.stone@harbour.example", "Bob Stone ran commands from LAB3."), true,
		},
		{
			"a nickname, and no machine", remote("rstone", "", "Robert Stone (Pilot) ran commands."),
			cloud("bob.stone@harbour.example", "Bob Stone"+generic), false,
		},
		{
			"two people of one surname on one machine", remote("rstone", "LAB3", "Robert Stone (Pilot) ran commands from LAB3."),
			cloud("tom.stone@harbour.example", "Tom Stone ran commands from LAB3."), false,
		},
		{
			"the account has the second surname, the text has both", remote("gmarquez", "", "gmarquez ran commands."),
			cloud("gabriel.garcia@harbour.example", "Gabriel García Márquez ran commands."), true,
		},
		{
			"a machine's NetBIOS name", remote("", "HARBOUR-FINANCE-12", "Somebody ran commands from HARBOUR-FINANCE-12 on HARBOURDC."),
			cloud("", "Somebody ran commands from HARBOUR-FINANCE on HARBOURDC."), true,
		},
		{
			"two machines of a common beginning", remote("", "HARBOUR-FINANCE-12", "Somebody ran commands from HARBOUR-FINANCE-12 on HARBOURDC."),
			cloud("", "Somebody ran commands from HARBOUR-FINANCE-13 on HARBOURDC."), false,
		},
		{
			"one wording, a victim in two spellings", remote("nfalk", "APPSRV", "nfalk ran commands from APPSRV as E104555 at once."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example ran commands from APPSRV as omar.haddad2@harbour.example at once."), true,
		},
		{
			"a machine's account with a suffix in the text", remote(`HARBOUR\kiosk-7$`, "", "kiosk-7$ ran commands on HARBOURDC at once."),
			cloud("kiosk-7$@harbour.example", "kiosk-7$@harbour.example ran commands on HARBOURDC at once."), true,
		},
		{
			"a type in no table, by its name and its words", typed(remote("", "LAB3", "LAB3 sent 75 strange requests to DC2, asking for hashes."), "TeapotSecurityAlert", "Suspected teapot", "2990"),
			shifted(typed(cloud("", "LAB3 sent 75 strange requests to DC2, asking for hashes."), "ALERT_EXTERNAL_AATP_SECURITY_ALERT", "Suspected teapot", ""), 160*s), true,
		},
		{
			"a type in no table, by its name, in other words", typed(remote("", "LAB3", "LAB3 sent 75 strange requests to DC2, asking for hashes."), "TeapotSecurityAlert", "Suspected teapot", "2990"),
			shifted(typed(cloud("", "LAB3 sent 12 strange requests to DC5, asking for tickets."), "ALERT_EXTERNAL_AATP_SECURITY_ALERT", "Suspected teapot", ""), 160*s), false,
		},
		{
			"both texts spell out the name, of two people", remote("jcsilva", "APPSRV", "José Carlos Silva ran commands from APPSRV."),
			cloud("jose.silva@harbour.example", "José Manuel Silva ran commands from APPSRV."), false,
		},
		{
			"both texts spell out the name, of two people with a surname in common", remote("mgarcial", "APPSRV", "María José García López ran commands from APPSRV."),
			cloud("maria.garcia@harbour.example", "María García Pérez ran commands from APPSRV."), false,
		},
		{
			"both texts spell out the name, one with another word before it", remote("mrashid", "APPSRV", "Account Mohammed bin Rashid Al Maktoum ran commands from APPSRV."),
			cloud("mohammed.almaktoum@harbour.example", "User Mohammed Al Maktoum ran commands from APPSRV."), true,
		},
		{
			"an object's ID, and a text of somebody else", remote("nfalk", "APPSRV", "Nora Falk ran commands from APPSRV on HARBOURDC."),
			cloud("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "Omar Haddad ran commands from APPSRV on HARBOURDC."), false,
		},
		{
			"an object's ID, and a text of the same person", remote("nfalk", "APPSRV", "Nora Falk ran commands from APPSRV on HARBOURDC."),
			cloud("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "Falk, N. ran commands from APPSRV on HARBOURDC."), true,
		},
		{
			"a security identifier, and a text of somebody else", remote("S-1-5-21-1004336348-1177238915-682003330-1104", "APPSRV",
				"Nora Falk ran commands from APPSRV on HARBOURDC."),
			cloud("omar.haddad@harbour.example", "Omar Haddad ran commands from APPSRV on HARBOURDC."), false,
		},
		{
			"an employee number, and an address in the text instead of the name", remote("e100353", "", "Nora Falk (Pilot) ran commands with a ticket of the directory."),
			cloud("", "nora.falk@harbour.example ran commands with a ticket of the directory."), true,
		},
		{
			"an employee number, and an address of somebody else in the text", remote("e100353", "", "Nora Falk ran commands with a ticket of the directory."),
			cloud("", "omar.haddad@harbour.example ran commands with a ticket of the directory."), false,
		},
		{
			"an employee number, and an address of one of two surnames", remote("e100353", "", "Zoë Brzęczyszczykiewicz da Krzyżanowski used a Golden Ticket of the directory."),
			cloud("zoe.krzyzanowski@harbour.example", "zoe.krzyzanowski@harbour.example used a Golden Ticket of the directory."), true,
		},
		{
			"an employee number, and an abbreviation beside words that are no name", remote("e100353", "", "Nora Falk used a Golden Ticket of the directory."),
			cloud("", "nfalk@harbour.example used a Golden Ticket of the directory."), false,
		},
		{
			"an employee number, and an address in a text with another word", remote("e100353", "", "Nora Falk ran commands with a ticket of the directory."),
			cloud("", "nora.falk@harbour.example read secrets with a ticket of the directory."), false,
		},
		{
			"a surname in capitals, and an abbreviation", remote("nfalk", "", "Nora Falk was changed at the console of the directory by HADDAD Omar."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example was changed at the console of the directory by haddado15@harbour.example."), true,
		},
		{
			"a surname in capitals, and an abbreviation of another one", remote("nfalk", "", "Nora Falk was changed at the console of the directory by HADDAD Omar."),
			cloud("nora.falk@harbour.example", "nora.falk@harbour.example was changed at the console of the directory by thornej15@harbour.example."), false,
		},
		{
			"lists of people of whom none is on both", remote("", "APPSRV", "APPSRV guessed the passwords of 3 accounts: Nora Falk, Omar Haddad, Ida Brook."),
			cloud("", "APPSRV guessed the passwords of 3 accounts: Jonas Thorne, Mara Winter, Karl Engel."), false,
		},
		{
			"lists of the same people, otherwise ordered and spelt", remote("", "APPSRV", "APPSRV guessed the passwords of 4 accounts: Nora Falk, Omar Haddad, Ida Brook, Karl Engel."),
			cloud("", "APPSRV guessed the passwords of 4 accounts: ida.brook@harbour.example, nfalk@harbour.example, omar.haddad@harbour.example."), true,
		},
		{
			"two names of one place whose vowels are marks", remote("मीना शर्मा", "APPSRV", "मीना शर्मा ran commands from APPSRV on HARBOURDC."),
			cloud("", "मोना शर्मा ran commands from APPSRV on HARBOURDC."), false,
		},
		{
			"a name whose vowels are marks, and marks of the direction", remote("मीना शर्मा", "", "मीना शर्मा ran commands on HARBOURDC."),
			cloud("\u200eमीना शर्मा", "\u200eमीना शर्मा ran commands on HARBOURDC."), true,
		},
		{
			"an address with its port", remote("", "192.0.2.7:49152", "Somebody ran 3 commands on HARBOURDC."), cloud("", "192.0.2.7 ran 3 commands."), true,
		},
		{
			"an address in brackets with its port", remote("", "[::ffff:192.0.2.7]:445", "Somebody ran 3 commands on HARBOURDC."),
			cloud("", "192.0.2.7 ran 3 commands."), true,
		},
		{
			"an address in brackets without a port", remote("", "[2001:db8::7]", "Somebody ran 3 commands on HARBOURDC."),
			cloud("", "2001:DB8::7 ran 3 commands."), true,
		},
		{
			"an address in brackets with its port, in a text", remote("", "2001:db8::7", "Somebody ran 3 commands on HARBOURDC."),
			cloud("", "[2001:db8::7]:445 ran 3 commands."), true,
		},
		{
			"another address in brackets with that port", remote("", "2001:db8::7", "[2001:db8::7]:445 ran 3 commands on HARBOURDC."),
			cloud("", "[2001:db8::8]:445 ran 3 commands on HARBOURDC."), false,
		},
		{
			"another address with that port", remote("", "192.0.2.7:445", "192.0.2.7:445 ran 3 commands on HARBOURDC."),
			cloud("", "192.0.2.8:445 ran 3 commands on HARBOURDC."), false,
		},
		{
			"tags around the name of somebody else", remote("soconnor", "APPSRV",
				`<p><b>Sinead O'Connor</b> ran commands from <a href="https://x/7">APPSRV</a> on HARBOURDC.</p>`),
			cloud("sean.oconnor@harbour.example", "Sean O'Connor ran commands from APPSRV on HARBOURDC."), false,
		},
		{
			"an apostrophe as an entity in the name of somebody else", remote("soconnor", "APPSRV",
				"Sinead O&#39;Connor ran commands from APPSRV on HARBOURDC."),
			cloud("sean.oconnor@harbour.example", "Sean O'Connor ran commands from APPSRV on HARBOURDC."), false,
		},
		{
			"an address in angle brackets behind the name", remote("Nora Falk <nora.falk@harbour.example>", "", "Nora Falk ran commands."),
			cloud("nora.falk@harbour.example", "Nora Falk ran commands."), true,
		},
		{
			"another address of that name in angle brackets", remote("Nora Falk <nora.falk@harbour.example>", "APPSRV", "Nora Falk ran commands on APPSRV."),
			cloud("nora.falk2@harbour.example", "Nora Falk ran commands on APPSRV."), false,
		},
		{
			"a name with rsyslog's numbers in the place of umlauts", remote("J#303#266rg Gr#303#274n", "", "J#303#266rg Gr#303#274n ran commands."),
			cloud("joerg.gruen@harbour.example", "Jörg Grün ran commands."), true,
		},
		{
			"somebody else's name with such numbers", remote("J#303#266rg Gr#303#274n", "APPSRV", "J#303#266rg Gr#303#274n ran commands on APPSRV."),
			cloud("joern.gruen@harbour.example", "Jörn Grün ran commands on APPSRV."), false,
		},
		{
			"two accounts that are numbers behind a u", remote(`HARBOUR\u0123456`, "APPSRV", `HARBOUR\u0123456 ran commands on APPSRV.`),
			cloud(`HARBOUR\u0121456`, `HARBOUR\u0121456 ran commands on APPSRV.`), false,
		},
		{
			"two people of one abbreviation, in lower case", remote("nfalk", "APPSRV", "nora falk ran commands on APPSRV."),
			shifted(cloud("nils.falk@harbour.example", "nils falk ran commands on APPSRV."), 2*s), false,
		},
		{
			"two people of one abbreviation, in lower case and a summary", remote("nfalk", "APPSRV", "nora falk ran commands on APPSRV."),
			shifted(cloud("nils.falk@harbour.example", "nils falk"+generic), 2*s), false,
		},
		{
			"one person in lower case", remote("nfalk", "APPSRV", "nora falk ran commands on APPSRV."),
			shifted(cloud("nora.falk@harbour.example", "nora falk"+generic), 2*s), true,
		},
		{
			"a text that begins with an account in lower case", remote("krbtgt", "APPSRV", "krbtgt ran commands on APPSRV."),
			shifted(cloud("krbtgt@ad.harbour.example", "krbtgt"+generic), 2*s), true,
		},
		{
			"two accounts in one field", remote("nfalk;ibrook", "APPSRV", "Nora Falk and Ida Brook ran commands on APPSRV."),
			cloud("nora.falk@harbour.example;ida.brook@harbour.example", "Nora Falk and Ida Brook ran commands on APPSRV."), true,
		},
		{
			"the third of an abbreviation", remote("nfalk3", "LAB3", "nfalk3 ran commands."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk"+generic), 20*s), true,
		},
		{
			"the third of an abbreviation, and what one of them did later", remote("nfalk3", "LAB3", "nfalk3 ran commands."),
			shifted(cloud("nora.falk@harbour.example", "Nora Falk"+generic), 10*m), false,
		},
		{
			"four addresses in one field, and one of them", remote("nfalk@harbour.example,ibrook@harbour.example,ohaddad@harbour.example,kli@harbour.example", "", "Several have run commands."),
			cloud("omar.haddad@harbour.example", "Omar Haddad"+generic), true,
		},
		{
			"two addresses in one field, and a name of words of both", remote("nora.falk@harbour.example,ida.brook@harbour.example", "", "Several have run commands."),
			cloud("nora.brook@harbour.example", "Nora Brook"+generic), false,
		},
		{
			"a guest, and one of ours", remote("nfalk", "", "Somebody has run commands."),
			cloud("nfalk_two.example#EXT#@harbour.onmicrosoft.example", "Nora Falk"+generic), false,
		},
		{
			"two accounts in one field, and one of them", remote("nfalk; ibrook", "APPSRV", "Nora Falk and Ida Brook ran commands on APPSRV."),
			cloud("ida.brook@harbour.example", "Ida Brook"+generic), true,
		},
		{
			"two accounts in one field, and another second one", remote("nfalk;ibrook", "APPSRV", "Nora Falk and Ida Brook ran commands on APPSRV."),
			cloud("nora.falk@harbour.example;omar.haddad@harbour.example", "Nora Falk and Omar Haddad ran commands on APPSRV."), false,
		},
		{
			"two lists with a second one each, of whom both texts speak", remote("nfalk;obauer", "APPSRV", "Nora Falk and Otto Bauer ran commands on APPSRV for Ida Brook."),
			cloud("nora.falk@harbour.example;ida.brook@harbour.example", "Nora Falk and Otto Bauer ran commands on APPSRV for Ida Brook."), true,
		},
		{
			"parts of one list", remote("nfalk;ibrook;ohaddad;obauer", "APPSRV", "Somebody ran commands on APPSRV."),
			cloud("nora.falk@harbour.example;ida.brook@harbour.example;omar.haddad@harbour.example;mia.lund@harbour.example", "Somebody ran commands on APPSRV."), true,
		},
		{
			"one person in Chinese, and whom it was done to", remote("zwei", "APPSRV", "zwei ran commands on APPSRV against 李娜."),
			shifted(cloud("wei.zhang@harbour.example", "张伟"+generic), 2*s), true,
		},
		{
			"one person in kanji and in kana", remote("htanaka", "APPSRV", "田中はなこ ran commands on APPSRV."),
			shifted(cloud("hanako.tanaka@harbour.example", "田中花子"+generic), 2*s), true,
		},
		{
			"two people of one abbreviation, in Chinese", remote("zwei", "APPSRV", "张伟 ran commands on APPSRV."),
			shifted(cloud("wei.zhang@harbour.example", "张薇"+generic), 2*s), false,
		},
		{
			"one person in Chinese", remote("zwei", "APPSRV", "张伟 ran commands on APPSRV."),
			shifted(cloud("wei.zhang@harbour.example", "张伟"+generic), 2*s), true,
		},
		{
			"one person, whose father's name one text has", remote("iivanov", "APPSRV", "Иванов Иван Петрович ran commands on APPSRV."),
			shifted(cloud("ivan.ivanov@harbour.example", "Иван Иванов"+generic), 2*s), true,
		},
		{
			"tags and entities in the same text", remote("", "", "Sinead O'Connor ran 3 commands from APPSRV7&#10;on HARBOURDC2."),
			cloud("", "<span class='u'>Sinead O&apos;Connor</span> ran 3 commands<br/>from APPSRV7 on&nbsp;HARBOURDC2."), true,
		},
	}
	c := with(func(c *config.Config) {
		c.Organisation.Domains = []config.Domain{
			{NetBIOS: "HARBOUR", DNS: "ad.harbour.example", UPNSuffixes: []string{"harbour.example", "group.example"}},
			{NetBIOS: "ALPINE", DNS: "alpine.local", UPNSuffixes: []string{"alpine.example", "group.example"}},
			{NetBIOS: "SEA", DNS: "sea.local", UPNSuffixes: []string{"sea.example"}},
		}
	})
	for _, tt := range tests {
		for _, first := range []string{"defender", "cloud"} {
			t.Run(tt.name+", "+first+" first", func(t *testing.T) {
				if first == "cloud" && tt.c.late > 0 {
					tt.m.late, tt.c.late = tt.c.late, 0
				}
				st := newStory(t, c)
				a, b := tt.m.mdi(1), tt.c.mcas(2)
				if first == "cloud" {
					a, b = b, a
				}
				st.at(2*m, a)
				st.at(3*m+tt.m.late+tt.c.late, b)
				st.at(200 * h)
				st.standing()
				if one := st.alerts() == 1; one != tt.one {
					var why strings.Builder
					for _, e := range st.entries {
						fmt.Fprintf(&why, "%s %v\n  runner-up %+v\n", e.Notification.Service, e.Match.Evidence, e.Match.RunnerUp)
					}
					t.Errorf("one alert: %v, want %v\n%s", one, tt.one, why.String())
				}
			})
		}
	}
}

// TestRecogniseBroken: a message that breaks off within a word names no other machine with what is left of it.
func TestRecogniseBroken(t *testing.T) {
	const text = "Nora Falk ran 3 commands on HARBOURDC2 from LAB31."
	for _, tt := range []struct {
		name, user, told, broken string
		shift                    time.Duration
		one                      bool
	}{
		{"within a machine's name", "nora.falk@harbour.example", text, "from LAB3", 2 * s, true},
		{"within the name of another one before it", "nora.falk@harbour.example", text, "on HARBOURDC", 2 * s, true},
		{"behind the name of another machine", "nora.falk@harbour.example", strings.Replace(text, "DC2", "DC7", 1), "from LAB3", 2 * s, false},
		{"and there is nobody in common but in the text", "", text, "from LAB3", 2 * s, true},
		{"and there is nobody in common but in the text, of which little is left", "", text, "Nora Falk ra", 2 * s, false},
		{"and there is nobody in common but in the text, which is another one", "", strings.Replace(text, "DC2", "DC7", 1), "from LAB3", 2 * s, false},
	} {
		for _, first := range []string{"defender", "cloud"} {
			d := told{class: classRemote, title: titleRemote, id: "2019", user: "E104233", text: text}
			if tt.user != "" {
				d.user = "nfalk"
			}
			a := d.mdi(1)
			a = a[:strings.Index(a, tt.broken)+len(tt.broken)]
			d.class, d.user, d.text, d.shift = cloudRemote, tt.user, tt.told, tt.shift
			b := d.mcas(2)
			if first == "cloud" {
				a, b = b, a
			}
			st := newStory(t, with(func(*config.Config) {}))
			st.at(2*m, a)
			st.at(3*m, b)
			st.at(200 * h)
			st.standing()
			if got := st.alerts() == 1; got != tt.one {
				t.Errorf("%s, %s first: one alert: %v, want %v\n%s", tt.name, first, got, tt.one, strings.Join(st.tell(), "\n"))
			}
		}
	}
}

// TestRecogniseWithoutStarts: collectors write times in forms that say too little, such as those of a place without its zone.
func TestRecogniseWithoutStarts(t *testing.T) {
	start := regexp.MustCompile(`(start|end)=\S+`)
	for late, one := range map[time.Duration]bool{0: true, 2 * h: false} {
		st := newStory(t, with(func(*config.Config) {}))
		d := told{class: classRemote, title: titleRemote, id: "2019", user: "nfalk", host: "APPSRV", text: "Nora Falk ran commands on APPSRV."}
		st.at(2*m, start.ReplaceAllString(d.mdi(1), "start=03/04/2024 08:00:00 AM"))
		d.class, d.user, d.host, d.shift = cloudRemote, "nora.falk@harbour.example", "", late
		st.at(3*m+late, start.ReplaceAllString(d.mcas(2), "$1=03/04/2024 08:00:00 AM"))
		st.at(200 * h)
		st.standing()
		if got := st.alerts() == 1; got != one {
			t.Errorf("%v late: one alert: %v, want %v", late, got, one)
		}
	}
}

// TestTheMomentTellsWhichOfTwo: of two alerts of one person within seconds, that of the same millisecond is meant, whatever
// machines the texts name besides.
func TestTheMomentTellsWhichOfTwo(t *testing.T) {
	c := with(func(*config.Config) {})
	said := func(class, user, host, text string, shift time.Duration) told {
		return told{class: class, title: titleRemote, id: "2019", user: user, host: host, text: text, shift: shift}
	}
	const first, second = 123456700, 2987654300
	messages := map[string]string{
		"M1": said(classRemote, "nfalk", "LAB3", "An actor took the ticket of Nora Falk (Pilot) from LAB3 and used it on APPSRV7.", first).mdi(1),
		"C1": said(cloudRemote, "nora.falk@harbour.example", "", "Tickets of Nora Falk were used on APPSRV7.", first).mcas(2),
		"M2": said(classRemote, "nfalk", "APPSRV7", "An actor took the ticket of Nora Falk (Pilot) from APPSRV7 and used it on LAB3.", second).mdi(3),
		"C2": said(cloudRemote, "nora.falk@harbour.example", "", "Tickets of Nora Falk were used on LAB3.", second).mcas(4),
	}
	for _, order := range permutations([]string{"M1", "M2", "C1", "C2"}) {
		st := newStory(t, c)
		for i, message := range order {
			st.at(2*m+time.Duration(i)*10*s, messages[message])
		}
		st.at(200 * h)
		st.standing()
		of := st.alertsOf(messages)
		if of["M1"] != of["C1"] || of["M2"] != of["C2"] || of["M1"] == of["M2"] {
			t.Errorf("%v: %v\n%s", order, of, strings.Join(st.tell(), "\n"))
		}
	}
}

// TestTheMachineTellsWhichOfOneMoment: of two alerts of one person in one millisecond, that whose machine the text names is meant.
func TestTheMachineTellsWhichOfOneMoment(t *testing.T) {
	said := func(class, user, host, text string) told {
		return told{class: class, title: titleRemote, id: "2019", user: user, host: host, text: text, shift: 123456700}
	}
	messages := map[string]string{
		"M1": said(classRemote, "nfalk", "LAB3", "nfalk made 60 attempts to run commands on HARBOURDC from LAB3.").mdi(1),
		"C1": said(cloudRemote, "nora.falk@harbour.example", "", "The administration tools of LAB3 were misused.").mcas(2),
		"M2": said(classRemote, "nfalk", "LAB4", "nfalk made 60 attempts to run commands on HARBOURDC from LAB4.").mdi(3),
		"C2": said(cloudRemote, "nora.falk@harbour.example", "", "The administration tools of LAB4 were misused.").mcas(4),
	}
	for _, order := range permutations([]string{"M1", "M2", "C1", "C2"}) {
		st := newStory(t, with(func(*config.Config) {}))
		for i, message := range order {
			st.at(2*m+time.Duration(i)*10*s, messages[message])
		}
		st.at(200 * h)
		st.standing()
		of := st.alertsOf(messages)
		if of["M1"] != of["C1"] || of["M2"] != of["C2"] || of["M1"] == of["M2"] {
			t.Errorf("%v: %v\n%s", order, of, strings.Join(st.tell(), "\n"))
		}
	}
}

// TestOtherWordsWait: whether a text in words of its own is of this machine's alert or of the next one's isn't known at once.
func TestOtherWordsWait(t *testing.T) {
	st := newStory(t, with(func(*config.Config) {}))
	said := told{class: classRemote, title: titleRemote, id: "2019", user: "nora.falk"}
	on := func(host string, shift time.Duration) told {
		d := said
		d.host, d.shift, d.text = host, shift, "nora.falk made 60 attempts to run commands on HARBOURDC2 from "+host+"."
		return d
	}
	cloud := told{class: cloudRemote, title: titleRemote, user: "nora.falk@harbour.example", shift: 1123456700, text: "The tools of Nora Falk were misused at HARBOURDC2."}
	st.at(2*m, on("LAB3", 0).mdi(1))
	st.at(3*m, cloud.mcas(2))
	if last := st.entries[len(st.entries)-1]; last.Decision.Action != dedup.Hold {
		t.Errorf("decided at once: %v", last.Match.Evidence)
	}
	st.at(4*m, on("LAB4", cloud.shift).mdi(3))
	st.at(200 * h)
	st.standing()
	if got := st.alerts(); got != 2 || st.entries[0].Match.Alert == st.entries[1].Match.Alert {
		t.Errorf("%d alerts:\n%s", got, strings.Join(st.tell(), "\n"))
	}
}

// TestTwoOfOneMillisecond: two alerts of one millisecond and accounts that can't be compared aren't told apart by who comes first.
func TestTwoOfOneMillisecond(t *testing.T) {
	c := with(func(*config.Config) {})
	for name, accounts := range map[string][4]string{
		"numbers":          {"E104233", "nora.falk@harbour.example", "E104234", "omar.haddad@harbour.example"},
		"further initials": {"jdsmith", "john.smith@harbour.example", "jrsmith", "jordan.smith@harbour.example"},
	} {
		said := func(class, account string) told {
			return told{class: class, title: titleRemote, id: "2019", user: account, text: account + " ran commands.", shift: 123456700}
		}
		messages := map[string]string{
			"M1": said(classRemote, accounts[0]).mdi(1), "C1": said(cloudRemote, accounts[1]).mcas(2),
			"M2": said(classRemote, accounts[2]).mdi(3), "C2": said(cloudRemote, accounts[3]).mcas(4),
		}
		for _, order := range permutations([]string{"M1", "M2", "C1", "C2"}) {
			st := newStory(t, c)
			for i, message := range order {
				st.at(2*m+time.Duration(i)*10*s, messages[message])
			}
			st.at(200 * h)
			st.standing()
			if got := st.alerts(); got != len(messages) {
				t.Errorf("%s, %v: %d alerts, want %d:\n%s", name, order, got, len(messages), strings.Join(st.tell(), "\n"))
			}
		}
	}
}
