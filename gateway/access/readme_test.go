package access_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/gateway/access"
)

var update = flag.Bool("update", false, "rewrite the table in README.md")

// TestTheReadmeHasTheTable: what people read is what decides.
func TestTheReadmeHasTheTable(t *testing.T) {
	const file, begin, end = "../../README.md", "-update writes it -->\n", "<!-- end of the table -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatal("README.md has no place for the table")
	}
	if have == access.Table() {
		return
	}
	if !*update {
		t.Fatalf("README.md has\n%s\nwant\n%s", have, access.Table())
	}
	if err := os.WriteFile(file, []byte(before+begin+access.Table()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
