package flush_test

import (
	"os"
	"path/filepath"
	"testing"

	"callbridge/bus/flush"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, content := range []string{"first", "second, and longer"} {
		if err := flush.Replace(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("got %q, error %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, error %v", info, err)
	}
	// A directory cannot be replaced by a file.
	if err := flush.Replace(dir, []byte("third")); err == nil {
		t.Error("a directory was replaced")
	}
	for _, where := range []string{dir, filepath.Dir(dir)} {
		if left, _ := filepath.Glob(filepath.Join(where, "*.*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
