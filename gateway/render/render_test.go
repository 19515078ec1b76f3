package render

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/aadip"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/formats/mdi"
	"github.com/sluice-siem/sluice/formats/syslog"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

var update = flag.Bool("update", false, "rewrite what the golden files expect")

var arrived = time.Date(2031, 5, 6, 7, 8, 9, 123456000, time.UTC)

// received is the entry of a message that was forwarded, as the gateway would make it.
func received(raw []byte) stream.Entry {
	n := formats.Notification{Service: formats.UnknownService, Kind: formats.Unknown}
	m, err := syslog.Parse(raw, arrived)
	if err == nil {
		body := string(raw[m.Body:])
		switch e, err := cef.Parse(body); {
		case err != nil:
			if r, err := aadip.Normalize([]byte(body)); err == nil {
				n, n.Parsed = r, true
			}
		case mdi.Wrote(e):
			n, _ = mdi.Normalize(e)
			n.Parsed = true
		case mcas.Wrote(e):
			if r, err := mcas.Normalize(e); err == nil {
				n = r
			}
			n.Parsed = true
		default:
			n.Parsed = true
		}
	}
	n.Channel, n.Arrived, n.Sent, n.Payload, n.Raw = "syslog", arrived, m.Time, m.Body, raw
	e := stream.Entry{
		Kind: stream.Notification, Time: arrived.Add(time.Second), Key: "e5f60718293a4b5c6d7e8f9011223344", Input: "front",
		Notification: n,
		Match:        dedup.Match{Relation: dedup.First},
		Decision:     policy.Decision{Action: dedup.Forward, Reason: policy.ByKind},
	}
	if n.Kind == formats.Alert {
		e.Match.Alert = "00112233445566778899aabbccddeeff"
		e.Decision.ManagedIn, e.Decision.Reason = formats.DefenderForIdentity, policy.ManagedHere
	}
	return e
}

// paired adds what is known when the other service was first.
func paired(e stream.Entry) stream.Entry {
	e.Match.Relation, e.Match.Type, e.Match.Points = dedup.Twin, "2009", 80
	e.Match.Evidence = []dedup.Evidence{
		{What: "type", How: "2009 and ALERT_EXTERNAL_AATP_X are one detection", Points: 30},
		{What: "account", How: `BREWERY\hopkins is hopkins@brewery.example`, Points: 50},
	}
	e.Match.RunnerUp = &dedup.Candidate{Alert: "ffeeddccbbaa99887766554433221100", Points: 20, Why: "another account"}
	e.Twins = []dedup.Sighting{sighting()}
	return e
}

func sighting() dedup.Sighting {
	return dedup.Sighting{
		Service: formats.CloudAppSecurity, Channel: "syslog", ID: "73623b1cd4e5f60718293a4b",
		URL: "https://brewery.portal.example/#/alerts/73623b1cd4e5f60718293a4b",
		Key: "aa00aa00aa00aa00aa00aa00aa00aa00", First: arrived.Add(-time.Minute), Last: arrived, Count: 2,
	}
}

// linked is the event that tells of a late twin.
func linked() stream.Entry {
	other := sighting()
	other.Service, other.ID, other.URL = formats.DefenderForIdentity, "11111111-2222-4333-8444-555555555555", "https://brewery.example/a|b=c"
	return stream.Entry{
		Kind: stream.Link, Time: arrived, Key: "11ee11ee11ee11ee11ee11ee11ee11ee",
		Notification: formats.Notification{Service: formats.Sluice, Kind: formats.Link, Title: "Two notifications are one alert", Severity: formats.Informational, Arrived: arrived},
		Match:        dedup.Match{Alert: "00112233445566778899aabbccddeeff", Relation: dedup.Twin},
		Decision:     policy.Decision{Action: dedup.Forward, Reason: policy.Linked, ManagedIn: formats.DefenderForIdentity},
		Twins:        []dedup.Sighting{other, sighting()},
	}
}

// tried is the event that an operator sends to try a target.
func tried() stream.Entry {
	return stream.Entry{
		Kind: stream.Notification, Time: arrived, Key: "7e577e577e577e577e577e577e577e57",
		Notification: formats.Notification{
			Service: formats.Sluice, Kind: formats.Health, Channel: "sluice", Origin: formats.Sluice, Type: "test",
			Title: "Sluice test event: nothing to do", Severity: formats.Informational, Start: arrived, End: arrived, Arrived: arrived, Parsed: true,
			Message: "An operator of Sluice on gw1 tries target front. This is no alert, and nothing has happened.",
		},
		Decision: policy.Decision{Action: dedup.Forward, Reason: policy.Tested},
	}
}

