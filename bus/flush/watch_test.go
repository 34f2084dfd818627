package flush

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// rewrite does what nats-server does with a block that is mostly deleted messages.
func rewrite(t *testing.T, dir, name string) {
	t.Helper()
	files(t, dir, name+".tmp")
	if err := os.Rename(filepath.Join(dir, name+".tmp"), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestARewrittenBlockIsFlushedOnce(t *testing.T) {
	t.Parallel()
	requests, ledger := t.TempDir(), t.TempDir()
	files(t, requests, "1.blk", "2.blk")
	files(t, ledger, "1.blk", "2.blk", "index.db")
	w := NewWatch(requests, ledger, filepath.Join(t.TempDir(), "missing"))
	var flushed []string
	w.Sync = func(file *os.File) error { flushed = append(flushed, file.Name()); return nil }
	check := func(want ...string) {
		t.Helper()
		flushed = nil
		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(flushed, want) {
			t.Errorf("flushed %v, want %v", flushed, want)
		}
	}
	check()
	files(t, ledger, "3.blk")
	rewrite(t, ledger, "index.db")
	check()
	rewrite(t, ledger, "2.blk")
	check(filepath.Join(ledger, "2.blk"), ledger)
	check()
	rewrite(t, requests, "1.blk")
	rewrite(t, ledger, "2.blk")
	check(filepath.Join(requests, "1.blk"), requests, filepath.Join(ledger, "2.blk"), ledger)
	if n := w.Rewritten(); n != 3 {
		t.Errorf("%d rewritten blocks, want 3", n)
	}
}

func TestARewrittenBlockIsFlushedBeforeTheNewestOne(t *testing.T) {
	t.Parallel()
	f, write, order := blockDir(t)
	write("2.blk")
	w := NewWatch(f.dir)
	w.Sync, f.Before = f.Sync, w.Check
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	*order = nil
	rewrite(t, f.dir, "1.blk")
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1.blk", "2.blk"}; !slices.Equal(*order, want) {
		t.Errorf("flushed %v, want %v", *order, want)
	}
	broken := errors.New("the disk is gone")
	w.Sync = func(*os.File) error { return broken }
	rewrite(t, f.dir, "1.blk")
	for range 2 {
		if err := f.Flush(t.Context()); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	}
}
