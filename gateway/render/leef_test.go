package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-siem/sluice/formats/leef"
)

// FuzzAppendLEEF: what is rendered is read back, every value in its own place.
func FuzzAppendLEEF(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, e := range entries(raw) {
			for _, format := range []string{"leef1", "leef2"} {
				text, err := rendered(format, nil, &e, 0)
				if err != nil {
					t.Fatal(err)
				}
				want := lineOf(t, &e).leef("1.0", '\t')
				if format == "leef2" {
					want = lineOf(t, &e).leef("2.0", '^')
				}
				separated := string(rune(want.Delimiter))
				if !oneLine(bytes.ReplaceAll(text, []byte("\t"), nil)) || format == "leef2" && bytes.Contains(text, []byte("\t")) {
					t.Errorf("not one clean line: %q", text)
				}
				got, err := leef.Parse(string(text))
				if err != nil {
					t.Fatalf("Parse(%q): %v", text, err)
				}
				blank := strings.NewReplacer("\n", " ", "\r", " ", separated, " ")
				want.ID = strings.NewReplacer("\n", " ", "\r", " ", "|", " ").Replace(everyByte(asCEF, want.ID))
				kept := want.Attributes[:0]
				for _, a := range want.Attributes {
					if a.Value = blank.Replace(everyByte(asCEF, a.Value)); a.Value != "" {
						kept = append(kept, a)
					}
				}
				want.Attributes = kept
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("Parse(%q) (-want +got):\n%s", text, diff)
				}
			}
		}
	})
}
