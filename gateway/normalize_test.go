package gateway

import (
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats"
)

const (
	sensorEvent  = `|Microsoft|Azure ATP|2.199.1.1|LdapSearchReconnaissanceSecurityAlert|Security principal reconnaissance (LDAP)|5|start=2023-03-06T08:58:01.1234567Z app=LdapSearch shost=HB-WS-117 suser=iabreu msg=Ines Abreu (Pilot) sent suspicious LDAP queries to HBDC02. externalId=2038 cs1Label=url cs1=https\://harbour.atp.azure.com/securityAlert/0c7dd5d0-97a3-4f5e-8a53-2f0a6f4d6c11 cs2Label=trigger cs2=new`
	sensorHeader = "1 2023-03-06T08:59:12.044000+00:00 HBDC02 CEF 4120 LdapSearchReconnaissanceSecurity "
	agentEvent   = `CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_LOGIN|Log on|0|externalId=1678093152044_0c7dd5d0-97a3-4f5e-8a53-2f0a6f4d6c11 rt=1678093152044 start=1678093152044 end=1678093152044 msg=Log on suser=ines.abreu@harbour.example destinationServiceName=Microsoft Exchange Online dvc=198.51.100.23 requestClientApplication=Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/110.0 Safari/537.36 cs1Label=portalURL cs1=https://harbour.portal.cloudappsecurity.com/#/audits?activity.id\=eq(1678093152044_0c7dd5d0-97a3-4f5e-8a53-2f0a6f4d6c11,) cs2Label=uniqueServiceAppIds cs2=APPID_OUTLOOK cs3Label=targetObjects cs3=,ines.abreu cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`
	detection    = `{"id":"6F2C","riskEventType":"unfamiliarFeatures","userPrincipalName":"ines.abreu@harbour.example"}`
	received     = "2023-03-06T09:00:00Z"
)

func arrival(tb testing.TB) time.Time {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, received)
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

