package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"Europe/Berlin": "TZif2 berlin", "UTC": "TZif2 utc", "GMT+0": "TZif2 gmt",
		"localtime": "TZif2 of the machine", "Factory": "TZif2", "tzdata.zi": "# version 2026f", "Europe/README": "text",
		"posix/Europe/Berlin": "TZif2", "right/Europe/Berlin": "TZif2",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("Europe/Berlin", filepath.Join(dir, "Berlin")); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := pack(out, dir, "2026f 2026-10-27"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same files give another archive")
	}
	archive, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	if want := []string{"Berlin", "Europe/Berlin", "GMT+0", "UTC"}; !slices.Equal(names, want) || archive.Comment != "2026f 2026-10-27" {
		t.Errorf("%v (%s), want %v", names, archive.Comment, want)
	}
	if err := pack(&first, filepath.Join(dir, "missing"), ""); err == nil {
		t.Error("a directory that is missing is no error")
	}
}
