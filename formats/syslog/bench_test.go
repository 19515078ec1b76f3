package syslog_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/formats/syslog"
)

// BenchmarkParse reads the headers that the services write, and those that go-syslog reads itself.
func BenchmarkParse(b *testing.B) {
	const event = "CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_LOGIN|Log on|0|"
	body := event + strings.Repeat("msg=Log on suser=ida.brook@harbour.example ", 12)
	received := time.Date(2023, 3, 6, 9, 0, 0, 0, time.UTC)
	for _, bb := range []struct{ name, line string }{
		{"agent", "2023-03-06T08:59:12.044Z hb-agent " + body},
		{"sensor", "<36>1 2023-03-06T08:59:12.044567+00:00 HBDC02 CEF 3388 PassTheTicketSecurityAlert " + strings.TrimPrefix(body, "CEF:")},
		{"rfc5424", "<36>1 2023-03-06T08:59:12.044567Z HBDC02 CEF 3388 PassTheTicketSecurityAlert - " + body},
		{"rfc3164", "<36>Mar  6 08:59:12 HBDC02 " + body},
	} {
		line := []byte(bb.line)
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if m, err := syslog.Parse(line, received); err != nil || m.Host == "" {
					b.Fatal(m, err)
				}
			}
		})
	}
}

// BenchmarkSplitter cuts a stream into lines of 600 bytes; an op is one line.
func BenchmarkSplitter(b *testing.B) {
	text := bytes.Repeat(append(bytes.Repeat([]byte("a"), 599), '\n'), 1000)
	b.SetBytes(600)
	b.ReportAllocs()
	s := syslog.NewSplitter(bytes.NewReader(nil), 64<<10)
	for i := 0; b.Loop(); i++ {
		if i%1000 == 0 {
			s = syslog.NewSplitter(bytes.NewReader(text), 64<<10)
		}
		if _, _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