// quoted is a message as a string of JSON.
func quoted(message string) string {
	b, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestNormalizeTellsServicesApart(t *testing.T) {
	type said struct {
		Service formats.Service
		Kind    formats.Kind
		ID      string
		Parsed  bool
		Payload int
	}
	const guid, activity = "0c7dd5d0-97a3-4f5e-8a53-2f0a6f4d6c11", "1678093152044_0c7dd5d0-97a3-4f5e-8a53-2f0a6f4d6c11"
	mdi := func(payload int) said { return said{formats.DefenderForIdentity, formats.Alert, guid, true, payload} }
	mcas := func(payload int) said {
		return said{formats.CloudAppSecurity, formats.Activity, activity, true, payload}
	}
	aadip := func(payload int) said {
		return said{formats.IdentityProtection, formats.Alert, "6f2c", true, payload}
	}
	unknown := func(payload int, parsed bool) said {
		return said{formats.UnknownService, formats.Unknown, "", parsed, payload}
	}
	bsd, iso, graph := "<36>Mar  6 08:59:12 HBDC02 ", "2023-03-06T08:59:12.044Z hb-agent ", "<134>1 2023-03-06T08:59:12Z graph IdentityProtection - riskDetection - "
	tests := []struct {
		name, message string
		want          said
	}{
		{"sensor", "<36>" + sensorHeader + "0" + sensorEvent, mdi(4 + len(sensorHeader))},
		{"sensor, digit lost", "<36>" + sensorHeader + sensorEvent, mdi(4 + len(sensorHeader))},
		{"sensor behind a mark", "<36>" + sensorHeader + "\ufeff0" + sensorEvent, mdi(7 + len(sensorHeader))},
		{"sensor, all in lower case", strings.ToLower("<36>" + sensorHeader + "0" + sensorEvent), mdi(4 + len(sensorHeader))},
		{"sensor, in a header of its own and all in lower case", strings.ToLower(bsd + "CEF:0" + sensorEvent), mdi(len(bsd))},
		{"agent, all in lower case", strings.ToLower(iso + agentEvent), mcas(len(iso))},
		{"sensor, by its name's letters", "<36>" + sensorHeader + "0" + strings.Replace(sensorEvent, "Azure ATP", "MDI", 1), mdi(4 + len(sensorHeader))},
		{"agent, by its name's letters", iso + strings.Replace(agentEvent, "MCAS|SIEM_Agent", "Microsoft|MCAS", 1), mcas(len(iso))},
		{"agent, by today's name", iso + strings.Replace(agentEvent, "MCAS|SIEM_Agent", "Microsoft|Microsoft Defender for Cloud Apps", 1), mcas(len(iso))},
		{"agent, by its former name", iso + strings.Replace(agentEvent, "MCAS|SIEM_Agent", "Microsoft|Cloud App Security", 1), mcas(len(iso))},
		{
			"somebody else's event under that name",
			iso + "CEF:0|Microsoft|Microsoft Defender for Cloud Apps|1|Login|Log on|0|externalId=7 msg=x", unknown(len(iso), true),
		},
		{"sensor, bsd", bsd + "CEF:0" + sensorEvent, mdi(len(bsd))},
		{"sensor behind a relay", "<13>Mar  6 09:00:00 relay <36>" + sensorHeader + "0" + sensorEvent, mdi(30 + len(sensorHeader))},
		{"agent", iso + agentEvent + "\r", mcas(len(iso))},
		{"agent, bare", agentEvent, mcas(0)},
		{"detection", graph + detection, aadip(len(graph))},
		{"detection, bare", detection, aadip(0)},
		{"detection in an envelope", `{"time":1678093152,"event":` + detection + `}`, aadip(0)},
		{"detection as text in an envelope", `{"@timestamp":"2023-03-06T08:59:12Z","message":` + quoted(graph+detection) + `}`, aadip(0)},
		{"detection, quoted", quoted(detection), aadip(0)},
		{"detection inside a request in an envelope", `{"message":` + quoted("POST "+detection) + `}`, unknown(0, true)},
		{"detection inside another member", `{"body":` + detection + `}`, unknown(0, true)},
		{"another product", bsd + "CEF:0|Harbour|Radar|1|x|y|3|act=z", unknown(len(bsd), true)},
		{"another object", `{"level":"info"}`, unknown(0, true)},
		{"broken object", `{"id":"1","riskEventType":"generic"`, unknown(0, false)},
		{"header cut, sensor", "CEF:0|Microsoft|Azure ATP", unknown(0, false)},
		{"header cut, agent", "CEF:0|MCAS|SIEM_Agent|0.2", unknown(0, false)},
		{"sensor in an envelope", `{"host":"relay","message":` + quoted("<36>"+sensorHeader+"0"+sensorEvent) + `}`, mdi(0)},
		{"sensor in an envelope behind a header", "<13>Mar  6 09:00:00 relay shipper: " + `{"_raw":` + quoted("<36>"+sensorHeader+"0"+sensorEvent+"\n") + `}`, mdi(35)},
		{"sensor in an envelope that has its tag", `{"programname":"CEF","message":` + quoted(" 0"+sensorEvent) + `}`, mdi(0)},
		{"sensor in an envelope of another program", `{"programname":"nginx","message":` + quoted("0"+sensorEvent) + `}`, unknown(0, true)},
		{"agent in an envelope in an envelope", `{"log":` + quoted(`{"event":{"message":`+quoted(iso+agentEvent)+`}}`) + `}`, mcas(0)},
		{"agent, quoted", quoted(iso + agentEvent), mcas(0)},
		{"event inside a request in an envelope", `{"message":` + quoted("GET /?x=CEF:0"+sensorEvent) + `}`, unknown(0, true)},
		{"event inside another member", `{"user_agent":` + quoted("CEF:0"+sensorEvent) + `}`, unknown(0, true)},
		{"two events in an envelope", `{"message":` + quoted("CEF:0"+sensorEvent+"\n"+agentEvent) + `}`, unknown(0, true)},
		{"an envelope that is cut", `{"message":` + quoted("CEF:0" + sensorEvent)[:200], unknown(0, false)},
		{"odd class of the agent", "CEF:0|MCAS|SIEM_Agent|0.2|TEST|n|3|msg=x", unknown(0, true)},
		{"leef", "LEEF:1.0|Microsoft|Azure ATP|4|15345|src=192.0.2.1", unknown(0, false)},
		{"fields without header", "start=2023-03-06T08:58:01Z app=Wmi", unknown(0, false)},
		{"event inside a request", "<14>1 2023-03-06T08:59:12Z web nginx - - - GET /?x=CEF:0" + sensorEvent, unknown(43, false)},
		{"digit form from another program", "<14>1 2023-03-06T08:59:12Z web nginx - - - 0" + sensorEvent, unknown(43, false)},
		{"header inside a request", "<14>Mar  6 08:59:12 web nginx: GET <36>" + sensorHeader + "0" + sensorEvent, unknown(31, false)},
		{"mark", "-- MARK --", unknown(0, false)},
		{"nothing", "", unknown(0, false)},
		{"bytes", "\xff\xfe\x00\x80", unknown(0, false)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var z normalizer
			z.normalize([]byte("CEF:0"+sensorEvent), arrival(t)) // which leaves nothing behind
			n := z.normalize([]byte(tt.message), arrival(t))
			got := said{n.Service, n.Kind, n.ID, n.Parsed, n.Payload}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("normalize(%q) (-want +got):\n%s", tt.message, diff)
			}
			if string(n.Raw) != tt.message || n.Channel != "syslog" || !n.Arrived.Equal(arrival(t)) {
				t.Errorf("normalize(%q): raw %q, channel %q, arrived %v", tt.message, n.Raw, n.Channel, n.Arrived)
			}
		})
	}
}

