//go:build unix

package embedded

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"callbridge/internal/testkit"
)

// TestAServerThatStopsWritingEndsTheProcess runs itself in a process of its own, whose
// files may not grow beyond a limit: the one real failure of a write that needs neither
// a disk nor rights.
func TestAServerThatStopsWritingEndsTheProcess(t *testing.T) {
	t.Parallel()
	const child = "CALLBRIDGE_TEST_STORE"
	if dir := os.Getenv(child); dir != "" {
		stopWriting(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), child+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	s, js := run(t, dir) // without the limit
	if err := s.Ready(); err != nil {
		t.Errorf("after a new start: %v", err)
	}
	if err := put(t, s, js, "new", 100); err != nil {
		t.Errorf("after a new start: %v", err)
	}
	ledger, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.GetLastMsgForSubject(t.Context(), "callbridge.ledger.first"); err != nil {
		t.Errorf("what was stored before: %v", err)
	}
}

// stopWriting makes a write of the server fail and expects that this is noticed.
func stopWriting(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	s, js := run(t, dir)
	if err := s.StartMonitor(); err != nil {
		t.Fatal(err)
	}
	if err := put(t, s, js, "first", 100); err != nil {
		t.Fatal(err)
	}
	if err := s.Accept(1, 100); err != nil {
		t.Fatal(err)
	}
	const limit = 1 << 20 // more than the monitor writes
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: unix.RLIM_INFINITY}); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); !errors.Is(err, context.DeadlineExceeded); {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err = js.Publish(ctx, "callbridge.ledger.large", make([]byte, limit/4))
		cancel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Failed(ctx); err == nil || !strings.Contains(err.Error(), "start callbridge again") {
		t.Errorf("the process ends with %v", err)
	}
	for name, err := range map[string]error{"Ready": s.Ready(), "Accept": s.Accept(1, 100), "Flush": s.Flush(t.Context(), "ledger")} {
		if err == nil || !strings.Contains(err.Error(), "write error") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A record that the server could not write is no record, whether or not it can be read.
func TestInspectNoticesAFailedWriteAtOnce(t *testing.T) {
	t.Parallel()
	const child = "CALLBRIDGE_TEST_INSPECT"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	s, js := run(t, t.TempDir()) // without a monitor
	if err := put(t, s, js, "first", 100); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 8 << 10, Max: unix.RLIM_INFINITY}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := js.Publish(ctx, "callbridge.ledger.claim", make([]byte, 64<<10), jetstream.WithRetryAttempts(0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("published with %v", err)
	}
	ledger, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ledger.GetLastMsgForSubject(t.Context(), "callbridge.ledger.claim")
	t.Logf("reading the record that was not written: %v", err)
	s.Inspect()
	if err := s.Flush(t.Context(), "ledger"); err == nil {
		t.Error("the record counts as flushed")
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryThatTakesNoWritesIsNotReady(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := run(t, dir)
	if err := s.StartMonitor(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/"+probeName, 0o700); err != nil { // in the way of the file
		t.Fatal(err)
	}
	testkit.Eventually(t, "not ready", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), "takes no writes") && s.Accept(1, 1) != nil
	})
	if err := os.Remove(dir + "/" + probeName); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "ready again", func() bool { return s.Ready() == nil && s.Accept(1, 1) == nil })
	s.Close()
	if err := os.Mkdir(dir+"/"+probeName, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(Config{Dir: dir}, "callbridge", "CALLBRIDGE_REQUESTS", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "takes no writes") || !strings.Contains(err.Error(), "then start again") {
		t.Errorf("started with %v", err)
	}
}
