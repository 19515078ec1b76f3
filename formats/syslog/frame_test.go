package syslog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats/syslog"
)

// frames returns what a Splitter makes of a stream, cut ones with an ellipsis, and the last error.
func frames(r io.Reader, most int) (all []string, err error) {
	s := syslog.NewSplitter(r, most)
	for {
		frame, truncated, err := s.Next()
		if err != nil {
			return all, err
		}
		text := string(frame)
		if truncated {
			text += "…"
		}
		all = append(all, text)
	}
}

func counted(s string) string { return fmt.Sprintf("%d %s", len(s), s) }

// short is counted by who takes characters for bytes.
func short(s string) string { return fmt.Sprintf("%d %s", utf8.RuneCountInString(s), s) }

func TestSplitterTellsFramingsApart(t *testing.T) {
	const a, b, agent = "<36>1 first message", "<36>Mar  6 second", "2023-03-06T08:59:12.044Z hb-agent CEF:0|MCAS"
	const versioned = "1 2023-03-06T08:59:12Z HBDC02 CEF 1 X 0|Microsoft"
	tests := []struct {
		name, stream string
		want         []string
	}{
		{"line feeds", a + "\n" + agent + "\n" + versioned + "\n", []string{a, agent, versioned}},
		{"carriage returns are kept", a + "\r\n\r\n" + b + "\r\n", []string{a + "\r", b + "\r"}},
		{"nul", a + "\x00" + b + "\x00\x00", []string{a, b}},
		{"counted", counted(a) + counted(agent) + counted(versioned), []string{a, agent, versioned}},
		{"counted, with line feeds within and between", counted(a+"\nmore\n") + "\n" + counted(b) + "\n", []string{a + "\nmore\n", b}},
		{"counted text behind a counted message", counted(a) + counted("ok") + counted("plain text"), []string{a, "ok", "plain text"}},
		{"mixed", a + "\n" + counted(b) + agent + "\n" + counted("{\"id\": 1 }") + versioned + "\x00" + counted(versioned) + b, []string{a, b, agent, "{\"id\": 1 }", versioned, versioned, b}},
		{"number and text are a line", "404 not found\n12 monkeys\n" + a + "\n", []string{"404 not found", "12 monkeys", a}},
		{"small counts are lines", "5 <1>ab\n9 <36>1 xx\n", []string{"5 <1>ab", "9 <36>1 xx"}},
		{"absurd counts are lines", "99999999999 " + a + "\n1073741825 " + b + "\n" + a + "\n", []string{"99999999999 " + a, "1073741825 " + b, a}},
		{"end without delimiter", a + "\n" + b, []string{a, b}},
		{"end within a counted message", "100 " + a, []string{a + "…"}},
		{"end within a count", a + "\n12", []string{a, "12"}},
		{"counted in characters", short("<36>1 Müller") + short("<36>1 łódź 7") + short("<36>1 end, and so on"), []string{"<36>1 Mülle", "r…", "<36>1 łód\xc5", "\xba 7…", "<36>1 end, and so on"}},
		{"counted in characters, with line feeds", short("<36>1 Müller") + "\n" + counted(a), []string{"<36>1 Mülle", "r", a}},
		{"counted in bytes, and other text behind", counted("<36>1 Müller") + "1 or 2" + counted(a), []string{"<36>1 Müller", "1 or 2" + counted(a)}},
		{"counted in bytes, and a line like a count later", counted("<36>1 Müller") + "\nabc\nx" + counted(a), []string{"<36>1 Müller", "abc", "x" + counted(a)}},
		{"nothing", "", nil},
		{"delimiters only", "\n\r\n\x00\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.stream), iotest.OneByteReader(strings.NewReader(tt.stream)), iotest.DataErrReader(strings.NewReader(tt.stream))} {
				got, err := frames(r, 200)
				if diff := cmp.Diff(tt.want, got); !errors.Is(err, io.EOF) || diff != "" {
					t.Errorf("%q: %v (-want +got):\n%s", tt.stream, err, diff)
				}
			}
		})
	}
}

func TestSplitterCutsLongMessages(t *testing.T) {
	long := "<36>" + strings.Repeat("x", 5000)
	for name, stream := range map[string]string{
		"line": long + "\n<36>next\n", "nul": long + "\x00<36>next\x00", "counted": counted(long) + counted("<36>next xx")[:3] + "<36>next",
		"line in a counted stream": counted("<36>1 abcdef") + long + "\n" + counted("<36>next message")[:3] + "<36>next",
	} {
		for _, r := range []io.Reader{strings.NewReader(stream), iotest.OneByteReader(strings.NewReader(stream))} {
			got, _ := frames(r, 100)
			if len(got) < 2 || got[len(got)-2] != long[:100]+"…" || !strings.HasPrefix(got[len(got)-1], "<36>next") {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	exact := strings.Repeat("y", 100)
	if got, _ := frames(strings.NewReader(exact+"\n"+exact+"z\n"), 100); len(got) != 2 || got[0] != exact || got[1] != exact+"…" {
		t.Errorf("around the limit: %q", got)
	}
}

func TestSplitterReportsABrokenStream(t *testing.T) {
	broken := errors.New("reset")
	got, err := frames(io.MultiReader(strings.NewReader("<1>a\n<1>b"), iotest.ErrReader(broken)), 100)
	if diff := cmp.Diff([]string{"<1>a", "<1>b…"}, got); !errors.Is(err, broken) || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := frames(stuck{}, 100); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that returns nothing: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestSplitterHoldsNoMoreThanOneMessage(t *testing.T) {
	endless := io.LimitReader(xs{}, 8<<20)
	for name, r := range map[string]io.Reader{"line": endless, "counted": io.MultiReader(strings.NewReader("900000000 <36>"), io.LimitReader(xs{}, 8<<20))} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := syslog.NewSplitter(r, 64<<10)
		for {
			if _, _, err := s.Next(); err != nil {
				break
			}
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a message of 8 MiB", name, grown)
		}
	}
}

type xs struct{}

func (xs) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestDatagram(t *testing.T) {
	if got := string(syslog.Datagram([]byte("<36>a\nb \r\n\x00\n"))); got != "<36>a\nb " {
		t.Errorf("Datagram = %q", got)
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("11 <36>1 Müller11 <36>1 Müller"), uint8(3), uint8(9))
	f.Add([]byte("<36>1 a\n20 <36>1 abcdefghijklmno<1>\x00\r\n1 2023-03-06T"), uint8(3), uint8(10))
	f.Add([]byte("12 {234567890123 <13>x"), uint8(1), uint8(200))
	f.Add([]byte("1073741824 <1>\n\n"), uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, chunk, most uint8) {
		want, err := frames(bytes.NewReader(stream), int(most)+1)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		got, err := frames(&chunks{stream, int(chunk) + 1}, int(most)+1)
		if diff := cmp.Diff(want, got); !errors.Is(err, io.EOF) || diff != "" {
			t.Fatalf("%q in chunks of %d: %v (-whole +chunks):\n%s", stream, int(chunk)+1, err, diff)
		}
		total := 0
		for _, frame := range got {
			total += len(strings.TrimSuffix(frame, "…"))
			if len(strings.TrimSuffix(frame, "…")) > int(most)+1 || frame == "" {
				t.Fatalf("frame %q", frame)
			}
		}
		if total > len(stream) {
			t.Fatalf("%d bytes from %d", total, len(stream))
		}
	})
}

// chunks reads at most n bytes at a time.
type chunks struct {
	b []byte
	n int
}

func (c *chunks) Read(b []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), c.n)], c.b)
	c.b = c.b[n:]
	return n, nil
}
