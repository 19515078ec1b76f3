package render

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheShippedTableHasTheColumns: config/sentinel/table.sh declares each column of the format with its type. What a
// rule doesn't declare, the service drops without a word.
func TestTheShippedTableHasTheColumns(t *testing.T) {
	out, err := exec.Command("sh", "../../config/sentinel/table.sh", "columns").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, typ, _ := strings.Cut(strings.TrimSpace(line), "=")
		got[name] = typ
	}
	data, err := os.ReadFile("testdata/schema/sentinel_table.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct {
			Ref   string `json:"$ref"`
			Type  string
			Const *bool
		}
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for name, p := range schema.Properties {
		switch {
		case strings.HasSuffix(p.Ref, "/datetime"):
			want[name] = "datetime"
		case p.Ref != "":
			want[name] = "string"
		case p.Const != nil:
			want[name] = "boolean"
		case p.Type == "integer":
			want[name] = "int"
		case p.Type == "number":
			want[name] = "real"
		case p.Type == "array":
			want[name] = "dynamic"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-format +table.sh):\n%s", diff)
	}
}
