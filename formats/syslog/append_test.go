package syslog_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/sluice-siem/sluice/formats/syslog"
)

func TestAppend(t *testing.T) {
	at := time.Date(2023, 3, 6, 9, 59, 12, 44567891, time.FixedZone("", 3600))
	tests := []struct {
		name          string
		h             syslog.Header
		body          string
		want5, want31 string
	}{
		{
			"whole",
			syslog.Header{36, at, "gw1", "sluice", "7", "alert", nil},
			"CEF:0|a",
			"<36>1 2023-03-06T08:59:12.044567Z gw1 sluice 7 alert - CEF:0|a", "<36>Mar  6 08:59:12 gw1 sluice[7]: CEF:0|a",
		},
		{
			"event for a tag",
			syslog.Header{Priority: 36, Time: at, Host: "gw1"},
			"CEF:0|a",
			"<36>1 2023-03-06T08:59:12.044567Z gw1 - - - - CEF:0|a", "<36>Mar  6 08:59:12 gw1 CEF:0|a",
		},
		{
			"nothing can be forged",
			syslog.Header{-1, at, "a b\n<1>", "x: y]", "1]", "é", []syslog.Param{{"a =]", "x\"\\]\n<1>é"}, {"none", ""}, {"b", "]"}}},
			"one\r\n<36>two\x00",
			"<13>1 2023-03-06T08:59:12.044567Z a_b_<1> x:_y] 1] __ [sluice@32473 a___=\"x\\\"\\\\\\]_<1>__\" b=\"\\]\"] one  <36>two ", "<13>Mar  6 08:59:12 a_b_<1> x__y_[1_]: one  <36>two ",
		},
		{
			"too long",
			syslog.Header{999, at, strings.Repeat("h", 300), strings.Repeat("a", 60), strings.Repeat("p", 200), strings.Repeat("m", 40), nil},
			"",
			"<13>1 2023-03-06T08:59:12.044567Z " + strings.Repeat("h", 255) + " " + strings.Repeat("a", 48) + " " + strings.Repeat("p", 128) + " " + strings.Repeat("m", 32) + " - ",
			"<13>Mar  6 08:59:12 " + strings.Repeat("h", 255) + " " + strings.Repeat("a", 32) + "[" + strings.Repeat("p", 32) + "]: ",
		},
	}
	for _, tt := range tests {
		if got := string(syslog.AppendRFC5424(nil, tt.h, []byte(tt.body))); got != tt.want5 {
			t.Errorf("%s: AppendRFC5424 = %q, want %q", tt.name, got, tt.want5)
		}
		if got := string(syslog.AppendRFC3164(nil, tt.h, []byte(tt.body))); got != tt.want31 {
			t.Errorf("%s: AppendRFC3164 = %q, want %q", tt.name, got, tt.want31)
		}
	}
	if got := string(syslog.AppendRFC5424(nil, syslog.Header{}, nil)); got != "<0>1 - - - - - - " {
		t.Errorf("empty header: %q", got)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("gw", "sluice", "1", "m", []byte("CEF:0|a\n<1>b"))
	f.Add("", "[", "]", " ", []byte("\ufeff-"))
	f.Fuzz(func(t *testing.T, host, app, proc, id string, body []byte) {
		h := syslog.Header{Priority: 36, Time: time.Date(2023, 3, 6, 0, 0, 0, 0, time.UTC), Host: host, App: app, Proc: proc, MsgID: id, Data: []syslog.Param{{Name: "host", Value: host}, {Name: "id", Value: string(body)}}}
		line := syslog.AppendRFC5424(nil, h, body)
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line end in %q", line)
		}
		if _, err := rfc5424.NewMachine().Parse(line); err != nil {
			t.Fatalf("the library refuses %q: %v", line, err)
		}
		line = syslog.AppendRFC3164(nil, h, body)
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line end in %q", line)
		}
		if m, err := syslog.Parse(line, h.Time); err != nil || m.Priority != 36 {
			t.Fatalf("Parse(%q) = %+v, %v", line, m, err)
		}
	})
}

func TestTimesAreWrittenAsTheTimePackageDoes(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2024, 2, 29, 23, 59, 59, 999_999_999, time.FixedZone("", 5*3600)), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(0, 10, 5, 0, 0, 0, 0, time.UTC),
	} {
		want := "<36>1 " + at.UTC().Format("2006-01-02T15:04:05.000000Z") + " - - - - - "
		if got := string(syslog.AppendRFC5424(nil, syslog.Header{Priority: 36, Time: at}, nil)); got != want {
			t.Errorf("AppendRFC5424 = %q, want %q", got, want)
		}
	}
}
