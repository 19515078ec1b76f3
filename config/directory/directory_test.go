package directory_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/directory"
)

var ida = directory.Person{
	UPN: "ida.brook@hill.example", SAM: `HILL\ibrook`, Display: "Ida Brook", Department: "Sales", Title: "Head, Sales",
	Manager: "max@hill.example", Groups: []string{"Sales all", "VPN"}, Sensitive: true,
}

func TestRead(t *testing.T) {
	at := func(line int) directory.Person {
		p := ida
		p.Line = line
		return p
	}
	sam := directory.Person{Line: 3, SAM: "max"}
	const header = "upn,sam,display_name,department,title,manager,groups,sensitive\n"
	const row = `ida.brook@hill.example,HILL\ibrook,Ida Brook,Sales,"Head, Sales",max@hill.example,Sales all|VPN,yes` + "\n"
	tests := []struct {
		name, file, text string
		want             []directory.Person
		wrong            string
	}{
		{"CSV", "a.csv", header + row + ",max,,,,,,\n", []directory.Person{at(2), sam}, ""},
		{"CRLF, a mark and rows of nothing", "a", "\ufeff" + strings.ReplaceAll(header+row+"\n,,,,,,,\n", "\n", "\r\n"), []directory.Person{at(2)}, ""},
		{"semicolons, order, letter case and unknown columns", "a.txt", "SAM;Mail; UPN \nmax;m@x;\n", []directory.Person{{Line: 2, SAM: "max"}}, ""},
		{"tabs and Export-Csv", "a.csv", "#TYPE Microsoft.ActiveDirectory.Management.ADUser\n\"sam\"\t\"sensitive\"\n\"max\"\t\"False\"\n", []directory.Person{sam}, ""},
		{
			"JSON", "a.JSON", "\n [\n" + `{"upn":"ida.brook@hill.example","sam":"HILL\\ibrook","display_name":" Ida  Brook","department":"Sales","title":"Head, Sales",` +
				"\n" + `"manager":"max@hill.example","groups":["Sales all","VPN",""],"sensitive":true,"other":[1]},` + "\n" + `{"sam":"max","groups":null,"sensitive":null}]`,
			[]directory.Person{at(3), {Line: 5, SAM: "max"}},
			"",
		},
		{"NDJSON", "a.ndjson", "{\"upn\":\"ida.brook@hill.example\",\"sam\":\"HILL\\\\ibrook\",\"display_name\":\"Ida Brook\",\"department\":\"Sales\",\"title\":\"Head, Sales\"," +
			"\"manager\":\"max@hill.example\",\"groups\":\"Sales all;VPN\",\"sensitive\":\"yes\"}\n\n{\"sam\":\"max\"}\n", []directory.Person{at(1), sam}, ""},
		{"an empty table", "a.csv", header, nil, ""},
		{"an empty list", "a.json", "[]", nil, ""},

		{"nothing", "a.csv", "", nil, "line 1: found no header"},
		{"another table", "a.csv", "name,mail\na,b\n", nil, "line 1: found a header with neither upn nor sam"},
		{"a column twice", "a.csv", "upn,UPN\na@b,c@d\n", nil, "line 1: found the column upn twice"},
		{"UTF-16", "a.csv", "\xff\xfeu\x00", nil, "found UTF-16"},
		{"Latin-1", "a.csv", "upn,display_name\na@b,Zo\xeb\n", nil, "line 2: found a display_name that isn't UTF-8"},
		{"columns", "a.csv", "upn,sam\na@b,a,b\nc@d,c\ne@f\n", nil, "line 2: found 3 columns, expected 2 as in the header; line 4: found 1 columns"},
		{"quotes", "a.csv", "upn,sam\n\"a\"b@c,a\nd@e,d\n", nil, "line 2: extraneous or missing"},
		{"sensitive", "a.csv", "upn,sensitive\na@b,perhaps\n", nil, `line 2: found sensitive "perhaps"`},
		{"nobody", "a.csv", "upn,title\n,Clerk\n", nil, "line 2: found neither upn nor sam"},
		{"no UPN", "a.csv", "upn\nanna\n", nil, `line 2: found the upn "anna"`},
		{"no account", "a.csv", "sam\nanna@b\n", nil, `line 2: found the sam "anna@b"`},
		{"somebody twice", "a.csv", "upn\na@b\nc@d\nA@B\n", nil, `line 4: found the upn "A@B" again, it stands on line 2 too`},
		{"a long text", "a.csv", "upn,title\na@b," + strings.Repeat("x", 2000) + "\n", nil, "line 2: found a title of 2000 bytes"},
		{"many groups", "a.csv", "upn,groups\na@b," + strings.Repeat("x|", 300) + "\n", nil, "line 2: found 300 groups"},
		{"no object", "a.json", "[1]", nil, "line 1: found number, expected an object"},
		{"no array", "a.json", "\n\n\"x\"", nil, "line 3: expected an array of objects, or objects"},
		{"a text that should be one", "a.json", "[\n{\"upn\":7}\n]", nil, "line 2: found number for upn, expected string"},
		{"groups of another kind", "a.json", "[{\"upn\":\"a@b\",\"groups\":{}}]", nil, "line 1: expected for groups a list of texts"},
		{"no JSON", "a.ndjson", "{\"upn\":\"a@b\"}\n{\"upn\":\"c@d\"}\n{oops}\n", nil, "line 3: invalid character 'o'"},
		{"cut", "a.json", "[{\"upn\":\"a@b\"},\n{\"upn\":", nil, "line 2: the file ends within"},
		{"cut behind a comma", "a.json", "[{\"upn\":\"a@b\"}", nil, "line 1: the file ends within"},
		{"only blanks", "a.json", " \n", nil, "found nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := directory.Read(tt.file, strings.NewReader(tt.text))
			if tt.wrong == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				return
			}
			var problems directory.Errors
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("Read = %v, want %q", err, tt.wrong)
			}
		})
	}
}

