package config_test

import (
	"os"
	"path/filepath"
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
}
