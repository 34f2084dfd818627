package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/internal/testkit"
	"callbridge/zonedata"
)

// TestTZDATAFILE: every command reads the file, and none runs with one that is no release.
func TestTZDATAFILE(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	broken := filepath.Join(directory, "broken.zip")
	if err := os.WriteFile(broken, []byte("2027a"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, want string }{
		{testkit.Path("zonedata/zoneinfo.zip"), `"zone_data":"` + zonedata.Version()},
		{broken, "read TZDATA_FILE"},
	} {
		var out bytes.Buffer
		command := exec.Command(os.Args[0], "version", "-o", "json")
		command.Env = append(os.Environ(), asCallbridge+"=1", "TZDATA_FILE="+c.file)
		command.Stdout, command.Stderr = &out, &out
		if _ = command.Run(); !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %s, want %s", c.file, &out, c.want)
		}
	}
}
