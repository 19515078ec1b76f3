package syslog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/formats/syslog"
)

func TestUnwrap(t *testing.T) {
	const event = "CEF:0" + mdi
	for _, tt := range []struct{ name, content, want string }{
		{"a message", `{"host":"h","message":"` + event + `"}`, event},
		{"its header too", `{"_raw":"<36>Mar  6 08:59:12 HBDC02 ` + event + `"}`, event},
		{"its line end", `{"log":"` + event + `\r\n"}`, event},
		{"a tag of its own", `{"ident":"CEF","message":" 0` + mdi + `"}`, "0" + mdi},
		{"a tag of its own, with its colon", `{"syslog-tag":"CEF:","msg":"0` + mdi + `"}`, "0" + mdi},
		{"a tag of its own, with its process", `{"msg":"0` + mdi + `","tag":"CEF[4120]:"}`, "0" + mdi},
		{"a tag in somebody's text", `{"msg":"0` + mdi + ` \"CEF[1]\"","agent":"x:\"CEF[1]\""}`, ""},
		{"what syslog-ng can't read", "Error processing log message: <36>1 2023-03-06T08:59:12Z HBDC02 CEF 4120 X>@< 0" + mdi, "0" + mdi},
		{"what syslog-ng can't read, in JSON", `{"MESSAGE":"Error processing log message: <36>1 2023-03-06T08:59:12Z HBDC02 CEF 4120 X>@< 0` + mdi + `"}`, "0" + mdi},
		{"what syslog-ng can't read, of another program", "Error processing log message: <14>1 2023-03-06T08:59:12Z web nginx 1 X>@< GET " + event, ""},
		{"what syslog-ng can't read, without its mark", "Error processing log message: " + event, ""},
		{"no tag", `{"ident":"nginx","message":"0` + mdi + `"}`, ""},
		{"behind a cookie", `@cee: {"msg":"` + event + `"}`, event},
		{"behind a cookie, in as many envelopes as without", `@cim:{"log":{"log":{"log":"` + event + `"}}}`, event},
		{"behind the cookie of another daemon", `@cim: {"MESSAGE":"` + event + `"}`, event},
		{"an object in the object", `{"event":{"message":"` + event + `"}}`, event},
		{"what somebody sent, beside the message", `{"message":"bad request","raw":"` + event + `"}`, ""},
		{"an event beside the message", `{"msg":"x","event":{"message":"` + event + `"}}`, ""},
		{"what was read of it, beside all of it", `{"message":"0|Microsoft","_raw":"` + event + `"}`, event},
		{"nothing in the first member, and the second", `{"message":"","event":"` + event + `"}`, event},
		{"other members in the first, and the second", `{"message":{"a":1},"log":"` + event + `"}`, event},
		{"the original, beside what was read of it", `{"message":"Network mapping","event":{"original":"` + event + `"}}`, event},
		{"the original in a member of its own", `{"event.original":"` + event + `"}`, event},
		{"an original that is no event", `{"event":{"original":"GET ` + event + `"}}`, ""},
		{"the body of OpenTelemetry", `{"body":{"stringValue":"` + event + `"}}`, event},
		{"the body of a request", `{"httpMethod":"POST","body":"` + event + `"}`, ""},
		{"the body of a request, decoded", `{"method":"POST","body":{"message":"` + event + `"}}`, ""},
		{"the body of a request in an event", `{"event":{"path":"/","body":"` + event + `"}}`, ""},
		{"what a webhook carried", `{"payload":{"message":"` + event + `"}}`, ""},
		{"what a connector of Kafka's carried", `{"schema":{"type":"string"},"payload":"` + event + `"}`, event},
		{"what QRadar carried", `{"isoTimeFormat":"yyyy","type":"Event","payload":"` + event + `"}`, event},
		{"what Kafka's REST interface carried", `{"records":[{"key":"h","value":"` + event + `"}]}`, event},
		{"a record that Kafka's REST interface gave", `[{"topic":"siem","partition":0,"offset":7,"value":"` + event + `"}]`, event},
		{"the value of somebody's key", `{"key":"User-Agent","value":"` + event + `"}`, ""},
		{"the value of somebody's key in an event", `{"event":{"key":"User-Agent","value":"` + event + `"}}`, ""},
		{"a value alone", `{"event":{"value":"` + event + `"}}`, ""},
		{"a payload in a schema of a database", `{"schema":"public","payload":"` + event + `"}`, ""},
		{"the value of somebody's field", `{"event":{"name":"User-Agent","value":"` + event + `"}}`, ""},
		{"a whole log in an alert", `{"rule":{"level":3},"full_log":"Mar  6 08:59:12 HBDC02 ` + event + `"}`, event},
		{"a message that was read as an object", `{"insertId":"7","jsonPayload":{"message":"` + event + `"}}`, event},
		{"a tag that was read with its header", `{"process":{"program":"CEF"},"message":"0` + mdi + `"}`, "0" + mdi},
		{"what a program answered", `{"result":"` + event + `"}`, ""},
		{"a list with one message", `[{"message":"` + event + `"}]`, event},
		{"a list behind a time", `[1678093152.044, {"log":"` + event + `"}]`, event},
		{"a list with two messages", `[{"log":"` + event + `"},{"log":"` + event + `"}]`, ""},
		{"records", `{"records":[{"message":"` + event + `"}]}`, event},
		{"a row of a text log of Azure Monitor's", `{"records":[{"TimeGenerated":"2023-03-06T09:00:00Z","RawData":"<36>Mar  6 08:59:12 HBDC02 ` + event + `"}]}`, event},
		{"a result of a search", `{"preview":false,"result":{"_raw":"` + event + `"}}`, event},
		{"an empty list", `[]`, ""},
		{"three in each other", `{"log":{"event":{"message":"` + event + `"}}}`, event},
		{"four in each other", `{"log":{"log":{"event":{"message":"` + event + `"}}}}`, ""},
		{"a string", `"` + event + `"`, event},
		{"an object of texts as they are", `{"host":"h","message":"` + event + ` suser=H\nfalk cs1=https\://x"}`, event + ` suser=H\nfalk cs1=https\://x`},
		{"an object of texts as they are, with marks", `{"message":"` + event + ` cs1=https\://x cs2=\"a\""}`, event + ` cs1=https\://x cs2="a"`},
		{"an object of two messages as they are", `{"message":"` + event + ` cs1=https\://x\n` + event + ` cs1=https\://y"}`, ""},
		{"two messages in quotation marks as they are", `"` + event + ` cs1=https\://x","` + event + `"`, ""},
		{"a count without a number", "message repeated  times: [" + event + "]", ""},
		{"an object of texts as they are, cut", `{"message":"` + event + ` cs1=https\://x`, ""},
		{"a message in quotation marks as it is", `"` + event + ` cs1=https\://x"`, event + ` cs1=https\://x`},
		{"a message in quotation marks as it is, cut", `"` + event + ` cs1=https\://x`, ""},
		{"a text in quotation marks", `"GET ` + event + ` cs1=https\://x"`, ""},
		{"a string that is cut", `"` + event, ""},
		{"text before the event", `{"message":"GET ` + event + `"}`, ""},
		{"another member", `{"request":"` + event + `"}`, ""},
		{"two events", `{"message":"` + event + `\n` + event + `"}`, ""},
		{"a message that was repeated", `message repeated 12 times: [ ` + event + `]`, event},
		{"a message that was repeated, behind its tag", `CEF: message repeated 2 times: [0` + mdi + `]`, "0" + mdi},
		{"a message that was repeated, behind its tag, with a blank", `CEF: message repeated 2 times: [ 0` + mdi + `]`, "0" + mdi},
		{"a message that was repeated, without a tag", `message repeated 2 times: [0` + mdi + `]`, ""},
		{"a message that was repeated, cut", `message repeated 2 times: [` + event, ""},
		{"a message that was repeated, another's", `message repeated 2 times: [ GET ` + event + `]`, ""},
		{"a message that was repeated, with no count", `message repeated many times: [` + event + `]`, ""},
		{"no object", event, ""},
		{"an object of another kind", `{"message":"started"}`, ""},
		{"nested deeply", strings.Repeat(`{"log":`, 9999) + `"|MCAS|"`, ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, ok := syslog.Unwrap([]byte(tt.content), time.Time{}, nil)
			if string(got) != tt.want && ok || ok != (tt.want != "") {
				t.Errorf("Unwrap(%.200q) = %q, %v, want %q", tt.content, got, ok, tt.want)
			}
		})
	}
}