func TestManyProblemsAreCutShort(t *testing.T) {
	_, err := directory.Read("a.csv", strings.NewReader("upn\n"+strings.Repeat("x\n", 100)))
	var problems directory.Errors
	if !errors.As(err, &problems) || len(problems) != 10 {
		t.Errorf("Read = %v, want ten problems", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "people.csv")
	if err := os.WriteFile(file, []byte("upn\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := directory.Load(file); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("Load = %v, want the problem of line 2", err)
	}
	if err := directory.CheckHeader(file); err != nil {
		t.Errorf("CheckHeader = %v: the header is one", err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing.csv")} {
		if _, err := directory.Load(path); err == nil || strings.Contains(err.Error(), dir) {
			t.Errorf("Load(%s) = %v, want an error without the name", path, err)
		}
		if err := directory.CheckHeader(path); err == nil {
			t.Errorf("CheckHeader(%s) = nil", path)
		}
	}
	large := filepath.Join(dir, "large.csv")
	if err := os.WriteFile(large, []byte("upn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 65<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := directory.Load(large); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("Load of 65 MiB = %v", err)
	}
}

// FuzzRead: whatever the file holds, who is read of it is somebody, and what is wrong has a line.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"upn,sam,sensitive\na@b,c,yes\n", "#TYPE x\nsam;groups\na;\"b|c\"\n", `[{"upn":"a@b","groups":["x"]}]`, "{\"sam\":\"a\"}\n{\"sam\":\"b\"}", "[", "\"", "\ufeff",
	} {
		f.Add("a.csv", s)
		f.Add("a.json", s)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		got, err := directory.Read(name, strings.NewReader(text))
		if err != nil && got != nil {
			t.Errorf("Read = %v and %v", got, err)
		}
		for _, p := range got {
			if p.UPN == "" && p.SAM == "" || p.Line < 1 || p.Line > strings.Count(text, "\n")+1 {
				t.Errorf("Read(%q) has %+v", text, p)
			}
		}
		if problems, ok := errors.AsType[directory.Errors](err); ok {
			for _, p := range problems {
				if p.Line > strings.Count(text, "\n")+1 {
					t.Errorf("Read(%q): %v", text, p)
				}
			}
		}
	})
}
