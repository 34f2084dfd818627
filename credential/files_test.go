package credential_test

import (
	"os"
	"path/filepath"
	"testing"

	"callbridge/credential"
)

func TestFileThatCannotBeUsedKeepsWhatWasRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (credential.Files{}).Read(path, nil); err == nil {
		t.Error("a missing file is read")
	}
	write(" \n")
	if _, err := (credential.Files{}).Read(path, nil); err == nil {
		t.Error("an empty file is read")
	}
	write("first\n")
	first := credential.Files{}
	if got, err := first.Read(path, nil); err != nil || string(got) != "first\n" {
		t.Fatalf("read %q, %v", got, err)
	}
	for name, spoil := range map[string]func(){"empty": func() { write("") }, "missing": func() { _ = os.Remove(path) }} {
		spoil()
		next := credential.Files{}
		if got, err := next.Read(path, first); err != nil || string(got) != "first\n" || string(next[path]) != "first\n" {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
	}
	write("second\n")
	next := credential.Files{}
	if got, err := next.Read(path, first); err != nil || string(got) != "second\n" || len(next.Paths()) != 1 {
		t.Errorf("read %q, %v", got, err)
	}
}