// TestNormalizeMergesNothing: of several messages in one datagram or frame it takes none for the whole, which would have the name
// of the first and the ID of the last.
func TestNormalizeMergesNothing(t *testing.T) {
	first := "<36>" + sensorHeader + "0" + sensorEvent
	second := strings.Replace(first, "0c7dd5d0", "11111111", 1)
	for _, message := range []string{
		first + "\n" + second, first + "\r\n" + second + "\n", first + "\x00" + second, first + "\n\n2023-03-06T08:59:12.044Z hb-agent " + agentEvent,
		agentEvent + "\n" + agentEvent, agentEvent + "\n<13>Mar  6 09:00:00 relay " + first, agentEvent + "\n<36>Mar  6 08:59:12 HBDC02 CEF[1]: 0" + sensorEvent,
		first + "\r" + second, first + "\nGET /\n" + second,
	} {
		if n := normalize([]byte(message), arrival(t)); n.Kind != formats.Unknown || n.Parsed || string(n.Raw) != message {
			t.Errorf("normalize(%q): %s of %s, id %q, raw %q", message, n.Kind, n.Service, n.ID, n.Raw)
		}
	}
	for _, message := range []string{
		first + "\n", first + "\r\n\x00", first + "\nGET /?CEF:0" + sensorEvent, first + "\n0" + sensorEvent, first + "\nCEF:0|Microsoft|Azure ATP|",
	} {
		if n := normalize([]byte(message), arrival(t)); n.Kind != formats.Alert {
			t.Errorf("normalize(%q): %s of %s", message, n.Kind, n.Service)
		}
	}
}

func TestNormalizeKeepsTheHeadersTime(t *testing.T) {
	n := normalize([]byte("<36>"+sensorHeader+"0"+sensorEvent), arrival(t))
	if want := time.Date(2023, 3, 6, 8, 59, 12, 44000000, time.UTC); !n.Sent.Equal(want) {
		t.Errorf("sent %v, want %v", n.Sent, want)
	}
}