// raised is an alert of an activity policy.
func raised() stream.Entry {
	e := tried()
	e.Match = dedup.Match{Alert: "00112233445566778899aabbccddeeff", Relation: dedup.First, Type: "activity_policy"}
	e.Decision = policy.Decision{Action: dedup.Forward, Reason: policy.NoTwinExpected, ManagedIn: formats.Sluice}
	e.Score = &stream.Score{User: "hopkins@brewery.example", Points: 36.15, Bounded: 13.944, At: arrived.Add(-time.Minute)}
	e.Notification = formats.Notification{
		Service: formats.Sluice, Kind: formats.Alert, Channel: "policy", Origin: formats.Sluice, ID: "p7:hopkins@brewery.example:1935817200",
		Type: "activity_policy", Title: "Mass download by a single user", Severity: formats.High,
		Accounts: []formats.Entity{{Name: "hopkins@brewery.example"}}, Devices: []formats.Entity{{Name: "WS-17"}},
		Addresses: []string{"198.51.100.23"}, App: "Box", Message: "hopkins@brewery.example: 31 activities of policy Mass download by a single user within 1h",
		Start: arrived.Add(-time.Hour), End: arrived.Add(-time.Minute), Raised: arrived, Arrived: arrived, Count: 31,
		Extra: map[string]string{"policy": "Mass download by a single user"}, Raw: []byte(`{"id":"p7:hopkins@brewery.example:1935817200"}`),
	}
	return e
}

// operated is what an operator did, and what he had forwarded after all.
func operated() (act, undo stream.Entry) {
	act = tried()
	act.Kind, act.Act = stream.Acted, &stream.Act{By: "otto\u2028", Verb: "close", Args: []byte(`{"why":"ü"}`)}
	act.Decision = policy.Decision{Action: dedup.Drop, Reason: policy.Operated}
	act.Notification.Kind, act.Notification.Type, act.Notification.Message = formats.Act, "close", ""
	undo = raised()
	undo.Kind, undo.Act, undo.Decision.Reason = stream.Undo, &stream.Act{By: "otto", Verb: "forward_after_all"}, policy.Separated
	return act, undo
}

// TestOperatorsInJSON: an export has what operators did.
func TestOperatorsInJSON(t *testing.T) {
	s := schemas(t)["json"]
	act, undo := operated()
	for want, e := range map[string]*stream.Entry{
		`"act":{"by":"otto\u2028","verb":"close","args":"{\"why\":\"ü\"}"}`: &act, `"act":{"by":"otto","verb":"forward_after_all"}`: &undo,
	} {
		text, err := AppendJSON(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		check(t, s, text)
		if !strings.Contains(string(text), want) {
			t.Errorf("want %s:\n%s", want, text)
		}
	}
}

// silent is the event that tells of a service that has gone silent.
func silent() stream.Entry {
	e := tried()
	e.Kind, e.Decision.Reason = stream.Silence, policy.ByKind
	e.Notification.Kind, e.Notification.Origin, e.Notification.Type = formats.Silence, formats.CloudAppSecurity, "silence"
	e.Notification.Title, e.Notification.Severity = "A service has gone silent", formats.Medium
	e.Notification.Start, e.Notification.End = arrived.Add(-time.Hour), time.Time{}
	e.Notification.Message = "Nothing was received from cloud_app_security since 2031-05-06T06:08:09Z, for longer than 30m0s"
	return e
}

// known is the catalogue, which takes longer to read than an entry to render.
var known = sync.OnceValues(catalog.New)

// rendered appends one entry in a format.
func rendered(format string, b []byte, e *stream.Entry, limit int) ([]byte, error) {
	c, err := known()
	if err != nil {
		return b, err
	}
	r, err := pick(format, c)
	if err != nil {
		return b, err
	}
	return r(b, e, limit)
}

// schema says what is wrong with a value.
type schema interface{ Validate(v any) error }

// both are two schemas, one of which may be missing.
type both struct{ ours, published schema }

// Validate asks both.
func (b both) Validate(v any) error {
	err := b.ours.Validate(v)
	if b.published != nil {
		err = errors.Join(err, b.published.Validate(v))
	}
	return err
}

// schemas are those by which what a format renders is valid: JSON Schemas of ours, and those that the format's makers
// publish, where there are some and they are installed.
func schemas(t testing.TB) map[string]schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	out := map[string]schema{}
	theirs, _ := published(t)
	for format, file := range map[string]string{
		"json":                "stream.schema.json",
		"ecs":                 "testdata/schema/ecs.json",
		"ocsf":                "testdata/schema/ocsf.json",
		"asim":                "testdata/schema/asim.json",
		"common_security_log": "testdata/schema/common_security_log.json",
		"sentinel_table":      "testdata/schema/sentinel_table.json",
	} {
		s, err := c.Compile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[format] = both{s, theirs[format]}
	}
	return out
}

