// Package streamfile changes settings of a stream of the embedded NATS that
// nats-server refuses to change: it cannot switch message schedules off. The settings
// are changed in the stream's own file, before the server starts. Messages, sequences,
// timestamps and consumers stay as they are, in their own files. It belongs to package
// bus, and imports no package of this module.
package streamfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"callbridge/bus/flush"

	"github.com/minio/highwayhash"
)

// nats-server (v2.15.2, server/filestore.go, writeStreamMeta) keeps the settings of a
// stream in meta.inf as JSON, and their checksum in meta.sum. With a wrong checksum
// it starts without the stream.
const (
	metaName = "meta.inf"
	sumName  = "meta.sum"
	nextExt  = ".next"
)

// SwitchOff sets the named boolean settings of the stream in dir to false, and reports
// whether one was true. No server may have the directory open. A stream that does not
// exist is no error.
//
// A crash at any point leaves the old settings or the new ones: the new checksum is on
// the disk before the new settings take the place of the old ones, and the next call
// completes the change.
func SwitchOff(dir string, settings ...string) (changed bool, err error) {
	f := files{dir: dir, hook: func(string) {}}
	return f.switchOff(settings)
}

// files are the files of one stream. hook is called after each change on the disk; a
// test interrupts there.
type files struct {
	dir  string
	hook func(step string)
}

func (f files) switchOff(settings []string) (bool, error) {
	meta, err := os.ReadFile(f.path(metaName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read stream settings: %w", err)
	}
	completed, err := f.complete(meta)
	if err != nil {
		return false, err
	}
	next, err := without(meta, settings)
	if err != nil || bytes.Equal(next, meta) {
		return completed, err
	}
	sum := f.sum(next)
	for _, step := range []func() error{
		func() error { return f.write(sumName+nextExt, sum) },
		func() error { return f.write(metaName+nextExt, next) },
		func() error { return f.replace(metaName) },
		func() error { return f.replace(sumName) },
	} {
		if err := step(); err != nil {
			return false, fmt.Errorf("write stream settings: %w", err)
		}
	}
	return true, nil
}

// complete checks the checksum of the settings. If an earlier change was interrupted
// between its two files, it puts the new checksum in place.
func (f files) complete(meta []byte) (completed bool, err error) {
	sum, err := os.ReadFile(f.path(sumName))
	if err != nil {
		return false, fmt.Errorf("read checksum of stream settings: %w", err)
	}
	want := f.sum(meta)
	if bytes.Equal(sum, want) {
		return false, nil
	}
	next, err := os.ReadFile(f.path(sumName + nextExt))
	if err != nil || !bytes.Equal(next, want) {
		return false, fmt.Errorf("%s is damaged: its checksum in %s is wrong; restore the directory of the embedded NATS from a backup", f.path(metaName), sumName)
	}
	if err := f.replace(sumName); err != nil {
		return false, fmt.Errorf("write stream settings: %w", err)
	}
	return true, nil
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

// sum is nats-server's checksum; its key is the name of the stream.
func (f files) sum(meta []byte) []byte {
	key := sha256.Sum256([]byte(filepath.Base(f.dir)))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		panic(err) // only for a key of another length
	}
	_, _ = hash.Write(meta)
	return []byte(hex.EncodeToString(hash.Sum(nil)))
}

// without returns the settings with the named ones set to false. It keeps the bytes if
// none is true.
func without(meta []byte, settings []string) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(meta, &all); err != nil {
		return nil, fmt.Errorf("decode stream settings: %w", err)
	}
	changed := false
	for _, name := range settings {
		if string(all[name]) == "true" {
			all[name], changed = json.RawMessage("false"), true
		}
	}
	if !changed {
		return meta, nil
	}
	return json.Marshal(all)
}

func (f files) write(name string, content []byte) error {
	file, err := os.OpenFile(f.path(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close(), flush.Dir(f.dir))
	f.hook("written " + name)
	return err
}

// replace puts the new version of a file into its place.
func (f files) replace(name string) error {
	if err := os.Rename(f.path(name+nextExt), f.path(name)); err != nil {
		return err
	}
	err := flush.Dir(f.dir)
	f.hook("replaced " + name)
	return err
}