func TestNormalizeGivesOneContentToADetectionInAllEnvelopes(t *testing.T) {
	want := normalize([]byte(detection), arrival(t)).Content
	for _, message := range []string{`{"event":` + detection + `}`, `{"message":` + quoted(detection+"\n") + `}`, `[` + detection + `]`, "@cee:" + detection} {
		if got := normalize([]byte(message), arrival(t)).Content; got != want {
			t.Errorf("normalize(%q): content %x, want %x", message, got, want)
		}
	}
}

func TestNormalizeGivesOneContentToAllFramings(t *testing.T) {
	want := normalize([]byte("<36>"+sensorHeader+"0"+sensorEvent), arrival(t)).Content
	for _, message := range []string{
		sensorHeader + "\ufeff0" + sensorEvent + "\r", "<36>Mar  6 08:59:12 HBDC02 CEF:0" + sensorEvent + " \x00",
		"CEF:0" + sensorEvent, sensorEvent, "<13>Mar  7 09:00:00 relay <36>" + sensorHeader + sensorEvent,
		`{"message":` + quoted("<36>"+sensorHeader+"0"+sensorEvent) + `}`,
		`<43>1 2023-03-06T09:00:00Z relay syslog-ng 7 - [meta sequenceId="1"] Error processing log message: <36>` + strings.TrimSpace(sensorHeader) + ">@< 0" + sensorEvent,
		"<36>" + sensorHeader + "LdapSearchReconnaissanceSecurity 0" + sensorEvent,
	} {
		if got := normalize([]byte(message), arrival(t)).Content; got != want {
			t.Errorf("normalize(%q): content %x, want %x", message, got, want)
		}
	}
	if got := normalize([]byte("CEF:0"+sensorEvent+"x"), arrival(t)).Content; got == want {
		t.Error("another event has the same content")
	}
}

// TestNormalizeGivesOneContentToWhatRelaysMakeOfAnEvent: what two relays write differently and is read alike is the same again.
func TestNormalizeGivesOneContentToWhatRelaysMakeOfAnEvent(t *testing.T) {
	const (
		header = "CEF:0|MCAS|SIEM_Agent|0.2|ALERT_CABINET_EVENT_MATCH_AUDIT|M\u00fcller|3|"
		event  = header + "externalId=6405a9b9860a5ec1dad1eadb start=1678093152044 msg=of M\u00fcller suser=m\u00fcller@harbour.example cs1Label=portalURL cs1=https://x/"
	)
	content := func(message string) [16]byte { return normalize([]byte(message), arrival(t)).Content }
	want := content(event)
	for _, relay := range [][]string{
		{"\u00fc", "\xfc"},
		{"\u00fc", "#303#274"},
		{"\u00fc", `\u00fc`},
		{"\u00fc", "\u00c3\u00bc"},
		{" start", "\tstart", " msg", "\tmsg", " suser", "\tsuser", " cs1", "\tcs1"},
		{" start", "#011start", " msg", "#011msg", " suser", "#011suser", " cs1", "#011cs1"},
		{" start", ", start", " msg", ", msg", " suser", ", suser", " cs1", ", cs1"},
		{"externalId", "externalid", "Label", "label"},
		{" start", " startTime", " msg", " message", " suser", " sourceUserName", " cs1", " deviceCustomString1"},
		{
			"=6405a9b9860a5ec1dad1eadb", `="6405a9b9860a5ec1dad1eadb"`, "=1678093152044", `="1678093152044"`, "=of M\u00fcller", `="of M\u00fcller"`,
			"=m\u00fcller@harbour.example", `="m\u00fcller@harbour.example"`, "=portalURL", `="portalURL"`, "=https://x/", `="https://x/"`,
		},
	} {
		message := strings.NewReplacer(relay...).Replace(event)
		if content(message) != want || message == event {
			t.Errorf("%q has another content", message)
		}
	}
	for _, other := range [][2]string{{"of M", "of N"}, {"suser=m", "suser=n"}, {"|M", "|N"}, {"|3|", "|5|"}, {"x/", "y/"}, {" suser", "; suser"}} {
		if content(strings.Replace(event, other[0], other[1], 1)) == want {
			t.Errorf("with %q it is another event and has the same content", other[1])
		}
	}
	if content(header+"text") == content(header+"of another") {
		t.Error("text without a key isn't content")
	}
}

