package target

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/relp"
)

func TestPlain(t *testing.T) {
	long := strings.Repeat("ü", 400)
	tests := []struct{ name, said, want string }{
		{"nothing", "", ""},
		{"words", "no space left (7 %)", "no space left (7 %)"},
		{"another line", "bad\nlevel=INFO msg=\"all is well\"\r\n", `bad level=INFO msg="all is well"`},
		{"an escape", "bad \x1b[2J\x1b]0;title\a", "bad [2J ]0;title"},
		{"an escape of C1", "bad \u009b2J", "bad 2J"},
		{"a byte of C1", "bad \x9b2J", "bad \ufffd2J"},
		{"DEL and NEL", "a\x7fb\u0085c", "a b c"},
		{"line and paragraph", "a\u2028b\u2029c", "a b c"},
		{"turned around", "a\u202eb\u2066c", "a b c"},
		{"no UTF-8", "a\xff\xfeb", "a\ufffdb"},
		{"long", long, long[:300] + "…"},
		{"long with blanks", strings.Repeat("\n", 5000) + "x", "…"},
		{"a character at the end", "x" + long, "x" + long[:298] + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := plain(tt.said); got != tt.want || !utf8.ValidString(got) {
				t.Errorf("plain(%q) = %q, want %q", tt.said, got, tt.want)
			}
		})
	}
}

// What a server says gets into a log as one line of text, whoever the server is.
func TestServersForgeNoLog(t *testing.T) {
	const bad = "bad\nlevel=INFO msg=\"all is well\"\x1b[2J\u009b2J\u202e"
	tests := []struct {
		name string
		err  func() error
	}{
		{"HTTP", func() error { return answer{status: http.StatusBadRequest, body: []byte(bad)}.later("upload") }},
		{"JetStream refuses", func() error {
			_, err := refused(item{entry: numbered(1, 1)[0]}, 400, 10060, bad)
			return err
		}},
		{"a NATS server", func() error { return new(NATS).class(fmt.Errorf("nats: %s", bad)) }},
		{"a Kafka broker", func() error {
			k := &Kafka{cfg: config.Target{SASL: "plain"}, notes: &brokerNotes{}, now: time.Now}
			k.notes.note(fmt.Errorf("%s: %w", bad, io.ErrUnexpectedEOF))
			return k.class(fmt.Errorf("%s: %w", bad, io.EOF))
		}},
		{"a Kafka broker on the way", func() error {
			k := &Kafka{cfg: config.Target{SASL: "none"}, notes: &brokerNotes{}, now: time.Now}
			k.notes.note(errors.New(bad))
			return k.class(io.EOF)
		}},
		{"a RELP receiver", func() error {
			code, text, err := answerOf(relp.Frame{Number: 2, Command: "rsp", Data: []byte("500 " + strings.ReplaceAll(bad, "\n", " "))})
			return errors.Join(err, &refusedError{code, text})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.err()
			if err == nil || !strings.Contains(err.Error(), "bad") {
				t.Fatalf("error %v, want the words", err)
			}
			for line := range strings.Lines(err.Error()) { // those of errors.Join are ours
				if strings.HasPrefix(line, "level=") || strings.ContainsAny(line, "\x1b\u009b\u202e") {
					t.Errorf("it has the line %q", line)
				}
			}
		})
	}
	var op error = saidError{&net.OpError{Op: "remote error", Err: errors.New("x")}}
	if !untrusted(op) {
		t.Error("a said error hides what it is")
	}
}

// TestARedirectSaysWhereTo, to which server: who wrote http:// sees that it is https://. A path may hold a secret.
func TestARedirectSaysWhereTo(t *testing.T) {
	for _, tt := range []struct {
		status         int
		location, want string
	}{
		{302, "https://siem.example:8088/hooks/of-a-secret?x=y", "302 Found to https://siem.example:8088 the words"},
		{307, "//siem.example/one", "307 Temporary Redirect to //siem.example the words"},
		{308, "/login", "308 Permanent Redirect the words"},
		{302, "https://siem\x1b[2J.example/", "302 Found the words"},
		{302, "", "302 Found the words"},
		{201, "https://siem.example/one", "201 Created the words"},
	} {
		a := answer{status: tt.status, header: http.Header{"Location": {tt.location}}, body: []byte("the words")}
		if got := a.String(); got != tt.want {
			t.Errorf("%d to %q: %q, want %q", tt.status, tt.location, got, tt.want)
		}
	}
}
