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
	"regexp"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/internal/testkit"
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
	for _, name := range []string{"requests", "ledger", "results"} {
		flushed[name] = map[string][]byte{}
		b.server.Flusher(name).Sync = func(file *os.File) error {
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
	const block = 4 << 20 // the effect of UnlimitedPerSubject
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

func TestAFailedFlushIsAPermanentError(t *testing.T) {
	t.Parallel()
	b := durably(t, t.TempDir())
	broken := errors.New("the disk is gone")
	b.server.Flusher("requests").Sync = func(*os.File) error { return broken }
	r := sample("lead-1", 10)
	if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); !errors.Is(err, broken) {
		t.Errorf("stored on a broken disk: %v", err)
	}
	// The kernel has dropped the pages, even if the disk works again.
	b.server.Flusher("requests").Sync = (*os.File).Sync
	if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); !errors.Is(err, broken) {
		t.Errorf("stored after a failed flush: %v", err)
	}
	if err := b.Ready(t.Context()); !errors.Is(err, broken) {
		t.Errorf("ready after a failed flush: %v", err)
	}
}

// A process that reads its own claim back must not take it for stored before it is.
func TestARecordThatIsNotOnTheDiskIsNotRead(t *testing.T) {
	t.Parallel()
	b := durably(t, t.TempDir())
	id := sample("lead-1", 10).ID
	broken := errors.New("the disk is gone")
	b.server.Flusher("ledger").Sync = func(*os.File) error { return broken }
	if _, err := b.Ledger().Put(t.Context(), id, []byte(`{"state":"claimed"}`), 0); !errors.Is(err, ErrNotDurable) {
		t.Errorf("put: %v", err)
	}
	if e, err := b.Ledger().Get(t.Context(), id); !errors.Is(err, ErrNotDurable) {
		t.Errorf("read %+v, error %v", e, err)
	}
}

// What was accepted is finished: a lookup that ends is stored in a store that takes no
// webhooks.
func TestAStoreWithoutRoomForWebhooksTakesTheEndsOfLookups(t *testing.T) {
	t.Parallel()
	b, err := Open(t.Context(), Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second, Log: slog.New(slog.DiscardHandler),
		Embedded: Embedded{Dir: t.TempDir(), MaxStoreBytes: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for n := 0; b.Ready(t.Context()) == nil; n++ {
		r := sample(fmt.Sprint("lead-", n), 10_000)
		_, _ = b.Store(t.Context(), "", event.Item{Request: &r})
	}
	if err := b.Ready(t.Context()); !strings.Contains(err.Error(), "no room for more webhooks") {
		t.Fatal(err)
	}
	r := sample("webhook", 100)
	if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a webhook: %v", err)
	}
	r = sample("lookup", 100)
	if err := b.StoreResumed(t.Context(), "", event.Item{Request: &r}); err != nil {
		t.Errorf("the end of a lookup: %v", err)
	}
}

// TestAClockThatIsAheadDeletesNothingThatIsNotDone opens a store of 8 days ago: for the store
// that is the same as a clock that is 8 days ahead.
func TestAClockThatIsAheadDeletesNothingThatIsNotDone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() (*Bus, error) {
		b, err := Open(t.Context(), Config{
			Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second, Log: slog.New(slog.DiscardHandler),
			Embedded: Embedded{Dir: dir},
		})
		if err == nil {
			t.Cleanup(b.Close)
		}
		return b, err
	}
	b, err := open()
	if err != nil {
		t.Fatal(err)
	}
	r := sample("lead-1", 100)
	if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	age(t, dir)
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "1 accepted events are not done") {
		t.Fatalf("opened with %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "callbridge.clock")); err != nil {
		t.Fatal(err)
	}
	if b, err = open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	consumed := make(chan struct{})
	go func() {
		defer close(consumed)
		b.ConsumeRequests(ctx, 1, Worker{
			Alive: func() {}, Log: slog.New(slog.DiscardHandler),
			Handle: func(context.Context, Delivery) Disposition { return Acknowledge() },
		})
	}()
	testkit.Eventually(t, "the request is done", func() bool {
		undone, err := b.undone(t.Context())
		return err == nil && undone.Messages == 0
	})
	cancel()
	<-consumed
	b.Close()
	age(t, dir)
	if _, err = open(); err != nil {
		t.Errorf("nothing is left to do: %v", err)
	}
}

// age makes the last use of a store 8 days older.
func age(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "callbridge.clock")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "CALLBRIDGE_REQUESTS", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	const days = 8 * 24 * time.Hour
	text = regexp.MustCompile(`20[^"]*Z`).ReplaceAllFunc(text, func(at []byte) []byte {
		then, err := time.Parse(time.RFC3339Nano, string(at))
		if err != nil {
			t.Fatal(err)
		}
		return then.Add(-days).AppendFormat(nil, time.RFC3339Nano)
	})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks {
		info, err := os.Stat(block)
		if err != nil {
			t.Fatal(err)
		}
		then := info.ModTime().Add(-days)
		if err := os.Chtimes(block, then, then); err != nil {
			t.Fatal(err)
		}
	}
}
