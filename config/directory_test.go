package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
)

func TestAMistakeInTheDirectoryKeepsNobodyFromStarting(t *testing.T) {
	dir := t.TempDir()
	people, file := filepath.Join(dir, "people.csv"), filepath.Join(dir, "sluice.yaml")
	for name, text := range map[string]string{people: "upn,sam\nno upn,x\n", file: "organisation: {directory_file: " + people + "}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(file)
	if err != nil || c.Organisation.DirectoryFile != people {
		t.Errorf("Load = %q, %v", c.Organisation.DirectoryFile, err)
	}
	found, err := config.Machine(file) // but it is told, as nobody is known by the file
	want := fmt.Sprintf("%s:1: organisation.directory_file: on this machine: found %q: line 2: ", file, people)
	if err != nil || !strings.Contains(found.Error(), want) {
		t.Errorf("Machine = %v, %v; want %q", found, err, want)
	}
}
