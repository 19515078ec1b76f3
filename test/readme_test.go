package test

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdReadme writes the README's code block that has a text, the first one, to a file, with other texts replaced.
//
//	readme FILE TEXT [OLD NEW]...
func cmdReadme(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args)%2 != 0 {
		ts.Fatalf("usage: readme FILE TEXT [OLD NEW]...")
	}
	data, err := os.ReadFile("../README.md")
	ts.Check(err)
	for i, block := range strings.Split(string(data), "\n```") {
		if _, code, _ := strings.Cut(block, "\n"); i%2 == 1 && strings.Contains(code, args[1]) {
			code = strings.NewReplacer(args[2:]...).Replace(code) + "\n"
			ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(code), 0o666))
			return
		}
	}
	ts.Fatalf("no code block of README.md has %q", args[1])
}
