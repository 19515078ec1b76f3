package syslog_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/sluice-siem/sluice/formats/syslog"
)

const (
	mdi  = "|Microsoft|Azure ATP|2.199.1.1|DnsReconnaissanceSecurityAlert|Network mapping|5|start=x"
	mcas = "CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_LOGIN|Log on|0|externalId=1"
	bom  = "\ufeff"
)

func TestParse(t *testing.T) {
	received := time.Date(2023, 3, 6, 9, 0, 0, 0, time.UTC)
	sent := time.Date(2023, 3, 6, 8, 59, 12, 44000000, time.UTC)
	second := sent.Truncate(time.Second)
	sensor := syslog.Message{Priority: 36, Time: sent, Host: "HBDC02", App: "CEF", Proc: "4120", MsgID: "DnsReconnaissanceSecurityAlert", Form: syslog.RFC5424}
	without := func(m syslog.Message) syslog.Message { m.Priority = -1; return m }
	bsd := syslog.Message{Priority: 36, Time: second, Host: "HBDC02", App: "CEF", Form: syslog.RFC3164}
	timeless := bsd
	timeless.Time = time.Time{}
	agent := syslog.Message{Priority: -1, Time: sent, Host: "hb-agent", App: "CEF", Form: syslog.ISO}
	relay := syslog.Message{Priority: 13, Time: time.Date(2023, 3, 6, 9, 0, 0, 0, time.UTC), Host: "relay", Form: syslog.RFC3164}
	behind := syslog.Message{Priority: -1, Host: "192.0.2.9", App: "CEF", Form: syslog.Bare}
	hostless := agent
	hostless.Host = ""
	behindTime := syslog.Message{Priority: -1, Time: agent.Time, Form: syslog.ISO}
	from := func(host string, m syslog.Message) syslog.Message { m.Host = host; return m }
	processed := func(m syslog.Message) syslog.Message { m.Proc = "4120"; return m }
	prioritised := func(m syslog.Message, pri int) syslog.Message { m.Priority = pri; return m }
	const h5424 = "1 2023-03-06T08:59:12.044000+00:00 HBDC02 CEF 4120 DnsReconnaissanceSecurityAlert "
	tests := []struct {
		name, header, body string
		want               syslog.Message
	}{
		{"sensor without structured data", "<36>" + h5424, "0" + mdi, sensor},
		{"sensor without structured data and digit", "<36>" + h5424, mdi, sensor},
		{"sensor with byte order mark", "<36>" + h5424 + bom, "0" + mdi, sensor},
		{"sensor with byte order mark encoded twice", "<36>" + h5424 + "ï»¿", "0" + mdi, sensor},
		{"sensor with a byte order mark for ASCII", "<36>" + h5424 + "???", "0" + mdi, sensor},
		{"sensor with a byte order mark that couldn't be decoded", "<36>" + h5424 + "\ufffd\ufffd\ufffd", "0" + mdi, sensor},
		{"sensor with a byte order mark of a console", "<36>" + h5424 + "∩╗┐", "0" + mdi, sensor},
		{"sensor with rsyslog's byte order mark", "<36>" + h5424 + "#357#273#277", "0" + mdi, sensor},
		{"sensor with syslog-ng's byte order mark", "<36>" + h5424 + `\xef\xbb\xbf`, "0" + mdi, sensor},
		{"bsd with FreeBSD's byte order mark", "<36>Mar  6 08:59:12 HBDC02 M-oM-;M-?", "CEF:0" + mdi, bsd},
		{"bsd with an object for a host", `<36>Mar  6 08:59:12 {"ip":"192.0.2.9","os":{"name":"x"}} `, "CEF:0" + mdi, from("", bsd)},
		{"bsd with a map for a host, and a tag", "<36>Mar  6 08:59:12 {name=relay} LOGSTASH[-]: ", "CEF:0" + mdi, syslog.Message{Priority: 36, Time: second, App: "LOGSTASH", Proc: "-", Form: syslog.RFC3164}},
		{"bsd with an object for a host, and a tag", `<36>Mar  6 08:59:12 {"ip":"192.0.2.9"} LOGSTASH[-]: `, "CEF:0" + mdi, syslog.Message{Priority: 36, Time: second, App: "LOGSTASH", Proc: "-", Form: syslog.RFC3164}},
		{"agent behind an object for a host", `2023-03-06T09:00:00.000Z {"ip":"192.0.2.9"} 2023-03-06T08:59:12.044Z hb-agent `, mcas, agent},
		{"bsd with an object that is none", "<36>Mar  6 08:59:12 ", `{"a":1} text CEF:0` + mdi, syslog.Message{Priority: 36, Time: second, Form: syslog.RFC3164}},
		{"an event in a program's object", "<36>Mar  6 08:59:12 ", `{"user":"x} CEF:0` + mdi + `"}`, syslog.Message{Priority: 36, Time: second, Form: syslog.RFC3164}},
		{"an event in a program's object behind a time", "2023-03-06T08:59:12.044Z ", `{"user":"x\"} CEF:0` + mdi + `"}`, behindTime},
		{"an event in a program's map", "2023-03-06T08:59:12.044Z ", `{user=x} CEF:0` + mdi + `}`, behindTime},
		{"an event in a program's map behind a priority", "<36>Mar  6 08:59:12 ", `{user=x} CEF:0` + mdi + `}`, syslog.Message{Priority: 36, Time: second, Form: syslog.RFC3164}},
		{"bsd forwarded by AIX", "<36>Mar  6 08:59:12 Message forwarded from HBDC02: ", "CEF:0" + mdi, bsd},
		{"bsd numbered by Solaris", "<36>Mar  6 08:59:12 HBDC02 [ID 702911 auth.warning] ", "CEF:0" + mdi, bsd},
		{"bsd with an object and no tag", "<36>Mar  6 08:59:12 HBDC02 ", `{"@odata.type": "x"}`, syslog.Message{Priority: 36, Time: second, Host: "HBDC02", Form: syslog.RFC3164}},
		{"sensor behind rsyslog, with its message id for structured data", "<36>" + h5424 + "DnsReconnaissanceSecurityAlert ", "0" + mdi, sensor},
		{"sensor behind rsyslog, with its mark", "<36>" + h5424 + "DnsReconnaissanceSecurityAlert " + bom, "0" + mdi, sensor},
		{"message id twice, and text", "<36>" + h5424, "DnsReconnaissanceSecurityAlert of 0" + mdi, sensor},
		{"message id twice, and no more", "<36>" + h5424, "DnsReconnaissanceSecurityAlert", sensor},
		{"tag without colon and process", "<36>Mar  6 08:59:12 HBDC02 CEF ", "0" + mdi, bsd},
		{"tag without colon and process, iso", "<36>2023-03-06T08:59:12.044000+00:00 HBDC02 CEF " + bom, "0" + mdi, syslog.Message{Priority: 36, Time: sent, Host: "HBDC02", App: "CEF", Form: syslog.ISO}},
		{"tag without colon, and text", "<36>Mar  6 08:59:12 HBDC02 ", "CEF of 0" + mdi, from("HBDC02", syslog.Message{Priority: 36, Time: second, Form: syslog.RFC3164})},
		{"mark behind the tag", "<36>Mar  6 08:59:12 HBDC02 CEF: " + bom, "0" + mdi, bsd},
		{"event for the host of a relay's header", "<36>1 2023-03-06T08:59:12.044Z ", strings.Replace(mcas, "Log on", "Log in - - - again", 1), syslog.Message{Priority: 36, Time: sent, App: "CEF", Form: syslog.RFC5424}},
		{"event behind a word for a time", "", "1 GET " + mcas + " a b c", syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"sensor with nil structured data", "<36>" + h5424 + "- ", "0" + mdi, sensor},
		{"sensor with nil structured data and mark", "<36>" + h5424 + "- " + bom, "0" + mdi, sensor},
		{"sensor with structured data", "<36>" + h5424 + `[a@1 b="c \"] CEF:0|"][d] `, "0" + mdi, sensor},
		{"sensor behind a file's mark", bom + "<36>" + h5424, "0" + mdi, sensor},
		{"agent behind a file's mark", bom + "2023-03-06T08:59:12.044Z hb-agent ", mcas, agent},
		{"columns behind a file's mark", bom + "03-06-2023 10:59:12 Auth.Warning 192.0.2.77 " + h5424, mdi, without(sensor)},
		{"sensor without priority", h5424, "0" + mdi, without(sensor)},
		{"sensor without priority and version", h5424[2:], "0" + mdi, without(sensor)},
		{"analytics with tag behind mark", "<36>" + h5424 + bom, "CEF:0|Microsoft|ATA|1|c|n|5|", sensor},
		{"columns of a server", "03-06-2023 10:59:12 Auth.Warning 192.0.2.77 " + h5424, mdi, without(sensor)},
		{"columns with tabs and a slip", "003-06-2023\t10:59:12\tAuth.Warning\t192.0.2.77\t" + h5424, mdi, without(sensor)},
		{"bsd", "<36>Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, bsd},
		{"bsd behind five relays", strings.Repeat("<13>Mar  6 09:00:00 relay ", 5) + "<36>Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, bsd},
		{"sensor behind a NUL", "\x00<36>" + h5424, "0" + mdi, sensor},
		{"sensor with structured data and no blank", "<36>" + h5424 + `[a@1 b="c"]`, "CEF:0" + mdi, sensor},
		{"sensor with nil structured data and no blank", "<36>" + h5424 + "-", "CEF:0" + mdi, sensor},
		{"an address in brackets", "[192.0.2.9] ", "CEF:0" + mdi, behind},
		{"an address with a colon", "192.0.2.9: ", "CEF:0" + mdi, behind},
		{"an address in brackets before a header", "[192.0.2.9] <36>" + h5424, "0" + mdi, sensor},
		{"bsd in lower case", "<36>mar  6 08:59:12 HBDC02 ", "cef:0" + mdi, bsd},
		{"agent in lower case", "2023-03-06t08:59:12.044z hb-agent ", "cef:0" + mdi, agent},
		{"sensor behind its octet count, behind a relay", "<13>Mar  6 09:00:00 relay " + strconv.Itoa(len("<36>"+h5424+"0"+mdi)) + " <36>" + h5424, "0" + mdi, sensor},
		{"no sensor behind another count, behind a relay", "<13>Mar  6 09:00:00 relay ", "12 <36>" + h5424 + "0" + mdi, relay},
		{"no time, but a host", "<01>- HBDC02 ", "CEF:0" + mdi, func() syslog.Message { m := timeless; m.Priority, m.Form = 1, syslog.Priority; return m }()},
		{"no time, but a host behind two blanks", "<01>-  HBDC02  ", "CEF:0" + mdi, func() syslog.Message { m := timeless; m.Priority, m.Form = 1, syslog.Priority; return m }()},
		{"no time, two blanks and no event", "<36>", "-  0", syslog.Message{Priority: 36, Form: syslog.Priority}},
		{"sensor, in a container's log", "2023-03-06T09:00:00.123456789Z stdout F <36>" + h5424, "0" + mdi, sensor},
		{"agent, in a container's log", "2023-03-06T09:00:00.123456789Z stderr F 2023-03-06T08:59:12.044Z hb-agent ", mcas, agent},
		{"agent, hours of a zone", "2023-03-06T10:59:12.044+02 hb-agent ", mcas, agent},
		{"bsd with the tag twice", "<36>Mar  6 08:59:12 HBDC02 CEF:", "CEF:0" + mdi, bsd},
		{"bsd with the tag twice, with a blank", "<36>Mar  6 08:59:12 HBDC02 CEF: ", "CEF:0" + mdi, bsd},
		{"sensor with the tag as structured data", "<36>" + h5424 + "CEF: ", "CEF:0" + mdi, sensor},
		{"agent with the tag twice", "2023-03-06T08:59:12.044Z hb-agent CEF:", mcas, agent},
		{"sensor behind its address", "<36>Original Address=192.0.2.7 " + h5424, "0" + mdi, sensor},
		{"sensor behind its address, behind a relay", "<13>Mar  6 09:00:00 relay Original Address=192.0.2.7 <36>" + h5424, "0" + mdi, sensor},
		{"bsd behind its address, behind a relay", "<13>Mar  6 09:00:00 relay Original Address=192.0.2.7 Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, prioritised(bsd, 13)},
		{"bsd with zero", "<36>Mar 06 08:59:12 HBDC02 ", "CEF:0" + mdi, bsd},
		{"bsd without priority", "Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, without(bsd)},
		{"bsd with year", "<36>Mar  6 2023 08:59:12 HBDC02 ", "CEF:0" + mdi, bsd},
		{"bsd with an address for a host", "<36>Mar  6 08:59:12 2001:db8::7 ", "CEF:0" + mdi, func() syslog.Message { m := bsd; m.Host = "2001:db8::7"; return m }()},
		{"bsd with the year behind the time", "<36>Mar  6 08:59:12 2023 HBDC02 ", "CEF:0" + mdi, bsd},
		{"bsd with the day of the week", "<36>Mon Mar  6 08:59:12 2023 HBDC02 ", "CEF:0" + mdi, bsd},
		{"bsd with one figure for the hour, and the year", "<36>Mar 16 8:59:12 2023 ", "CEF:0" + mdi, func() syslog.Message {
			m := bsd
			m.Time, m.Host = time.Date(2023, 3, 16, 8, 59, 12, 0, time.UTC), ""
			return m
		}()},
		{"bsd with one figure for the hour, and a zone", "<36>Mar 16 8:59:12+01:00 ", "CEF:0" + mdi, func() syslog.Message { m := timeless; m.Host = ""; return m }()},
		{"bsd in another language", "<36>Mär  6 08:59:12 HBDC02 ", "CEF:0" + mdi, timeless},
		{"bsd in another language, abbreviated", "<36>févr. 6 08:59:12 HBDC02 ", "CEF:0" + mdi, timeless},
		{"bsd in figures and another language", "<36>3月  6 08:59:12 HBDC02 ", "CEF:0" + mdi, timeless},
		{"bsd with a zone at the time", "<36>Mar  6 08:59:12+01:00 HBDC02 ", "CEF:0" + mdi, timeless},
		{"a mail's time", "<36>Mon, 06 Mar 2023 09:59:12 +0100 HBDC02 ", "CEF:0" + mdi, bsd},
		{"a date in figures", "<36>2023-03-06 08:59:12 HBDC02 ", "CEF:0" + mdi, bsd},
		{"a date in figures with a zone", "<36>2023-03-06 09:59:12+01:00 HBDC02 ", "CEF:0" + mdi, bsd},
		{"a date that may be two", "<36>03/06/2023 08:59:12 AM HBDC02 ", "CEF:0" + mdi, timeless},
		{"seconds", "<36>1678093152 HBDC02 ", "CEF:0" + mdi, bsd},
		{"milliseconds without priority", "1678093152000 HBDC02 ", "CEF:0" + mdi, without(bsd)},
		{"priority and host", "<36>HBDC02 ", "CEF:0" + mdi, func() syslog.Message { m := timeless; m.Form = syslog.Priority; return m }()},
		{"priority and tag", "<36>relayd[7]: ", "CEF:0" + mdi, syslog.Message{Priority: 36, App: "relayd", Proc: "7", Form: syslog.Priority}},
		{"bsd without host", "<36>Mar  6 08:59:12 ", "CEF:0" + mdi, func() syslog.Message { m := bsd; m.Host = ""; return m }()},
		{"agent with host", "2023-03-06T08:59:12.044Z hb-agent ", mcas, agent},
		{"agent with a zone without colon", "2023-03-06T09:59:12.044+0100 hb-agent ", mcas, agent},
		{"bsd with the process in the tag", "<36>Mar  6 08:59:12 HBDC02 CEF[4120]:", "0" + mdi, processed(bsd)},
		{"bsd with the process in the tag, no colon", "<36>Mar  6 08:59:12 HBDC02 CEF[4120] ", "0" + mdi, processed(bsd)},
		{"bsd with the process in the tag, no host", "<36>Mar  6 08:59:12 CEF[4120]: ", "0" + mdi, func() syslog.Message { m := processed(bsd); m.Host = ""; return m }()},
		{"agent without host", "2023-03-06T08:59:12.044Z ", mcas, hostless},
		{"agent behind priority and blank", "<134> 2023-03-06T08:59:12.044+00:00 hb-agent ", mcas, prioritised(agent, 134)},
		{"agent behind priority", "<14>2023-03-06T08:59:12.044Z hb-agent ", mcas, prioritised(agent, 14)},
		{"agent behind priority, whole second", "<14>2023-03-06T08:59:12Z hb-agent ", mcas, func() syslog.Message { m := prioritised(agent, 14); m.Time = second; return m }()},
		{"agent behind priority without host", "<14>2023-03-06T08:59:12.044Z ", mcas, prioritised(hostless, 14)},
		{"bsd with a zone", "<36>Mar  6 08:59:12 UTC HBDC02 ", "CEF:0" + mdi, bsd},
		{"bsd with year, zone and colon", "<36>Mar  6 2023 08:59:12 CEST: HBDC02 : ", "CEF:0" + mdi, bsd},
		{"bsd with year and colon", "<36>Mar  6 2023 08:59:12: HBDC02 ", "CEF:0" + mdi, bsd},
		{"bsd with a zone's name for a host", "<36>Mar  6 08:59:12 CORE ", "CEF:0" + mdi, func() syslog.Message { m := bsd; m.Host = "CORE"; return m }()},
		{"bsd with two hosts", "<36>Mar  6 08:59:12 HBDC02 10.1.2.3 ", "CEF:0" + mdi, bsd},
		{"bsd with a colon by itself", "<36>Mar  6 08:59:12 HBDC02 : ", "CEF:0" + mdi, bsd},
		{"bsd with tabs", "<36>Mar  6 08:59:12\tHBDC02\t", "CEF:0" + mdi, bsd},
		{"agent with tabs", "2023-03-06T08:59:12.044Z\thb-agent\t", mcas, agent},
		{"agent with two hosts", "2023-03-06T08:59:12.044Z hb-agent siem.example ", mcas, agent},
		{"bare", "", mcas, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"bare without tag", "", "0" + mdi, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"bare behind blanks and mark", " " + bom, mcas, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"priority alone", "<13>", mcas, syslog.Message{Priority: 13, Form: syslog.Priority}},
		{"priority too large", "<192>", mcas, syslog.Message{Priority: -1, Form: syslog.Priority}},
		{"priority too large, before a header", "<99999>" + h5424, "0" + mdi, without(sensor)},
		{"priority too large, before a BSD header", "<192>Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, without(bsd)},
		{"priority with many zeros", "<00036>Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, bsd},
		{"a number too large for a priority", "", "<100000>" + mcas, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"address before sensor", "192.0.2.77 <36>" + h5424, "0" + mdi, sensor},
		{"address before bsd", "2001:db8::7 <36>Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, bsd},
		{"address before agent", "192.0.2.77 2023-03-06T08:59:12.044Z hb-agent ", mcas, agent},
		{"a word before a header is text", "", "GET <36>Mar  6 08:59:12 HBDC02 CEF:0" + mdi, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"an address before an event is text", "", "192.0.2.77 CEF:0" + mdi, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"an address with a zone is text", "", "[fe80::1%eth0] CEF:0" + mdi, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"half brackets are text", "", "[192.0.2.77 CEF:0" + mdi, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"an address before a priority alone is text", "", "192.0.2.77 <36>CEF:0" + mdi, syslog.Message{Priority: -1, Form: syslog.Bare}},
		{"relay before sensor", "<13>Mar  6 09:00:00 relay1 <36>" + h5424, "0" + mdi, sensor},
		{"relay before sensor without priority", "<13>Mar  6 09:00:00 relay1 " + h5424, "0" + mdi, prioritised(sensor, 13)},
		{"relay before bsd", "<13>Mar  6 09:00:00 relay1 Mar  6 08:59:12 HBDC02 ", "CEF:0" + mdi, prioritised(bsd, 13)},
		{"relay before agent", "<13>Mar  6 09:00:00 relay1 2023-03-06T08:59:12.044Z hb-agent ", mcas, prioritised(agent, 13)},
		{"relay of rfc 5424 before agent", "<13>1 2023-03-06T09:00:00Z relay1 - - - - 2023-03-06T08:59:12.044Z hb-agent ", mcas, prioritised(agent, 13)},
		{"two relays", "<13>Mar  6 09:00:00 relay2 <13>1 2023-03-06T09:00:00Z relay1 - - - - <36>" + h5424, "0" + mdi, sensor},
		{
			"six relays are one too many", "<13>Mar  6 09:00:00 relay6 ", strings.Repeat("<13>Mar  6 09:00:00 relay ", 5) + "<36>" + h5424 + "0" + mdi,
			syslog.Message{Priority: 13, Time: time.Date(2023, 3, 6, 9, 0, 0, 0, time.UTC), Host: "relay6", Form: syslog.RFC3164},
		},
		{
			"json behind rfc 5424", "<134>1 2023-03-06T08:59:12.044Z graph IdentityProtection - riskDetection - ", `{"id":"1"}`,
			syslog.Message{Priority: 134, Time: sent, Host: "graph", App: "IdentityProtection", MsgID: "riskDetection", Form: syslog.RFC5424},
		},
		{
			"json behind a tag", "<134>Mar  6 08:59:12 graph IdentityProtection[7]: ", `{"id":"1"}`,
			syslog.Message{Priority: 134, Time: second, Host: "graph", App: "IdentityProtection", Proc: "7", Form: syslog.RFC3164},
		},
		{
			"json behind a time and a tag", "2023-03-06T08:59:12.044Z graph IdentityProtection: ", `{"id":"1"}`,
			syslog.Message{Priority: -1, Time: sent, Host: "graph", App: "IdentityProtection", Form: syslog.ISO},
		},
		{
			"another program", "<38>Mar  6 08:59:12 gate sshd[3208]: ", "Failed password",
			syslog.Message{Priority: 38, Time: second, Host: "gate", App: "sshd", Proc: "3208", Form: syslog.RFC3164},
		},
		{
			"an event inside a request", "<14>1 2023-03-06T08:59:12.044Z web nginx - - - ", "GET /?x=CEF:0" + mdi,
			syslog.Message{Priority: 14, Time: sent, Host: "web", App: "nginx", Form: syslog.RFC5424},
		},
		{
			"a header inside a request", "<14>Mar  6 08:59:12 web nginx: ", "GET <36>" + h5424 + "0" + mdi,
			syslog.Message{Priority: 14, Time: second, Host: "web", App: "nginx", Form: syslog.RFC3164},
		},
		{
			"another program's own time is text", "<14>Mar  6 08:59:12 web app: ", "2023-03-06T08:59:12.044Z INFO started",
			syslog.Message{Priority: 14, Time: second, Host: "web", App: "app", Form: syslog.RFC3164},
		},
		{
			"an event behind a user's name", "<38>Mar  6 08:59:12 gate sshd[3208]: ", "user CEF:0" + mdi,
			syslog.Message{Priority: 38, Time: second, Host: "gate", App: "sshd", Proc: "3208", Form: syslog.RFC3164},
		},
		{
			"what somebody says of an event", "<38>Mar  6 08:59:12 gate ", "rejected CEF:0" + mdi,
			syslog.Message{Priority: 38, Time: second, Host: "gate", Form: syslog.RFC3164},
		},
		{
			"a host that looks like a zone", "<38>Mar  6 08:59:12 HQDC ", "mcas CEF:0" + mdi,
			syslog.Message{Priority: 38, Time: second, Host: "HQDC", Form: syslog.RFC3164},
		},
		{
			"an event behind two words", "<38>Mar  6 08:59:12 gate ", "invalid user CEF:0" + mdi,
			syslog.Message{Priority: 38, Time: second, Host: "gate", Form: syslog.RFC3164},
		},
		{"text", "", "-- MARK --", syslog.Message{Priority: -1, Form: syslog.Bare}},
	}
	for _, tt := range tests {
		for _, end := range []string{"", "\r", "\x00", " \r\n\x00"} {
			t.Run(tt.name, func(t *testing.T) {
				line := tt.header + tt.body + end
				tt.want.Body = len(tt.header)
				got, err := syslog.Parse([]byte(line), received)
				if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
					t.Errorf("Parse(%q): %v (-want +got):\n%s", line, err, diff)
				}
			})
		}
	}
}

func TestParseGuessesTheYearNearestToArrival(t *testing.T) {
	for _, tt := range []struct{ stamp, received, want string }{
		{"Dec 31 23:59:58", "2024-01-01T00:00:03Z", "2023-12-31T23:59:58Z"},
		{"Jan  1 00:00:02", "2023-12-31T23:59:59Z", "2024-01-01T00:00:02Z"},
		{"Feb 29 12:00:00", "2025-02-28T12:00:00Z", "2024-02-29T12:00:00Z"},
		{"Jun  1 12:00:00", "2025-06-03T12:00:00+02:00", "2025-06-01T12:00:00Z"},
	} {
		received, err := time.Parse(time.RFC3339, tt.received)
		if err != nil {
			t.Fatal(err)
		}
		m, err := syslog.Parse([]byte("<36>"+tt.stamp+" h "+mcas), received)
		if got := m.Time.Format(time.RFC3339); err != nil || got != tt.want {
			t.Errorf("%s received %s: %s, %v, want %s", tt.stamp, tt.received, got, err, tt.want)
		}
	}
}

func TestParseSkipsAnOctetCountThatFits(t *testing.T) {
	const message = "<36>Mar  6 08:59:12 HBDC02 CEF:0" + mdi
	for _, tt := range []struct {
		more int // than the message has bytes
		want syslog.Form
	}{{0, syslog.RFC3164}, {1, syslog.RFC3164}, {2, syslog.RFC3164}, {-1, syslog.Bare}, {3, syslog.Bare}} {
		count := strconv.Itoa(len(message)+tt.more) + " "
		m, err := syslog.Parse([]byte(count+message+"\n"), time.Time{})
		if err != nil || m.Form != tt.want || m.Form != syslog.Bare && (count + message)[m.Body:] != "CEF:0"+mdi {
			t.Errorf("a count of %+d: %+v, %v, want %s", tt.more, m, err, tt.want)
		}
	}
}

func TestParseSkipsAnOctetCountBeforeTheAgent(t *testing.T) {
	const message = "2023-03-06T08:59:12.044Z hb-agent " + mcas
	count := strconv.Itoa(len(message)) + " "
	m, err := syslog.Parse([]byte(count+message), time.Time{})
	if err != nil || m.Form != syslog.ISO || (count + message)[m.Body:] != mcas {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestParseRefusesEmptyLines(t *testing.T) {
	for _, line := range []string{"", "\r", " \t\x00"} {
		if m, err := syslog.Parse([]byte(line), time.Time{}); !errors.Is(err, syslog.ErrEmpty) || m.Form != syslog.Bare {
			t.Errorf("Parse(%q) = %v, %v, want ErrEmpty", line, m, err)
		}
	}
}

func TestStartsEventNeedsTheTagInHeaderOrBody(t *testing.T) {
	for _, tt := range []struct {
		app, body string
		want      bool
	}{
		{"CEF", "0|M", true},
		{"", "0|M", true},
		{"", "|M", true},
		{"nginx", "CEF:0|M", true},
		{"nginx", "0|M", false},
		{"nginx", "|M", false},
		{"", "GET 0|M", false},
		{"", "", false},
		{"", "CEF:|", false},
	} {
		if got := (syslog.Message{App: tt.app}).StartsEvent([]byte(tt.body)); got != tt.want {
			t.Errorf("app %q, body %q: %v, want %v", tt.app, tt.body, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"<36>1 2023-03-06T08:59:12.044000+00:00 HBDC02 CEF 4120 Dns - 0" + mdi, "<36>Mar  6 08:59:12 HBDC02 CEF:0" + mdi,
		"<13>Mar  6 09:00:00 r <13>1 2023-03-06T09:00:00Z r - - - [a b=\"]\"] " + bom + mcas, "2023-03-06T08:59:12.044Z h " + mcas,
		"03-06-2023 10:59:12 Auth.Warning 192.0.2.77 1 - - - - - {}", "<134> 2023-03-06T08:59:12Z " + mcas, "<38>Mar  6 08:59:12 g sshd[3]: x",
		"<", "<1>", "<1>1 ", "Mar  6 08:59:12", "", "[", "<0>Jan 1 1:1:1 a b", "<0>-  0",
	} {
		f.Add([]byte(seed))
	}
	received := time.Date(2023, 3, 6, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := syslog.Parse(line, received)
		if m.Body < 0 || m.Body > len(line) || m.Priority < -1 || m.Priority > 191 || m.Form == "" {
			t.Fatalf("Parse(%q) = %+v, %v", line, m, err)
		}
		// Of what the library accepts, the header is what it says, unless a relay's second one follows.
		got, err := rfc5424.NewMachine().Parse(line)
		if err != nil || got == nil {
			return
		}
		msg := got.(*rfc5424.SyslogMessage)
		if msg.Message == nil || len(*msg.Message) == 0 || len(line)-len(*msg.Message) < m.Body {
			return
		}
		if m.Form != syslog.RFC5424 || m.Priority != int(*msg.Priority) || msg.Appname != nil && m.App != *msg.Appname {
			t.Fatalf("Parse(%q) = %+v, the library has app %v", line, m, msg.Appname)
		}
	})
}
