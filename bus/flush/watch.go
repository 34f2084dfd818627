package flush

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Watch finds block files that nats-server has rewritten, and flushes them.
// nats-server writes a block that is mostly deleted messages to a temporary file and
// renames that one over the block, without a flush. On a file system with a journal the
// next flush of any other file can put the rename on the disk before the data: a power
// cut then leaves an empty block. A rewritten block is another file under a known name.
type Watch struct {
	// Sync is (*os.File).Sync. Tests replace it before the first Check.
	Sync func(*os.File) error

	mu        sync.Mutex
	dirs      []*blocks
	rewritten uint64
}

// blocks are the block files of one directory as of its last scan.
type blocks struct {
	dir     string
	files   map[string]fs.FileInfo
	changed time.Time // of the directory
	scanned time.Time
}

// NewWatch makes a Watch over directories with block files.
func NewWatch(dirs ...string) *Watch {
	w := &Watch{Sync: (*os.File).Sync}
	for _, dir := range dirs {
		w.dirs = append(w.dirs, &blocks{dir: dir})
	}
	return w
}

// Rewritten is the number of rewritten blocks that were found.
func (w *Watch) Rewritten() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rewritten
}

// Check looks for rewritten blocks and flushes them. A directory that has not changed
// costs one system call.
func (w *Watch) Check() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.dirs {
		replaced, err := b.scan()
		if err == nil && len(replaced) > 0 {
			w.rewritten += uint64(len(replaced))
			err = w.flush(b.dir, replaced)
		}
		if err != nil {
			return fmt.Errorf("flush rewritten blocks: %w", err)
		}
	}
	return nil
}

// scan returns the paths that are another file than at the last scan.
func (b *blocks) scan() (replaced []string, err error) {
	info, err := os.Stat(b.dir)
	if errors.Is(err, fs.ErrNotExist) {
		b.files = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if changed := info.ModTime(); b.files != nil && changed.Equal(b.changed) && b.scanned.Sub(changed) > resolution(changed) {
		return nil, nil
	}
	b.changed, b.scanned = info.ModTime(), time.Now()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string]fs.FileInfo, len(entries))
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".blk") {
			continue
		}
		file, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[e.Name()] = file
		if known, ok := b.files[e.Name()]; ok && !os.SameFile(known, file) {
			replaced = append(replaced, filepath.Join(b.dir, e.Name()))
		}
	}
	b.files = files
	return replaced, nil
}

// resolution bounds how much later than a change of a directory another one can have
// the same time of change.
func resolution(changed time.Time) time.Duration {
	if changed.Nanosecond() == 0 {
		return 2 * time.Second // a file system that keeps whole seconds
	}
	return 20 * time.Millisecond // the kernel's clock tick
}

func (w *Watch) flush(dir string, paths []string) error {
	for _, path := range paths {
		// Windows flushes only files that are open for writing.
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(w.Sync(file), file.Close()); err != nil {
			return err
		}
	}
	return syncDir(dir, w.Sync)
}