func TestNormalizeGivesOneContentToAllVersionsOfTheWriter(t *testing.T) {
	const header = "2023-03-06T08:59:12.044Z hb-agent "
	content := func(message string) [16]byte { return normalize([]byte(message), arrival(t)).Content }
	want := content(header + agentEvent)
	if got := content(header + strings.Replace(agentEvent, "|0.271.3|", "|0.272.0|", 1)); got != want {
		t.Error("another version has another content")
	}
	for _, end := range []string{"#015", "#012", "#015#012", "#000", "#012#000#000"} {
		if got := content(header + agentEvent + end); got != want {
			t.Errorf("the line's end as rsyslog writes it, %s, is content", end)
		}
	}
	passedOn := strings.Replace(header+agentEvent, "|0|externalId", "|Low|eventId=%[1]d externalId", 1) + " art=%[1]d cat=x"
	if content(fmt.Sprintf(passedOn, 1)) != content(fmt.Sprintf(passedOn, 22)) {
		t.Error("received by a connector again, it has another content")
	}
	if content(fmt.Sprintf(passedOn, 1)) == content(fmt.Sprintf(passedOn, 1)+"y") {
		t.Error("another event that a connector passes on has the same content")
	}
	for _, change := range [][2]string{{"|MCAS|", "|XCAS|"}, {"|SIEM_Agent|", "|SIEM_Agenz|"}, {"|Log on|", "|Log off|"}} {
		if got := content(header + strings.Replace(agentEvent, change[0], change[1], 1)); got == want {
			t.Errorf("with %q it is another event and has the same content", change[1])
		}
	}
	want = content(detection)
	if got := content(`{ "userPrincipalName": "ines.abreu@harbour.example", "riskEventType": "unfamiliarFeatures", "id": "6F2C" }`); got != want {
		t.Error("another order of the members has another content")
	}
	if got := content(strings.Replace(detection, "6F2C", "6F2D", 1)); got == want {
		t.Error("another detection has the same content")
	}
}

func TestNormalizeGivesADetectionOneContentInEveryEnvelope(t *testing.T) {
	want := normalize([]byte(detection), arrival(t)).Content
	for _, envelope := range []string{
		`{"@odata.nextLink":"https://graph/1","value":[%s]}`, `{"@odata.nextLink":"https://graph/2","value":[%s]}`,
		`{"records":[{"time":"2023-03-06T09:00:00Z","category":"UserRiskEvents","properties":%s}]}`,
		`{"time":"2023-03-06T09:05:00Z","category":"UserRiskEvents","properties":%s}`,
	} {
		if n := normalize(fmt.Appendf(nil, envelope, detection), arrival(t)); n.Content != want || n.Service != formats.IdentityProtection {
			t.Errorf("%s: %s, content %x, want %x", envelope, n.Service, n.Content, want)
		}
	}
	text := fmt.Appendf(nil, `{"category":"UserRiskEvents","properties":%q}`, detection)
	if n := normalize(text, arrival(t)); n.Content != want || n.Service != formats.IdentityProtection {
		t.Errorf("%s: %s, content %x, want %x", text, n.Service, n.Content, want)
	}
}

func TestNormalizeWritesOnlyUTF8(t *testing.T) {
	message := []byte("<36>" + sensorHeader + "0|Microsoft|Azure ATP|2|XSecurityAlert|n\xff|5|suser=Gro\xdf msg=\x80\xc3")
	n := normalize(message, arrival(t))
	if n.Title != "n\u00ff" || n.Accounts[0].Name != "Gro\u00df" || n.Message != "\u20ac\u00c3" {
		t.Errorf("title %q, accounts %q, message %q", n.Title, n.Accounts, n.Message)
	}
	if string(n.Raw) != string(message) {
		t.Errorf("raw %q, want %q", n.Raw, message)
	}
}

