package flush

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// blockDir makes a directory with one block, and a flusher that records the blocks
// instead of flushing them.
func blockDir(t *testing.T) (*Flusher, func(name string), *[]string) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "streams", "REQUESTS", "msgs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1.blk")
	f, err := New(dir, root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	var order []string
	f.Sync = func(file *os.File) error {
		if strings.HasSuffix(file.Name(), ".blk") {
			order = append(order, filepath.Base(file.Name()))
		}
		return nil
	}
	return f, write, &order
}

func TestFlushCoversEveryBlock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(dir string, write func(string))
		want   []string
	}{
		"the same":         {func(string, func(string)) {}, []string{"1.blk"}},
		"a new one":        {func(_ string, write func(string)) { write("2.blk") }, []string{"1.blk", "2.blk"}},
		"two new ones":     {func(_ string, write func(string)) { write("2.blk"); write("3.blk") }, []string{"1.blk", "2.blk", "3.blk"}},
		"another file":     {func(_ string, write func(string)) { write("index.db"); write("2.blk.tmp") }, []string{"1.blk"}},
		"the old one gone": {func(dir string, write func(string)) { _ = os.Remove(filepath.Join(dir, "1.blk")); write("2.blk") }, []string{"2.blk"}},
		"numbered from 1 again": {func(dir string, write func(string)) {
			write("x")
			_ = os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "1.blk"))
		}, []string{"1.blk"}},
		"lower numbers again": {func(dir string, write func(string)) {
			_ = os.Remove(filepath.Join(dir, "1.blk"))
			write("10.blk")
			write("9.blk")
		}, []string{"9.blk", "10.blk"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, write, order := blockDir(t)
			if err := f.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			*order = nil
			c.change(f.dir, write)
			if err := f.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := slices.Compact(*order); !slices.Equal(got, c.want) {
				t.Errorf("flushed %v, want %v", got, c.want)
			}
		})
	}
}

func TestCallersShareAFlush(t *testing.T) {
	t.Parallel()
	f, _, _ := blockDir(t)
	// synctest.Wait returns when all callers are blocked.
	synctest.Test(t, func(t *testing.T) {
		release, count := make(chan struct{}), 0
		f.Sync = func(file *os.File) error {
			if strings.HasSuffix(file.Name(), ".blk") {
				count++
				<-release
			}
			return nil
		}
		var all sync.WaitGroup
		flush := func() {
			if err := f.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
		all.Go(flush)
		synctest.Wait()
		for range 50 {
			all.Go(flush)
		}
		synctest.Wait()
		close(release)
		all.Wait()
		if count != 2 { // the running one, and one for all callers that came during it
			t.Errorf("%d flushes for 51 writes", count)
		}
	})
}

func TestFlushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, _, _ := blockDir(t)
	release := make(chan struct{})
	f.Sync = func(*os.File) error { <-release; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestFlushWithoutABlockIsAnError(t *testing.T) {
	t.Parallel()
	f, err := New(filepath.Join(t.TempDir(), "msgs"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Flush(t.Context()); err == nil {
		t.Error("nothing was flushed, without an error")
	}
}

// The kernel may have dropped the messages of callers that came during the failed
// flush, and the next fsync would succeed.
func TestAFailedFlushAlsoFailsTheNextOne(t *testing.T) {
	t.Parallel()
	f, _, _ := blockDir(t)
	broken := errors.New("the disk is gone")
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	begun, release := make(chan struct{}, 100), make(chan error, 1)
	f.Sync = func(file *os.File) error {
		begun <- struct{}{}
		select {
		case err := <-release:
			return err
		case <-t.Context().Done():
			return nil
		}
	}
	first := make(chan error)
	go func() { first <- f.Flush(t.Context()) }()
	<-begun
	second := make(chan error)
	go func() { second <- f.Flush(t.Context()) }()
	for waits := false; !waits; {
		f.mu.Lock()
		waits = f.next != nil
		f.mu.Unlock()
	}
	release <- broken
	if err := <-first; !errors.Is(err, broken) {
		t.Errorf("the first: %v", err)
	}
	close(release) // from here on every fsync succeeds
	if err := <-second; !errors.Is(err, broken) {
		t.Errorf("the second: %v", err)
	}
}

func TestAStreamThatIsMadeAnewIsFlushedWithItsNames(t *testing.T) {
	t.Parallel()
	f, write, _ := blockDir(t)
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var flushed []string
	f.Sync = func(file *os.File) error {
		if info, err := file.Stat(); err == nil && info.IsDir() || strings.HasSuffix(file.Name(), ".inf") {
			flushed = append(flushed, file.Name())
		}
		return nil
	}
	stream := filepath.Dir(f.dir)
	if err := os.RemoveAll(stream); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write("../meta.inf")
	write("1.blk")
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{filepath.Join(stream, "meta.inf"), f.dir, stream, filepath.Dir(stream), f.root} {
		if !slices.Contains(flushed, want) {
			t.Errorf("%s was not flushed", want)
		}
	}
	if slices.Contains(flushed, filepath.Dir(f.root)) {
		t.Error("what is above the store was flushed")
	}
}

func TestTheFirstFailureIsToldOnce(t *testing.T) {
	t.Parallel()
	f, _, _ := blockDir(t)
	broken := errors.New("the disk is gone")
	f.Sync = func(*os.File) error { return broken }
	var told []error
	f.Failed = func(err error) { told = append(told, err) }
	for range 2 {
		if err := f.Flush(t.Context()); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	}
	if len(told) != 1 || !errors.Is(told[0], broken) {
		t.Errorf("told %v", told)
	}
}
