package relp_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats/relp"
)

// frames returns what a Reader makes of a stream, in short, and the last error.
func frames(r io.Reader, most int) (all []string, err error) {
	in := relp.NewReader(r, most)
	for {
		f, err := in.Next()
		if err != nil {
			return all, err
		}
		text := fmt.Sprintf("%d %s %s", f.Number, f.Command, f.Data)
		if f.Cut {
			text += "…"
		}
		all = append(all, strings.TrimSuffix(text, " "))
	}
}

func TestReader(t *testing.T) {
	tests := []struct {
		name, stream string
		want         []string
		err          error
	}{
		{"nothing", "", nil, io.EOF},
		{
			"a session of librelp", "1 open 47 relp_version=0\nrelp_software=x\ncommands=syslog\n\n" + "2 syslog 9 <13>hello\n" + "3 close 0\n",
			[]string{"1 open relp_version=0\nrelp_software=x\ncommands=syslog\n", "2 syslog <13>hello", "3 close"},
			io.EOF,
		},
		{"line feeds in the data", "7 syslog 5 a\nb\n\n\n", []string{"7 syslog a\nb\n\n"}, io.EOF},
		{"a blank before no data", "0 serverclose 0 \n", []string{"0 serverclose"}, io.EOF},
		{"the greatest number", "999999999 syslog 1 x\n", []string{"999999999 syslog x"}, io.EOF},
		{"cut", "1 syslog 12 <13>too long\n2 syslog 8 <13>fits\n", []string{"1 syslog <13>too …", "2 syslog <13>fits"}, io.EOF},
		{"end in a number", "12", nil, io.ErrUnexpectedEOF},
		{"end in a command", "12 sys", nil, io.ErrUnexpectedEOF},
		{"end in the data", "1 syslog 3 abc\n2 syslog 5 abc", []string{"1 syslog abc"}, io.ErrUnexpectedEOF},
		{"end before the line feed", "1 syslog 3 abc", nil, io.ErrUnexpectedEOF},
		{"end in what is thrown away", "1 syslog 2147483648 0123456789", nil, io.ErrUnexpectedEOF},
		{"no number", "syslog 3 abc\n", nil, relp.ErrFrame},
		{"a greater number", "1000000000 syslog 3 abc\n", nil, relp.ErrFrame},
		{"negative", "-1 syslog 3 abc\n", nil, relp.ErrFrame},
		{"two blanks", "1  syslog 3 abc\n", nil, relp.ErrFrame},
		{"no letters", "1 sys_log 3 abc\n", nil, relp.ErrFrame},
		{"many letters", "1 " + strings.Repeat("x", 33) + " 3 abc\n", nil, relp.ErrFrame},
		{"as many as there may be", "1 " + strings.Repeat("x", 32) + " 0\n", []string{"1 " + strings.Repeat("x", 32)}, io.EOF},
		{"no length", "1 syslog abc\n", nil, relp.ErrFrame},
		{"an absurd length", "1 syslog 10000000000 abc\n", nil, relp.ErrFrame},
		{"no data", "1 syslog 3\n", nil, relp.ErrFrame},
		{"more data", "1 syslog 3 abcd\n", nil, relp.ErrFrame},
		{"TLS to a plain port", "\x16\x03\x01\x02\x00", nil, relp.ErrFrame},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.stream), iotest.OneByteReader(strings.NewReader(tt.stream)), iotest.DataErrReader(strings.NewReader(tt.stream))} {
				most := 50
				if tt.name == "cut" {
					most = 8
				}
				got, err := frames(r, most)
				if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
					t.Errorf("%q: %v, want %v (-want +got):\n%s", tt.stream, err, tt.err, diff)
				}
			}
		})
	}
}

func TestReaderIsBoundedWhateverIsAnnounced(t *testing.T) {
	const announced = 256 << 20
	stream := io.MultiReader(
		strings.NewReader(fmt.Sprintf("1 syslog %d ", announced)),
		io.LimitReader(zeros{}, announced),
		strings.NewReader("\n2 syslog 4 next\n3 syslog 9999999999 x"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in := relp.NewReader(stream, 64<<10)
	first, err := in.Next()
	if err != nil || len(first.Data) != 64<<10 || !first.Cut {
		t.Errorf("Next() = %d bytes, cut %t, %v; want 64 KiB, cut", len(first.Data), first.Cut, err)
	}
	second, err := in.Next()
	if err != nil || string(second.Data) != "next" {
		t.Errorf("Next() = %q, %v; want the next frame", second.Data, err)
	}
	if _, err := in.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Next() = %v, want %v", err, io.ErrUnexpectedEOF)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes were allocated, want less than 1 MiB", used)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestOffers(t *testing.T) {
	got := relp.Offers([]byte("200 OK\nrelp_version=1\r\ncommands=syslog,eventlog\nrelp_software=a=b\n\n=x\nflag"))
	want := map[string]string{
		"200 OK": "", "relp_version": "1", "commands": "syslog,eventlog", "relp_software": "a=b", "flag": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Offers (-want +got):\n%s", diff)
	}
}

// FuzzReader: no input panics or makes more of the bytes than they are, cutting them anywhere changes
// nothing, and what was read, appended again, is read as the same.
func FuzzReader(f *testing.F) {
	f.Add([]byte("1 open 47 relp_version=0\nrelp_software=x\ncommands=syslog\n\n2 syslog 9 <13>hello\n3 close 0\n"), 1)
	f.Add([]byte("0 serverclose 0 \n1 rsp 6 200 OK\n"), 3)
	f.Add([]byte("1 syslog 2147483648 0123456789"), 7)
	f.Add([]byte("1 syslog 30 <13>longer than the limit of 16\n9 syslog 0\n"), 16)
	f.Add([]byte("1 syslog 3 abcd\n"), 2)
	f.Fuzz(func(t *testing.T, stream []byte, chunk int) {
		const most = 16
		whole, end := frames(strings.NewReader(string(stream)), most)
		cut, cutEnd := frames(chunks{strings.NewReader(string(stream)), max(chunk%32, 1)}, most)
		if diff := cmp.Diff(whole, cut); diff != "" || end.Error() != cutEnd.Error() {
			t.Fatalf("in chunks: %v, whole: %v (-whole +chunks):\n%s", cutEnd, end, diff)
		}
		in := relp.NewReader(strings.NewReader(string(stream)), most)
		for {
			f, err := in.Next()
			if err != nil {
				break
			}
			if len(f.Data) > most || f.Cut && len(f.Data) != most || len(f.Data) > len(stream) {
				t.Fatalf("frame of %d bytes, cut %t, of a stream of %d", len(f.Data), f.Cut, len(stream))
			}
			again, err := relp.NewReader(strings.NewReader(string(relp.Append(nil, f.Number, f.Command, string(f.Data)))), most).Next()
			f.Cut = false
			if diff := cmp.Diff(f.Number, again.Number) + cmp.Diff(f.Command, again.Command) + cmp.Diff(string(f.Data), string(again.Data)); err != nil || diff != "" {
				t.Fatalf("read again: %v\n%s", err, diff)
			}
		}
	})
}

// chunks reads a few bytes at a time.
type chunks struct {
	r io.Reader
	n int
}

func (c chunks) Read(b []byte) (int, error) { return c.r.Read(b[:min(len(b), c.n)]) }
