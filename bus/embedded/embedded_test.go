package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/internal/testkit"
)

const stream = "CALLBRIDGE_LEDGER"

// run starts a server with one stream that is flushed.
func run(t *testing.T, dir string) (*Server, jetstream.JetStream) {
	t.Helper()
	s, err := Start(Config{Dir: dir, SyncAlways: true}, "callbridge", "CALLBRIDGE_REQUESTS", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	conn, err := s.Connect(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: stream, Subjects: []string{"callbridge.ledger.*"}, MaxMsgsPerSubject: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.StartFlushers(map[string]string{"ledger": stream}); err != nil {
		t.Fatal(err)
	}
	return s, js
}

// put stores a message and flushes it.
func put(t *testing.T, s *Server, js jetstream.JetStream, id string, size int) error {
	t.Helper()
	if _, err := js.Publish(t.Context(), "callbridge.ledger."+id, bytes.Repeat([]byte("x"), size)); err != nil {
		t.Fatal(err)
	}
	return s.Flush(t.Context(), "ledger")
}

// fail makes the next flush fail and stops the server.
func fail(t *testing.T, dir string) {
	t.Helper()
	s, js := run(t, dir)
	if err := put(t, s, js, "1", 100); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("input/output error")
	s.Flusher("ledger").Sync = func(*os.File) error { return broken }
	if err := put(t, s, js, "2", 100); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	s.Close()
}

func block(dir string) string {
	return filepath.Join(Config{Dir: dir}.streamDir(stream), "msgs", "1.blk")
}

func TestAFailedFlushIsRememberedAndTheStoreWrittenAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fail(t, dir)
	before, err := os.Stat(block(dir))
	if err != nil {
		t.Fatal(err)
	}
	s, js := run(t, dir)
	after, err := os.Stat(block(dir))
	if err != nil || os.SameFile(before, after) {
		t.Errorf("the block is the same file after a failed flush; error %v", err)
	}
	ledger, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2"} {
		if _, err := ledger.GetLastMsgForSubject(t.Context(), "callbridge.ledger."+id); err != nil {
			t.Errorf("message %s: %v", id, err)
		}
	}
	s.Close()
	run(t, dir)
	if third, err := os.Stat(block(dir)); err != nil || !os.SameFile(after, third) {
		t.Errorf("the store was written again without a failure; error %v", err)
	}
}

func TestAStoreThatCannotBeWrittenAgainIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fail(t, dir)
	if err := os.Mkdir(block(dir)+".rewrite", 0o700); err != nil { // in the way of the copy
		t.Fatal(err)
	}
	for range 2 {
		_, err := Start(Config{Dir: dir, SyncAlways: true}, "callbridge", "CALLBRIDGE_REQUESTS", slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "has failed") || !strings.Contains(err.Error(), "input/output error") || !strings.Contains(err.Error(), "repair the disk") {
			t.Errorf("error %v", err)
		}
	}
}

// nats-server rewrites a block of which more than half is deleted, from 2 MiB on.
func TestBlocksThatTheServerRewritesAreFlushed(t *testing.T) {
	t.Parallel()
	s, js := run(t, t.TempDir())
	for i := range 200 { // two messages of each block stay
		id := "changed"
		if i%20 == 0 {
			id = fmt.Sprint("kept-", i)
		}
		if err := put(t, s, js, id, 100_000); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "a rewritten block is found", func() bool { return s.Rewritten() > 0 })
	if err := s.flushErr(); err != nil {
		t.Error(err)
	}
}

func TestAFailedFlushOfARewrittenBlockFailsAllFlushes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, js := run(t, dir)
	if err := put(t, s, js, "1", 100); err != nil {
		t.Fatal(err)
	}
	// In place of the server's own rewriting. The name is a directory, which cannot be flushed.
	if err := errors.Join(os.Remove(block(dir)), os.Mkdir(block(dir), 0o700)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the failure is found", func() bool { return s.flushErr() != nil })
	if content, err := os.ReadFile(filepath.Join(dir, markName)); err != nil || strings.HasPrefix(string(content), markOK) || len(content) != markBytes {
		t.Errorf("remembered %q, error %v", content, err)
	}
}

func TestTheMarkIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir)
	info, err := os.Stat(filepath.Join(dir, markName))
	if err != nil || info.Mode() != fs.FileMode(0o600) {
		t.Errorf("mode %v, error %v", info, err)
	}
}