// breaking is a hash with a mistake.
type breaking struct{ hash.Hash }

func (breaking) Reset() { panic("index out of range") }

// TestAMessageThatBreaksAParser: it is one that nobody understands, and the next one is read as ever.
func TestAMessageThatBreaksAParser(t *testing.T) {
	z, raw := normalizer{sum: breaking{}}, []byte(agentEvent)
	n := z.normalize(raw, arrival(t))
	if n.Kind != formats.Unknown || n.Service != formats.UnknownService || string(n.Raw) != agentEvent || !n.Arrived.Equal(arrival(t)) {
		t.Errorf("normalize() = %+v, want all of it as unknown", n)
	}
	if z.broke == nil || !strings.Contains(z.broke.Error(), "index out of range") || !strings.Contains(z.broke.Error(), "digest") {
		t.Errorf("broke = %v, want the reason and where", z.broke)
	}
	if n.Content == normalize([]byte("another"), arrival(t)).Content || n.Content == [16]byte{} {
		t.Errorf("content %x", n.Content)
	}
	if after := z.normalize(raw, arrival(t)); after.Service != formats.CloudAppSecurity {
		t.Errorf("the next is of %s", after.Service)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		"<36>" + sensorHeader + "0" + sensorEvent, sensorHeader + "\ufeff" + sensorEvent, agentEvent, detection,
		"<13>Mar  6 09:00:00 r 2023-03-06T08:59:12.044Z h " + agentEvent, "<134> 2023-03-06T08:59:12Z " + detection,
		"CEF:0|Microsoft|Azure ATP", "{", "\xff", `{"message":` + quoted(agentEvent) + `}`, `{"log":{"event":"|MCAS|`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := normalize(raw, arrival(t))
		if string(n.Raw) != string(raw) || n.Payload < 0 || n.Payload > len(raw) || n.Kind == "" || n.Service == "" ||
			n.Service == formats.Sluice || n.Origin == formats.Sluice { // which only we may be
			t.Fatalf("normalize(%q) = %+v", raw, n)
		}
		if known := n.Kind != formats.Unknown; known && !n.Parsed || known != (n.Service != formats.UnknownService) {
			t.Fatalf("normalize(%q) = %+v", raw, n)
		}
		for _, text := range append([]string{n.ID, n.Type, n.Class, n.Title, n.App, n.URL, n.Message}, values(n)...) {
			if !utf8.ValidString(text) {
				t.Fatalf("normalize(%q): %q is not UTF-8", raw, text)
			}
		}
		if _, err := json.Marshal(n); err != nil {
			t.Fatalf("normalize(%q): %v", raw, err)
		}
	})
}

// values returns the texts in n's lists.
func values(n formats.Notification) (all []string) {
	for _, e := range append(slices.Clip(n.Accounts), n.Devices...) {
		all = append(all, e.Name)
	}
	for k, v := range n.Extra {
		all = append(all, k, v)
	}
	return append(all, n.Addresses...)
}

func BenchmarkNormalize(b *testing.B) {
	lines := map[string]string{
		"activity": "2023-03-06T08:59:12.044Z hb-agent " + agentEvent,
		"sensor":   "<36>" + sensorHeader + "\ufeff0" + sensorEvent,
		"bsd":      "<36>Mar  6 08:59:12 HBDC02 CEF:0" + sensorEvent,
		"graph":    "<134>1 2023-03-06T08:59:12Z graph IdentityProtection - riskDetection - " + detection,
	}
	for name, line := range lines {
		raw, at := []byte(line), arrival(b)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			var z normalizer // as for the messages of a batch
			for b.Loop() {
				z.normalize(raw, at)
			}
		})
	}
}