// TestUnwrapObjects: an object of a service's own may be what the envelope has in it.
func TestUnwrapObjects(t *testing.T) {
	const object = `{"id":"7","of":"us"}`
	quoted := strings.ReplaceAll(object, `"`, `\"`)
	own := func(b []byte) bool { return string(b) == object }
	for _, tt := range []struct{ name, content, want string }{
		{"the object itself is no envelope", object, ""},
		{"a member", `{"time":1,"event":` + object + `}`, object},
		{"the text of a member", `{"message":"` + quoted + `"}`, object},
		{"the text of a member with its line end", `{"log":"` + quoted + `\n"}`, object},
		{"behind a header", `{"_raw":"<14>Mar  6 08:59:12 graph ` + quoted + `"}`, object},
		{"behind a cookie", `@cee: ` + object, object},
		{"a string", `"` + quoted + `"`, object},
		{"a list with one", `[` + object + `]`, object},
		{"a list with two", `[` + object + `,` + object + `]`, ""},
		{"what somebody sent", `{"request":` + object + `}`, ""},
		{"text before it", `{"message":"POST ` + quoted + `"}`, ""},
		{"somebody else's", `{"event":{"id":"7"}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, ok := syslog.Unwrap([]byte(tt.content), time.Time{}, own)
			if string(got) != tt.want && ok || ok != (tt.want != "") {
				t.Errorf("Unwrap(%q) = %q, %v, want %q", tt.content, got, ok, tt.want)
			}
		})
	}
}
