// Package flush flushes acknowledged messages of an embedded NATS to the disk (fsync),
// many messages with one flush, and replaces files beside its store. It belongs to
// package bus, and imports no package of this module.
package flush

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Flusher flushes the messages of one stream of the embedded server in groups.
// nats-server's own sync_interval "always" flushes each message by itself, one
// after the other; here all messages that were acknowledged during one flush share
// the next one (docs/decisions/0008-flush.md).
//
// It relies on nats-server's file store: an acknowledged message has been written
// to the newest of the block files 1.blk, 2.blk, … of its stream. A test of bus
// checks this with the server. A file that is missing at run time is an error.
type Flusher struct {
	// Sync is (*os.File).Sync. Tests replace it while no flush is running.
	Sync func(*os.File) error
	// Before is called before each flush, such as Watch.Check. Its error is permanent.
	Before func() error
	// Failed is told the first error, which is permanent.
	Failed func(error)

	// dir has the block files, root the store.
	dir, root string

	mu sync.Mutex
	// next is the flush that callers join while another one is running.
	next            *flush
	running, closed bool
	// failed is the error of the first failed fsync. It is permanent: the kernel
	// drops pages that it could not write, and reports that only once.
	failed error

	// block is the number of the current block and file its open file. Only the
	// running flush uses them.
	block int
	file  *os.File
}

// flush is one flush and its result, which is valid after done.
type flush struct {
	done chan struct{}
	err  error
}

// New makes the Flusher of a stream, whose block files are in dir below the directory
// root of the store. It starts at the newest block: messages acknowledged from now on
// are in it or in later ones. The directory may be missing until the first Flush.
func New(dir, root string) (*Flusher, error) {
	f := &Flusher{dir: dir, root: root, Sync: (*os.File).Sync, Before: func() error { return nil }, Failed: func(error) {}}
	blocks, err := f.blocks()
	if len(blocks) > 0 {
		f.block = blocks[len(blocks)-1] - 1
	}
	return f, err
}

// Flush returns when every message that was acknowledged before the call is on the
// disk, or with an error when ctx ends before that. After an error a message may not
// be on the disk. A failed fsync is the error of all later calls as well.
func (f *Flusher) Flush(ctx context.Context) error {
	f.mu.Lock()
	if f.failed != nil {
		f.mu.Unlock()
		return f.failed
	}
	if f.next == nil {
		f.next = &flush{done: make(chan struct{})}
	}
	joined := f.next
	if !f.running {
		f.running = true
		go f.run()
	}
	f.mu.Unlock()
	select {
	case <-joined.done:
		return joined.err
	case <-ctx.Done():
		return fmt.Errorf("flush to disk: %w", ctx.Err())
	}
}

// run flushes until no caller waits.
func (f *Flusher) run() {
	for {
		f.mu.Lock()
		current := f.next
		f.next = nil
		if current == nil {
			f.running = false
			if f.closed {
				f.closeFile()
			}
			f.mu.Unlock()
			return
		}
		err := f.failed
		f.mu.Unlock()
		if err == nil {
			if err = f.flushBlocks(); err != nil {
				f.Fail(err)
			}
		}
		current.err = err
		close(current.done)
	}
}

// Fail makes an error the error of all later calls, unless there is one already.
func (f *Flusher) Fail(err error) {
	f.mu.Lock()
	first := f.failed == nil
	if first {
		f.failed = err
	}
	f.mu.Unlock()
	if first {
		f.Failed(err)
	}
}

// flushBlocks flushes the current block and every newer one. It looks for a newer
// block before each flush: if there is none, every acknowledged message is in the
// block that is flushed.
func (f *Flusher) flushBlocks() error {
	if err := f.Before(); err != nil {
		return err
	}
	for {
		newest := f.isNewest()
		if f.file != nil {
			if err := f.Sync(f.file); err != nil {
				return fmt.Errorf("flush to disk: %w", err)
			}
		}
		if newest {
			return nil
		}
		if err := f.openNextBlock(); err != nil {
			return err
		}
	}
}

// isNewest reports whether the current block is the one that is being written. If
// the stream was made again, its blocks are numbered from 1 again.
func (f *Flusher) isNewest() bool {
	if f.file == nil {
		return false
	}
	open, err := f.file.Stat()
	named, namedErr := os.Stat(f.path(f.block))
	if err != nil || namedErr != nil || !os.SameFile(open, named) {
		f.closeFile()
		f.block = 0
		return false
	}
	_, err = os.Stat(f.path(f.block + 1))
	return errors.Is(err, fs.ErrNotExist)
}

// openNextBlock opens the next block and flushes its directory entry.
func (f *Flusher) openNextBlock() error {
	blocks, err := f.blocks()
	if err != nil {
		return err
	}
	for _, n := range blocks {
		if n <= f.block {
			continue
		}
		// Windows flushes only files that are open for writing.
		file, err := os.OpenFile(f.path(n), os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("flush to disk: %w", err)
		}
		first := f.block == 0
		f.closeFile()
		f.block, f.file = n, file
		if first {
			return f.syncStream()
		}
		if err := syncDir(f.dir, f.Sync); err != nil {
			return fmt.Errorf("flush to disk: %w", err)
		}
		return nil
	}
	return fmt.Errorf("flush to disk: %s has no block after %d.blk", f.dir, f.block)
}

// blocks lists the numbers of the block files in ascending order.
func (f *Flusher) blocks() ([]int, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list blocks: %w", err)
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

func (f *Flusher) path(block int) string {
	return filepath.Join(f.dir, strconv.Itoa(block)+".blk")
}

// syncStream flushes the files and the names of a stream that was made while the server
// was running.
func (f *Flusher) syncStream() error {
	stream := filepath.Dir(f.dir)
	err := tree(stream, func(file *os.File) error {
		if strings.HasSuffix(file.Name(), ".blk") {
			return nil // flushBlocks does it
		}
		return f.Sync(file)
	})
	if err != nil {
		return err
	}
	return names(filepath.Dir(stream), f.root, f.Sync)
}

func (f *Flusher) closeFile() {
	if f.file != nil {
		_ = f.file.Close()
		f.file = nil
	}
}

// Close closes the open block file, after the running flush if there is one.
func (f *Flusher) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed = true; !f.running {
		f.closeFile()
	}
}

// Err returns the error of the first failed flush, or nil.
func (f *Flusher) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}
