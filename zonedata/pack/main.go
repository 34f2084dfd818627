// Command pack writes the compiled zones of a time zone database into one archive, for
// package zonedata. update.sh runs it on the files of Debian's package tzdata:
//
//	pack usr/share/zoneinfo "2026f 2026-10-27 tzdata_2026f-0+deb12u1_all.deb sha256:…" > zoneinfo.zip
//
// The same files give the same archive, byte by byte.
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack DIRECTORY SOURCE > zoneinfo.zip")
		os.Exit(2)
	}
	if err := pack(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pack writes every zone below dir, sorted by name. The comment of the archive says
// where the files are from.
func pack(w io.Writer, dir, source string) error {
	archive := zip.NewWriter(w)
	if err := archive.SetComment(source); err != nil {
		return fmt.Errorf("write the source: %w", err)
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if isCopy(name) {
				return fs.SkipDir
			}
			return nil
		}
		return add(archive, name, path)
	})
	if err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	return archive.Close()
}

// isCopy reports whether a directory has all zones once more: without leap seconds, and
// with them.
func isCopy(name string) bool { return name == "posix" || name == "right" }

// magic begins every compiled zone (RFC 9636, section 3.1).
const magic = "TZif"

// add packs a file if it is a zone. Names in lower case are no zones of the database:
// localtime is the zone of the machine on which the package was made.
func add(archive *zip.Writer, name, path string) error {
	if strings.ToLower(name) == name || name == "Factory" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(content, []byte(magic)) {
		return err
	}
	file, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return err
}
