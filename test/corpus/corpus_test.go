// Package corpus makes the labelled traffic on which recognition is judged: made-up organisations,
// with the truth beside every line. README.md says what is in it.
package corpus

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the corpora anew")

// TestFilesAreGenerated: the files beside this test are what the generator makes, so that nobody mends
// a line or a truth by hand.
func TestFilesAreGenerated(t *testing.T) {
	for name, b := range corpora() {
		log, arrivals, truths := b.write()
		for file, want := range map[string][]byte{
			name + ".log": log, name + ".arrivals": arrivals, name + ".truth.jsonl": truths, name + ".yaml": b.config(),
		} {
			if *update {
				if err := os.WriteFile(file, want, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the generator makes; go test ./test/corpus -update writes it anew", file)
			}
		}
	}
}
