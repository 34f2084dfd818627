package personkey

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestAKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Ensure(dir)
	if err != nil || again.Check() != first.Check() || again.Person("+12025550142") != first.Person("+12025550142") {
		t.Errorf("another key after a restart: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	other, err := Ensure(t.TempDir())
	if err != nil || other.Check() == first.Check() || len(other.Person("+12025550142")) != 32 || other.Person("+12025550142") == other.Person("+12025550143") {
		t.Errorf("names of persons are not their own: %v", err)
	}
}
