package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbridge/event"
)

// durably opens a bus with an embedded server and SyncAlways.
func durably(t *testing.T, dir string) *Bus {
	t.Helper()
	b, err := Open(t.Context(), Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second, Log: slog.New(slog.DiscardHandler),
		Embedded: Embedded{Dir: dir, SyncAlways: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// A volume may contain a directory that callbridge may not read.
func TestForeignFilesInTheStoreDirectoryAreIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "lost+found")); err != nil {
		t.Fatal(err)
	}
	b := durably(t, dir)
	r := sample("lead-1", 10)
	if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); err != nil {
		t.Error(err)
	}
}

func sample(key string, size int) event.Request {
	e := event.Event{ID: event.EventID("website", key), Source: "website", Key: key, Data: json.RawMessage(`"` + strings.Repeat("x", size) + `"`)}
	return event.Request{ID: event.RequestID(e.ID, "new-lead"), Route: "new-lead", Event: e, Call: json.RawMessage(`{}`)}
}

// What the flusher relies on: every acknowledged message is in the blocks that it has
// flushed, also when the server begins a new block.
func TestEveryAcknowledgedMessageIsInAFlushedBlock(t *testing.T) {
	t.Parallel()
	b := durably(t, t.TempDir())
	flushed := map[string]map[string][]byte{} // by stream and file, as of its last flush
	for name, f := range b.durable {
		flushed[name] = map[string][]byte{}
		f.sync = func(file *os.File) error {
			if strings.HasSuffix(file.Name(), ".blk") {
				content, err := os.ReadFile(file.Name())
				if err != nil {
					return err
				}
				flushed[name][file.Name()] = content
			}
			return file.Sync()
		}
	}
	wantFlushed := func(stream, text string) {
		t.Helper()
		for _, content := range flushed[stream] {
			if bytes.Contains(content, []byte(text)) {
				return
			}
		}
		t.Fatalf("%s was acknowledged, and is in no flushed block of %s", text, stream)
	}
	const block = 4 << 20 // the effect of unlimitedPerSubject
	for i := range 40 {
		r := sample(fmt.Sprint("lead-", i), 300_000)
		result := event.Result{RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Event: r.Event}
		if _, err := b.Store(t.Context(), "", event.Item{Request: &r}, event.Item{Result: &result}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Ledger().Put(t.Context(), r.ID, []byte(`{"state":"claimed"}`), 0); err != nil {
			t.Fatal(err)
		}
		wantFlushed("requests", r.ID.String())
		wantFlushed("ledger", r.ID.String())
		wantFlushed("results", r.ID.String())
	}
	for _, stream := range []string{"requests", "results"} {
		if n := len(flushed[stream]); n < 2 {
			t.Errorf("%d blocks of %s were flushed, want several", n, stream)
		}
		for name, content := range flushed[stream] {
			if len(content) > block {
				t.Errorf("%s has %d bytes, want at most %d", name, len(content), block)
			}
		}
	}
}

// blockDir makes a directory with one block, and a flusher that records the blocks
// instead of flushing them.
func blockDir(t *testing.T) (*flusher, func(name string), *[]string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1.blk")
	f, err := newFlusher(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	var order []string
	f.sync = func(file *os.File) error {
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
			if err := f.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			*order = nil
			c.change(f.dir, write)
			if err := f.flush(t.Context()); err != nil {
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
		f.sync = func(file *os.File) error {
			if strings.HasSuffix(file.Name(), ".blk") {
				count++
				<-release
			}
			return nil
		}
		var all sync.WaitGroup
		flush := func() {
			if err := f.flush(t.Context()); err != nil {
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

func TestAFailedFlushIsAPermanentError(t *testing.T) {
	t.Parallel()
	b := durably(t, t.TempDir())
	broken := errors.New("the disk is gone")
	b.durable["requests"].sync = func(*os.File) error { return broken }
	r := sample("lead-1", 10)
	if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); !errors.Is(err, broken) {
		t.Errorf("stored on a broken disk: %v", err)
	}
	// The kernel has dropped the pages, even if the disk works again.
	b.durable["requests"].sync = (*os.File).Sync
	if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); !errors.Is(err, broken) {
		t.Errorf("stored after a failed flush: %v", err)
	}
	if err := b.Ready(t.Context()); !errors.Is(err, broken) {
		t.Errorf("ready after a failed flush: %v", err)
	}
}

func TestFlushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, _, _ := blockDir(t)
	release := make(chan struct{})
	f.sync = func(*os.File) error { <-release; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := f.flush(t.Context()); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestFlushWithoutABlockIsAnError(t *testing.T) {
	t.Parallel()
	f, err := newFlusher(filepath.Join(t.TempDir(), "msgs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.flush(t.Context()); err == nil {
		t.Error("nothing was flushed, without an error")
	}
}

// The kernel may have dropped the messages of callers that came during the failed
// flush, and the next fsync would succeed.
func TestAFailedFlushAlsoFailsTheNextOne(t *testing.T) {
	t.Parallel()
	f, _, _ := blockDir(t)
	broken := errors.New("the disk is gone")
	begun, release := make(chan struct{}, 100), make(chan error, 1)
	release <- nil
	f.sync = func(file *os.File) error {
		begun <- struct{}{}
		select {
		case err := <-release:
			return err
		case <-t.Context().Done():
			return nil
		}
	}
	first := make(chan error)
	go func() { first <- f.flush(t.Context()) }()
	<-begun // the directory
	<-begun // the block
	second := make(chan error)
	go func() { second <- f.flush(t.Context()) }()
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
