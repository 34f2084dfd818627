package bus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// flusher brings what one stream of the embedded server has acknowledged to the
// disk. nats-server's own sync_always flushes each message by itself, one after
// the other; here all that were acknowledged while a flush was going on share
// the next one (docs/decisions/0008-flush.md).
//
// It relies on how nats-server keeps a stream: an acknowledged message has been
// written to the newest of the files 1.blk, 2.blk, … in its folder. A test holds
// that against the server; what it does not find here is an error, never a yes.
type flusher struct {
	dir string
	// sync is (*os.File).Sync, but in tests.
	sync func(*os.File) error

	mu sync.Mutex
	// next is what is waiting for the flush after the one that is going on.
	next            *flush
	running, closed bool
	// failed is why nothing can be promised any more: after a failed fsync the
	// kernel may have dropped what it could not write, and says so only once.
	failed error

	// The block that is written, for the flush that is going on only.
	block int
	file  *os.File
}

// flush is one flush and those who wait for it.
type flush struct {
	done chan struct{}
	err  error
}

// newFlusher begins with the newest block that the folder has now: what is
// acknowledged from here on is in it or in later ones.
func newFlusher(dir string) (*flusher, error) {
	f := &flusher{dir: dir, sync: (*os.File).Sync}
	blocks, err := f.blocks()
	if len(blocks) > 0 {
		f.block = blocks[len(blocks)-1] - 1
	}
	return f, err
}

// flush returns when everything that was acknowledged before the call is on the
// disk. With an error, it may not be.
func (f *flusher) flush(ctx context.Context) error {
	f.mu.Lock()
	if f.failed != nil {
		f.mu.Unlock()
		return f.failed
	}
	if f.next == nil {
		f.next = &flush{done: make(chan struct{})}
	}
	mine := f.next
	if !f.running {
		f.running = true
		go f.run()
	}
	f.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return fmt.Errorf("flush to disk: %w", ctx.Err())
	}
}

// run flushes until nobody waits.
func (f *flusher) run() {
	for {
		f.mu.Lock()
		now := f.next
		f.next = nil
		if f.running = now != nil; !f.running {
			if f.closed {
				f.close()
			}
			f.mu.Unlock()
			return
		}
		failed := f.failed
		f.mu.Unlock()
		if failed == nil {
			failed = f.flushBlocks()
			f.mu.Lock()
			f.failed = failed
			f.mu.Unlock()
		}
		now.err = failed
		close(now.done)
	}
}

// flushBlocks flushes the block that is written and every newer one. That there
// is no newer one is looked for before the flush: then all that counts is in
// this one.
func (f *flusher) flushBlocks() error {
	for {
		last := f.isNewest()
		if f.file != nil {
			if err := f.sync(f.file); err != nil {
				return fmt.Errorf("flush to disk: %w", err)
			}
		}
		if last {
			return nil
		}
		if err := f.advance(); err != nil {
			return err
		}
	}
}

// isNewest reports whether our block is still the one that is written. Where the
// stream was made anew, its blocks are counted from the beginning.
func (f *flusher) isNewest() bool {
	if f.file == nil {
		return false
	}
	ours, err := f.file.Stat()
	there, thereErr := os.Stat(f.path(f.block))
	if err != nil || thereErr != nil || !os.SameFile(ours, there) {
		f.close()
		f.block = 0
		return false
	}
	_, err = os.Stat(f.path(f.block + 1))
	return errors.Is(err, fs.ErrNotExist)
}

// advance goes on to the next block, and puts its name on the disk.
func (f *flusher) advance() error {
	blocks, err := f.blocks()
	if err != nil {
		return err
	}
	for _, n := range blocks {
		if n <= f.block {
			continue
		}
		// Windows flushes only what may be written.
		file, err := os.OpenFile(f.path(n), os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("flush to disk: %w", err)
		}
		f.close()
		f.block, f.file = n, file
		return f.syncDir()
	}
	return fmt.Errorf("flush to disk: %s has no block after %d.blk", f.dir, f.block)
}

// blocks lists the numbers of the files, lowest first.
func (f *flusher) blocks() ([]int, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for blocks: %w", err)
	}
	var blocks []int
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), ".blk"); is {
			if n, err := strconv.Atoi(name); err == nil {
				blocks = append(blocks, n)
			}
		}
	}
	slices.Sort(blocks)
	return blocks, nil
}

func (f *flusher) path(block int) string {
	return filepath.Join(f.dir, strconv.Itoa(block)+".blk")
}

func (f *flusher) syncDir() error {
	if runtime.GOOS == "windows" {
		return nil // has no such thing
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return fmt.Errorf("flush to disk: %w", err)
	}
	defer dir.Close()
	if err := f.sync(dir); err != nil {
		return fmt.Errorf("flush to disk: %w", err)
	}
	return nil
}

func (f *flusher) close() {
	if f.file != nil {
		_ = f.file.Close()
		f.file = nil
	}
}

// stop lets go of the file when nobody waits for it any more.
func (f *flusher) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed = true; !f.running {
		f.close()
	}
}

// err says why nothing can be promised any more, or nil.
func (f *flusher) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}