// check tells what is wrong with a rendered JSON line.
func check(t testing.TB, s schema, text []byte) {
	t.Helper()
	if !oneLine(text) {
		t.Errorf("not one clean line: %q", text)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("not JSON: %v\n%q", err, text)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("not by the schema: %v\n%s", err, text)
	}
}

// oneLine tells whether no reader could see more than one line, and no terminal anything but text.
func oneLine(text []byte) bool {
	return utf8.Valid(text) && !bytes.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029'
	})
}

// message reads a golden file's first part.
func message(a *txtar.Archive) (string, error) {
	text := strings.TrimSuffix(string(a.Files[0].Data), "\n")
	return strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
}

// The files hold a message as a Go string without its quotes; their comment may name variants: pair,
// shadow, link, test, silence, raised.
func TestRendering(t *testing.T) {
	files, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	schemas := schemas(t)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := message(a)
			if err != nil {
				t.Fatalf("message: %v", err)
			}
			e := received([]byte(raw))
			variants := string(a.Comment)
			if strings.Contains(variants, "pair") {
				e = paired(e)
			}
			if strings.Contains(variants, "shadow") {
				e.Decision.Would = dedup.Suppress
			}
			for variant, own := range map[string]func() stream.Entry{"link": linked, "test": tried, "silence": silent, "raised": raised} {
				if strings.Contains(variants, variant) {
					e = own()
				}
			}
			got := &txtar.Archive{Comment: a.Comment, Files: a.Files[:1:1]}
			for _, format := range words() {
				text, err := rendered(format, nil, &e, 0)
				if err != nil {
					t.Fatal(err)
				}
				if !oneLine(text) && format != "leef1" { // which separates by tabs
					t.Errorf("%s: not one clean line: %q", format, text)
				}
				if s := schemas[format]; s != nil {
					check(t, s, text)
					var indented bytes.Buffer
					if err := json.Indent(&indented, text, "", " "); err != nil {
						t.Fatal(err)
					}
					text = indented.Bytes()
				}
				got.Files = append(got.Files, txtar.File{Name: format, Data: append(text, '\n')})
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(got))); diff != "" {
				t.Errorf("rendering (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLongIDsAreWhole: externalId has room for 40 characters, and a longer ID stands where it isn't cut.
func TestLongIDsAreWhole(t *testing.T) {
	long := strings.Repeat("d1", 32)
	for id, want := range map[string]string{"3131aa": "externalId=3131aa ", long: "flexString1Label=notificationId flexString1=" + long + " "} {
		e := received([]byte(`{"id":"` + id + `","riskEventType":"unfamiliarFeatures"}`))
		for _, format := range []string{"cef", "cef_rendered"} {
			text, err := rendered(format, nil, &e, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), want) || id == long && strings.Contains(string(text), "externalId=") {
				t.Errorf("%s: no %q in %s", format, want, text)
			}
		}
	}
}

func TestLongEventsFitTheLimit(t *testing.T) {
	s := schemas(t)
	long := strings.Repeat(`ü=\|`, 20_000)
	many := strings.Builder{}
	for i := range 3000 {
		many.WriteString(" ad.k" + strconv.Itoa(i) + "=" + strings.Repeat("v", 20))
	}
	entries := map[string]stream.Entry{
		"long text":    paired(received([]byte("<36>1 2031-05-06T07:08:08Z s CEF 1 X 0|Microsoft|Azure ATP|2.1|XSecurityAlert|T|5|start=2031-05-06T07:00:00.1234567Z msg=" + long + " externalId=2009"))),
		"long header":  received([]byte("CEF:0|Brew|Kettle|1|" + strings.Repeat(`c\|`, 30_000) + "|n|5|msg=x")),
		"many fields":  received([]byte("CEF:0|Brew|Kettle|1|c|n|5|msg=x" + many.String())),
		"unknown":      received([]byte(long)),
		"control text": received(bytes.Repeat([]byte{1}, 70_000)),
		"no UTF-8":     received(bytes.Repeat([]byte{0xff}, 70_000)),
	}
	wide := paired(received([]byte("x")))
	for range 5000 {
		wide.Notification.Accounts = append(wide.Notification.Accounts, formats.Entity{Name: strings.Repeat("a", 40) + strconv.Itoa(len(wide.Notification.Accounts))})
		wide.Match.Evidence = append(wide.Match.Evidence, dedup.Evidence{What: "x", How: long[:50]})
		wide.Twins = append(wide.Twins, sighting())
	}
	entries["long lists"] = wide
	for name, e := range entries {
		for _, limit := range []int{65_000, 20_000, 9_000} {
			t.Run(name+" in "+strconv.Itoa(limit), func(t *testing.T) {
				for _, format := range words() {
					text, err := rendered(format, []byte("before"), &e, limit)
					if text = text[len("before"):]; err != nil || len(text) > limit {
						t.Fatalf("%s has %d bytes, %v; want at most %d", format, len(text), err, limit)
					}
					if !oneLine(text) && format != "leef1" {
						t.Errorf("%s: not one clean line: %q", format, text)
					}
					if s[format] != nil {
						check(t, s[format], text)
					}
					if !bytes.Contains(text, []byte(e.Key)) {
						t.Errorf("%s has no event key: %s", format, text)
					}
				}
				text, err := rendered("cef", nil, &e, limit)
				if err != nil {
					t.Fatal(err)
				}
				ev, err := cef.Parse(string(text))
				if err != nil {
					t.Fatal(err)
				}
				if key := ev.Unescaped(cef.Standard).Extension; key[len(key)-1].Value != string(e.Key) {
					t.Errorf("ends in %+v, want the event key", key[len(key)-1])
				}
			})
		}
	}
	for _, format := range words() {
		if text, err := rendered(format, []byte("x"), &wide, 100); err == nil || string(text) != "x" {
			t.Errorf("%s in 100 bytes = %q, %v; want an error", format, text, err)
		}
	}
}

// TestColumnsFit: Azure Monitor cuts a longer value in silence, and then a list is no list any more.
func TestColumnsFit(t *testing.T) {
	e := paired(received(activity("ALERT_X", "n", "msg="+strings.Repeat("\x01ü", 50_000))))
	for range 5000 {
		e.Notification.Accounts = append(e.Notification.Accounts, formats.Entity{Name: strings.Repeat("\x01", 400) + strconv.Itoa(len(e.Notification.Accounts))})
		e.Match.Evidence = append(e.Match.Evidence, dedup.Evidence{What: "x", How: strings.Repeat("é", 400)})
		e.Twins = append(e.Twins, sighting())
	}
	e.Notification.Addresses = slices.Repeat([]string{strings.Repeat("x", 2000)}, 100)
	e.Notification.Extra = map[string]string{"a": strings.Repeat("\"", 200_000), "b": strings.Repeat("x", 200_000)}
	s := schemas(t)
	for _, format := range []string{"asim", "common_security_log", "sentinel_table"} {
		text, err := rendered(format, nil, &e, 0)
		if err != nil {
			t.Fatal(err)
		}
		check(t, s[format], text)
		var columns map[string]json.RawMessage
		if err := json.Unmarshal(text, &columns); err != nil {
			t.Fatal(err)
		}
		for name, value := range columns {
			var text string
			if json.Unmarshal(value, &text) != nil {
				text = string(value)
			}
			if len(text) > longestColumn {
				t.Errorf("%s: %s has %d bytes", format, name, len(text))
			}
		}
	}
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	tests := []struct {
		text    string
		longest int
		want    string
	}{
		{"short", 5, "short"},
		{"a longer text than that", 20, "a lo" + cutMark},
		{"ééééééééééééééé", 18, "é" + cutMark},
		{"日本語", 4, "日"},
		{"\xff\xff\xff\xff", 2, "\xff\xff"},
	}
	for _, tt := range tests {
		if got := cut(tt.text, tt.longest); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.text, tt.longest, got, tt.want)
		}
	}
}

