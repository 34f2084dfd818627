package flush

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// files makes files, each with its name as content.
func files(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFileThatVanishesIsNoError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files(t, dir, "a/1.blk", "a/2.blk.tmp", "b/gone/x", "c.blk")
	var flushed []string
	err := tree(dir, func(file *os.File) error {
		name, _ := filepath.Rel(dir, file.Name())
		flushed = append(flushed, name)
		switch name {
		case "a/1.blk":
			return os.Remove(filepath.Join(dir, "a/2.blk.tmp"))
		case "b":
			return os.RemoveAll(filepath.Join(dir, "b"))
		}
		return nil
	})
	if want := []string{".", "a", "a/1.blk", "b", "c.blk"}; err != nil || !slices.Equal(flushed, want) {
		t.Errorf("flushed %v, want %v; error %v", flushed, want, err)
	}
	if err := Tree(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing store: %v", err)
	}
}

func TestNamesAreFlushedUpToTheRoot(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "var", "store")
	files(t, store, "x")
	var flushed []string
	err := names(store, "", func(file *os.File) error {
		flushed = append(flushed, file.Name())
		if filepath.Base(file.Name()) == "var" {
			return syscall.EINVAL // a file system that flushes no directories
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{store, filepath.Dir(store), filepath.Dir(filepath.Dir(store)), "/"} {
		if !slices.Contains(flushed, want) {
			t.Errorf("flushed %v, and not %s", flushed, want)
		}
	}
	if err := names(store, "", func(*os.File) error { return syscall.EIO }); !errors.Is(err, syscall.EIO) {
		t.Errorf("a disk that fails: %v", err)
	}
}

func TestRewriteKeepsContentsAndReplacesFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files(t, dir, "a/1.blk", "a/1.blk.rewrite", "b")
	before, err := os.Stat(filepath.Join(dir, "a/1.blk"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Rewrite(dir); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(filepath.Join(dir, "a/1.blk"))
	if err != nil || os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("the file is the same one, or its mode has changed: %v", err)
	}
	for _, name := range []string{"a/1.blk", "b"} {
		if content, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(content) != name {
			t.Errorf("%s has %q, error %v", name, content, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a/1.blk.rewrite")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is left: %v", err)
	}
}
