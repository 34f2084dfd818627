package bus

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// durable is what Embedded.SyncAlways promises: what is acknowledged to us is on
// the disk before anybody is told. It is nil where somebody else promises it, or
// nobody: at a remote server, and with SyncAlways off.
type durable map[string]*flusher

// jetStreamDir is where nats-server keeps everything. Beside it may be what is
// not ours, such as the lost+found of a volume, which we may not read.
func (e Embedded) jetStreamDir() string { return filepath.Join(e.Dir, "jetstream") }

// streamsDir is where it keeps the streams of its global account.
func (e Embedded) streamsDir() string { return filepath.Join(e.jetStreamDir(), "$G", "streams") }

// makeDurable begins to keep the promise. The streams are there by now.
func (b *Bus) makeDurable() error {
	if !b.Embedded() || !b.config.Embedded.SyncAlways {
		return nil
	}
	if err := syncTree(b.config.Embedded.jetStreamDir()); err != nil {
		return err
	}
	b.durable = durable{}
	for _, name := range []string{"requests", "ledger", "results"} {
		f, err := newFlusher(filepath.Join(b.config.Embedded.streamsDir(), b.stream(name), "msgs"))
		if err != nil {
			return err
		}
		b.durable[name] = f
	}
	return nil
}

// flush returns when all that a stream has acknowledged before is on the disk.
func (d durable) flush(ctx context.Context, stream string) error {
	if d == nil {
		return nil
	}
	return d[stream].flush(ctx)
}

// err says why nothing can be promised any more, or nil.
func (d durable) err() error {
	for _, f := range d {
		if err := f.err(); err != nil {
			return err
		}
	}
	return nil
}

// syncTree flushes every file below dir, and that it is there: the definitions
// of streams and consumers, which the server writes without a flush.
func syncTree(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be flushed there, and NTFS keeps a journal of names
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("flush the store: %w", err)
		}
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("flush the store: %w", err)
		}
		defer file.Close()
		if err := file.Sync(); err != nil {
			return fmt.Errorf("flush the store: %w", err)
		}
		return nil
	})
}