func TestNormalizeReadsNamesThatAreNoUTF8(t *testing.T) {
	for _, tt := range []struct{ name, written, want string }{
		{"utf-8", "Zo\u00eb Ib\u00e1\u00f1ez", "Zo\u00eb Ib\u00e1\u00f1ez"},
		{"western", "Zo\xeb Ib\xe1\xf1ez", "Zo\u00eb Ib\u00e1\u00f1ez"},
		{"western, with a mark that Latin-1 hasn't", "O\x92Brien", "O\u2019Brien"},
		{"damaged utf-8", "Zo\u00eb Ib\xe1\xf1ez", "Zo\u00eb Ib\ufffdez"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, message := range []string{"CEF:0" + sensorEvent, `{"message":` + quoted("CEF:0"+sensorEvent) + `}`} {
				n := normalize([]byte(strings.ReplaceAll(message, "Ines Abreu", tt.written)), arrival(t))
				if want := tt.want + " (Pilot) sent suspicious LDAP queries to HBDC02."; n.Message != want {
					t.Errorf("%q, want %q", n.Message, want)
				}
			}
		})
	}
	n := normalize([]byte("CEF:0|Microsoft|Azure ATP|2|XSecurityAlert|n|5|msg=Zo\xc3"), arrival(t))
	if n.Message != "Zo\ufffd" {
		t.Errorf("cut inside a character: %q", n.Message)
	}
}

func TestRespelt(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"ascii", "msg=Nora Falk cs1=https://x/#/alerts/1", "msg=Nora Falk cs1=https://x/#/alerts/1"},
		{"umlauts", "Jörg Grün", "Jörg Grün"},
		{"rsyslog's numbers", "J#303#266rg Gr#303#274n ran #12 and #303", "Jörg Grün ran #12 and #303"},
		{"rsyslog's numbers, cut", "J#303#266rg Gr#303#27", "Jörg Gr#303#27"},
		{"rsyslog's numbers, one too many", "J#303#266#377rg #200 Gr#303#303#274n", "Jö#377rg #200 Gr#303ün"},
		{"numbers that are no character", "#377#377", "#377#377"},
		{"numbers of ASCII", "#101#102", "#101#102"},
		{"JSON's escapes", `J\u00f6rg Gr\u00FCn`, "Jörg Grün"},
		{"accounts behind a domain", `HARBOUR\ulf HARBOUR\u0041da HARBOUR\u12 \u`, `HARBOUR\ulf HARBOUR\u0041da HARBOUR\u12 \u`},
		{"accounts that are numbers", `CORP\u0123456 CORP\u0121 CORP\u00c1234`, `CORP\u0123456 CORP\u0121 CORP\u00c1234`},
		{"accounts that are words", `CORP\ubeda CORP\ucafe \ubeda`, `CORP\ubeda CORP\ucafe \ubeda`},
		{"a backslash that is escaped", `CORP\\u00fcber`, `CORP\\u00fcber`},
		{"JSON's escapes of another script", `\u041d\u043e\u0440\u0430 \u5317\u4eac`, "Нора 北京"},
		{"JSON's escapes of numbers, at the beginning and in a row", `\u0141ukasz Dvo\u0159\u00e1k`, "Łukasz Dvořák"},
		{"half of a character", `\ud83d\ude00`, `\ud83d\ude00`},
		{"encoded twice", "JÃ¶rg GrÃ¼n, Ã\u0081lvaro, Å\u0081ukasz", "Jörg Grün, Álvaro, Łukasz"},
		{"encoded twice in part", "JÃ¶rg Grün", "JÃ¶rg Grün"},
		{"names that only look so", "Ángela São", "Ángela São"},
		{"another script", "Нора Фальк", "Нора Фальк"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := respelt(tt.text); got != tt.want {
				t.Errorf("respelt(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

// TestRespeltOfAMebibyte of numbers and escapes that aren't any: if it looked again at what it has seen, it would take minutes.
func TestRespeltOfAMebibyte(t *testing.T) {
	for _, part := range []string{"#377", "#303", "#3", "#", `\u`, `\u012z`, `\\u00fc`} {
		text := strings.Repeat(part, 1<<20/len(part)) + " #3"
		if respelt(text) != text {
			t.Errorf("%s is respelt", part)
		}
	}
}
