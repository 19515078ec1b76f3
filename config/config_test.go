package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
)

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

func parse(t *testing.T, text string) config.Config {
	t.Helper()
	c, err := config.Parse("sluice.yaml", []byte(text), noEnv)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return c
}

func TestAnEmptyFileIsTheDefaults(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a comment\n", "---\n", "null\n", "{}\n", "policy: {}\n", "\ufeff"} {
		if diff := cmp.Diff(config.Default(), parse(t, text)); diff != "" {
			t.Errorf("Parse(%q): -want +got:\n%s", text, diff)
		}
	}
}

func TestListsReplaceTheDefaults(t *testing.T) {
	want := config.Default()
	want.Inputs = []config.Input{{
		Name: "one", Type: "syslog", Listen: "udp://127.0.0.1:5514", MaxMessage: 64 << 10, MaxConnections: 1000,
		IdleTimeout: 15 * time.Minute, TLS: config.TLS{ClientAuth: "off"},
	}}
	want.Services.CloudAppSecurity.Shows = []string{"identity_protection"}
	want.Policy.ManageIn = []string{"cloud_app_security"}
	want.Targets = []config.Target{{Name: "one", Type: "file", Path: "a.jsonl", Format: "json", Batch: config.Batch{Entries: 512}}}
	got := parse(t, `
inputs: [{name: one, listen: "udp://127.0.0.1:5514"}]
services: {cloud_app_security: {shows: identity_protection}}
policy: {manage_in: cloud_app_security}
targets: [{name: one, type: file, path: a.jsonl}]
`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnEmptyListIsNotTheDefault(t *testing.T) {
	got := parse(t, "services: {cloud_app_security: {shows: []}}").Services
	if got.CloudAppSecurity.Shows == nil || len(got.CloudAppSecurity.Shows) > 0 || !got.CloudAppSecurity.Enabled {
		t.Errorf("cloud_app_security = %+v, want it enabled and showing nothing", got.CloudAppSecurity)
	}
}

func TestTargetsHaveTheDefaultsOfTheirType(t *testing.T) {
	tests := []struct {
		name, yaml string
		want       config.Target
	}{
		{
			"syslog over tls", `{name: t, type: syslog, address: "tls://h:1"}`,
			config.Target{Address: "tls://h:1", Format: "cef", Header: "rfc5424", Framing: "octet", Batch: config.Batch{Entries: 512}},
		},
		{
			"syslog over tcp", `{name: t, type: syslog, address: "tcp://h:1"}`,
			config.Target{Address: "tcp://h:1", Format: "cef", Header: "rfc5424", Framing: "newline", Batch: config.Batch{Entries: 512}},
		},
		{
			"syslog over udp", `{name: t, type: syslog, address: "udp://h:1", format: json}`,
			config.Target{Address: "udp://h:1", Format: "json", Header: "rfc5424", Framing: "newline", Batch: config.Batch{Entries: 512}},
		},
		{"file", `{name: t, type: file, path: p}`, config.Target{Path: "p", Format: "json", Batch: config.Batch{Entries: 512}}},
		{
			"splunk", `{name: t, type: splunk_hec, url: "https://h", token: t, acknowledgement: true, from: now}`,
			config.Target{
				URL: "https://h", Token: "t", Format: "json", From: config.From{Now: true}, Source: "sluice", SourceType: "sluice:json",
				Acknowledgement: true, AckTimeout: 5 * time.Minute, Compression: "gzip", Timeout: 30 * time.Second,
				Batch: config.Batch{Entries: 1000, Size: 1 << 20},
			},
		},
		{
			"webhook", `{name: t, type: http, url: "https://h", from: 2026-11-24T08:00:00+01:00}`,
			config.Target{
				URL: "https://h", Format: "json", From: config.From{Time: time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)}, Body: "one",
				Signature: "none", Conflict: "refused", Compression: "none", Timeout: 30 * time.Second, Batch: config.Batch{Entries: 1},
			},
		},
		{"stdout", `{name: t, type: stdout, format: cef}`, config.Target{Format: "cef"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parse(t, "targets: ["+tt.yaml+"]").Targets[0]
			tt.want.Name, tt.want.Type = "t", got.Type
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// YAML takes these for numbers, truth and dates; here they are names.
func TestTextIsWhatIsWritten(t *testing.T) {
	for _, text := range []string{"010", "1.10", "0x1F", "true", "off", "2026-02-03", "1e3", ".inf", "!!str 7", `"null"`} {
		want := strings.Trim(strings.TrimPrefix(text, "!!str "), `"`)
		if got := parse(t, "data_dir: "+text).DataDir; got != want {
			t.Errorf("data_dir: %s is %q, want %q", text, got, want)
		}
	}
	if got := parse(t, "inputs: [{name: a, listen: 'tcp://:1', max_connections: 010}]").Inputs[0].MaxConnections; got != 10 {
		t.Errorf("max_connections: 010 is %d, want 10", got)
	}
}

func TestRulesKnowTheirLine(t *testing.T) {
	hold := time.Duration(0)
	want := []config.Rule{
		{
			Name: "a", When: config.When{Type: []string{"2025"}, User: []string{"*@fernweh.example", "anna"}}, Line: 4,
			Settings: config.Settings{ManageIn: []string{"cloud_app_security", "identity_protection"}},
		},
		{Name: "b", When: config.When{Severity: []string{"high"}}, Settings: config.Settings{Hold: &hold}, Line: 8},
	}
	got := parse(t, `policy:
  # the first one that fits
  rules:
    - name: a
      when: {type: 2025, user: ["*@fernweh.example", anna]}
      manage_in: [cloud_app_security, identity_protection]

    - {name: b, when: {severity: high}, hold: 0s}
`).Policy.Rules
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReferencesAreResolvedOnceAnywhereInAValue(t *testing.T) {
	file := filepath.Join(t.TempDir(), "name")
	if err := os.WriteFile(file, []byte("from $a ${FILE}\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"ONE": "1", "NESTED": "${ONE}$$", "EMPTY": "", "MINUTES": "7m", "yes": "true"}[name]
		return value, ok
	}
	tests := []struct{ yaml, want string }{
		{"${ONE}", "1"},
		{"/data/${ONE}/x${EMPTY}y${ONE}", "/data/1/xy1"},
		{"${NESTED}", "${ONE}$$"},
		{"$${ONE} $$$$ $1 5$", "${ONE} $$ $1 5$"},
	}
	for _, tt := range tests {
		c, err := config.Parse("sluice.yaml", []byte("data_dir: '"+tt.yaml+"'\n"), env)
		if err != nil || c.DataDir != tt.want {
			t.Errorf("data_dir: %s is %q, %v; want %q", tt.yaml, c.DataDir, err, tt.want)
		}
	}
	_, err := config.Parse("sluice.yaml", []byte("data_dir: ${file:"+file+"}"), env)
	if err == nil || !strings.Contains(err.Error(), "one line of text") {
		t.Errorf("two line feeds at the end: %v, want only one to be cut", err)
	}
	typed, err := config.Parse("sluice.yaml", []byte("policy: {hold: '${MINUTES}'}\nservices: {identity_protection: {enabled: '${yes}'}}"), env)
	if err != nil || *typed.Policy.Hold != 7*time.Minute || !typed.Services.IdentityProtection.Enabled {
		t.Errorf("typed values: %+v, %v", typed.Policy, err)
	}
}

// The copy behind the alias is read anew, so that $$ stays one dollar sign.
func TestAnAliasIsReadLikeItsAnchor(t *testing.T) {
	got := parse(t, `
organisation:
  domains:
    - {netbios: A$$B, upn_suffixes: &s ["$${x}.example", b.example]}
    - {netbios: C, upn_suffixes: *s}
`).Organisation.Domains
	if diff := cmp.Diff([]string{"${x}.example", "b.example"}, got[1].UPNSuffixes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestAnEmptyFileIsNoConfiguration: what a full disk left of a file isn't taken for the defaults, by which the SIEM gets nothing.
func TestAnEmptyFileIsNoConfiguration(t *testing.T) {
	t.Parallel()
	for text, refused := range map[string]bool{"": true, "\n  \n": true, "{}\n": false, "# all the defaults\n": false} {
		file := filepath.Join(t.TempDir(), "sluice.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, read := range map[string]func(string) (config.Config, error){"Load": config.Load, "Read": config.Read} {
			_, err := read(file)
			if problems, ok := errors.AsType[config.Errors](err); (ok && len(problems) == 1) != refused || !refused && err != nil {
				t.Errorf("%s of %q: %v, want it refused: %t", name, text, err, refused)
			}
		}
	}
}

func TestLoadSaysThatAFileIsMissing(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load = %v, want os.ErrNotExist", err)
	}
}

// TestOnlyAFileIsAConfiguration: who opens a named pipe waits for its writer for ever, whatever signal comes.
func TestOnlyAFileIsAConfiguration(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, filepath.Dir(pipe)} {
		if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), path+" is no regular file") {
			t.Errorf("Load(%s) = %v", path, err)
		}
	}
}

// Who switches the default off need not name another one: the others follow anyway.
func TestADisabledServiceIsNoMistakeWhereTheDefaultsNameIt(t *testing.T) {
	got := parse(t, "services: {defender_for_identity: {enabled: false}}")
	if diff := cmp.Diff(config.Default().Policy, got.Policy); diff != "" || got.Services.Enabled("defender_for_identity") {
		t.Errorf("defender_for_identity enabled: %v; policy -want +got:\n%s", got.Services.Enabled("defender_for_identity"), diff)
	}
}

func TestTheImagesConfigurationIsRight(t *testing.T) {
	if _, err := config.Load("docker.yaml"); err != nil {
		t.Error(err)
	}
}

func TestServices(t *testing.T) {
	s := config.Default().Services
	if diff := cmp.Diff([]string{"defender_for_identity", "cloud_app_security", "identity_protection"}, s.Order()); diff != "" {
		t.Errorf("Order: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"cloud_app_security"}, s.ShownBy("identity_protection")); diff != "" {
		t.Errorf("ShownBy: -want +got:\n%s", diff)
	}
	if got := s.ShownBy("cloud_app_security"); got != nil {
		t.Errorf("ShownBy(cloud_app_security) = %q, want none", got)
	}
	s.CloudAppSecurity.Enabled = false
	if got := s.ShownBy("identity_protection"); got != nil {
		t.Errorf("ShownBy = %q, want none while the service that shows is disabled", got)
	}
	if s.Enabled("cloud_app_security") || !s.Enabled("identity_protection") || s.Enabled("sentinel") {
		t.Error("Enabled: want identity_protection alone of the three")
	}
}

// TestSyntaxInOurWords: the common mistakes of YAML are told where they are to be mended, and with what was expected.
func TestSyntaxInOurWords(t *testing.T) {
	for yaml, want := range map[string]string{
		"data_dir:/var/x\ninputs: []\n":                         "f:1: found data_dir: and no space behind it, expected one before the value",
		"policy:\n  hold:10m\n  mode: shadow\n":                 "f:2: found hold: and no space behind it, expected one before the value",
		"data_dir /var\ninputs: []\n":                           "f:1: found the line without a colon, expected a key, a colon and a space before the value",
		"http:\n  token:\n    s3cret\n    listen: x\n":          "f:3: found the line without a colon, expected a key, a colon and a space before the value",
		"http:\n  token: *s3cret\n":                             "f:2: found text that begins with * and isn't in quotes, which YAML takes for a reference to an anchor (&), and there is none",
		"data_dir: it's\nhttp:\n  token: \"s3cret\n":            `f:3: found " without another one that ends the text, expected both`,
		"data_dir: \"/var # it's\ninputs: []\n":                 `f:1: found " without another one that ends the text, expected both`,
		"inputs: []\ndata_dir: '/var\n":                         "f:2: found ' without another one that ends the text, expected both",
		"targets:\n  - {name: x\n  - {name: y}\n":               "f:2: found { and no } or comma where one is expected, such as } at its end",
		"targets: [\nmodel: 1\n":                                "f:1: found [ and no ] or comma where one is expected, such as ] at its end",
		"targets: [a]]\n":                                       "f:1: found more behind the end of a value, expected the end of the line, or all of the value in quotes",
		"policy:\n  mode: shadow\n hold: 10m\n":                 `f:3: found the line indented by 1, expected as far as a line above that it stands beside, and with "- " where that has one`,
		"targets:\n  - name: x\n   type: file\n":                `f:3: found the line indented by 3, expected as far as a line above that it stands beside, and with "- " where that has one`,
		"targets:\n- name: x\n  type: a\nmodel:\n  b: c\n d: e": `f:6: found the line indented by 1, expected as far as a line above that it stands beside, and with "- " where that has one`,
		"policy:\n  mode: shadow\n\n   hold: 10m\n":             "f:4: found the line indented more than line 2, which has its value already; expected both indented alike",
		"data_dir: C: x\n":                                      `f:1: found ": " within a value, expected the value in quotes`,
		"policy:\n\thold: 10m\n":                                "f:2: found a tab before the text, expected spaces: YAML is not indented with tabs",
		"data_dir: @x\n":                                        "f:1: found a character that no value begins with, such as @, ` or %; expected the value in quotes",
		"data_dir: \"a\\d\"\n":                                  `f:1: found a \ within " ", expected \\, or the value in ' '`,
		"targets: - name: x\n":                                  `f:1: found "- " behind a key, expected it on a line of its own`,
		"data_dir: x\ndata_dir: y\n":                            "f:2: data_dir: found the key twice, first on line 1; expected it once",
	} {
		_, err := config.Parse("f", []byte(yaml), func(string) (string, bool) { return "", false })
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", yaml, err, want)
		}
	}
}

// TestAWordThatIsCutShort: the beginning of one word alone is taken for it.
func TestAWordThatIsCutShort(t *testing.T) {
	_, err := config.Parse("f", []byte("targets: [{name: x, type: splunk, url: \"https://s:8088\", token: t}]\n"), func(string) (string, bool) { return "", false })
	if err == nil || !strings.Contains(err.Error(), `did you mean "splunk_hec"?`) {
		t.Errorf("type: splunk: %v", err)
	}
}