func seeds(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if raw, err := message(a); err == nil {
			f.Add([]byte(raw))
		}
	}
	f.Add([]byte("CEF:0|a|b|c|d|e|1|msg=x sluiceEventKey=no cs5Label=sluiceAlertId cs5=no"))
	f.Add([]byte("\xc2\x9b31m\x7f\xe2\x80\xa8"))
}

func FuzzAppendJSON(f *testing.F) {
	seeds(f)
	s := schemas(f)["json"]
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := paired(received(raw))
		text, err := AppendJSON(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		check(t, s, text)
		var got struct {
			EventKey  string  `json:"event_key"`
			Raw       *string `json:"raw"`
			RawBase64 *string `json:"raw_base64"`
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		var back []byte
		switch {
		case got.Raw != nil:
			back = []byte(*got.Raw)
		case got.RawBase64 != nil:
			if back, err = base64.StdEncoding.DecodeString(*got.RawBase64); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(back, raw) || got.EventKey != string(e.Key) {
			t.Errorf("read back %q and key %q from %s", back, got.EventKey, text)
		}
	})
}

// TestAnotherGatewayReadsWhatWeWrite: our own fields are fields to it, and not text of the one before them.
func TestAnotherGatewayReadsWhatWeWrite(t *testing.T) {
	e := paired(received([]byte("CEF:0|Microsoft|Azure ATP|2|XSecurityAlert|n|5|externalId=2009 cs1Label=url cs1=https://x/1")))
	e.Score = &stream.Score{User: "iabreu", Points: 38.72, Bounded: 9.05, At: arrived}
	for _, name := range []string{"cef", "cef_rendered"} {
		text, err := rendered(name, nil, &e, 0)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := cef.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		ours := 0
		for _, field := range ev.Extension {
			if strings.HasPrefix(field.Key, "sluice") {
				ours++
			}
			if strings.Contains(field.Value, "=") && !strings.Contains(field.Value, `\\=`) {
				t.Errorf("%s: %s has a field for text: %q", name, field.Key, field.Value)
			}
		}
		if ours < 4 {
			t.Errorf("%s: %d fields of our own in %q", name, ours, text)
		}
	}
}

func FuzzAppendCEF(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := paired(received(raw))
		text, err := AppendCEF(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		if !oneLine(text) {
			t.Errorf("not one clean line: %q", text)
		}
		ev, err := cef.Parse(string(text))
		if err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		ev = ev.Unescaped(cef.Standard)
		got := make(map[string]string, len(ev.Extension))
		for _, field := range ev.Extension {
			if old, ok := got[field.Key]; ok {
				t.Errorf("key %s is there twice, %q and %q: %q", field.Key, old, field.Value, text)
			}
			got[field.Key] = field.Value
		}
		for key, want := range map[string]string{
			"sluiceEventKey": string(e.Key), "cs5Label": labelIf(e.Match.Alert != "", "sluiceAlertId"), "cs6Label": "sluiceTwin",
			"sluiceReason": string(e.Decision.Reason),
			"cs6":          "cloud_app_security:73623b1cd4e5f60718293a4b",
		} {
			if want != "" && got[key] != want {
				t.Errorf("%s = %q, want %q: %q", key, got[key], want, text)
			}
		}
	})
}

func labelIf(ok bool, label string) string {
	if ok {
		return label
	}
	return ""
}

// TestHeaderWithAStrayBar: an unescaped bar in a name would shift the columns of the header for a SIEM.
func TestHeaderWithAStrayBar(t *testing.T) {
	const payload = `CEF:0|Microsoft|Azure ATP|2.2|XSecurityAlert|one | two|5|suser=ida msg=hello externalId=1`
	e := stream.Entry{Notification: formats.Notification{
		Service: formats.DefenderForIdentity, Kind: formats.Alert, Severity: formats.High, Parsed: true, Raw: []byte(payload),
		Title: "one | two", ID: "x", Message: "hello", Accounts: []formats.Entity{{Name: "ida", Key: "suser"}},
	}}
	if text, ok := original(&e); ok {
		t.Errorf("as the service wrote it: %s", text)
	}
	out, err := AppendCEF(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := cef.Parse(string(out))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), `|one \| two|5|`) || ev.Name != "one | two" || ev.Severity != "5" || !slices.Contains(ev.Extension, cef.Field{Key: "suser", Value: "ida"}) {
		t.Errorf("name %q, severity %q, want them as they were meant, and the fields:\n%s", ev.Name, ev.Severity, out)
	}
}
