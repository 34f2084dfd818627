package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"callbridge/crash/power"
	"callbridge/internal/testkit"
)

// lead is the website's webhook about another lead.
func lead(t *testing.T, n int) string {
	t.Helper()
	return strings.Replace(exampleBody(t, "website-lead.json"), "lead-1001", fmt.Sprint("lead-", 2000+n), 1)
}

// fillStore sends webhooks until the store is full, and returns how many were accepted.
func fillStore(b *bridge) (accepted int) {
	b.t.Helper()
	for n := 0; !strings.Contains(b.admin("/readyz"), "no room for more webhooks"); n++ {
		switch status := b.website(lead(b.t, n)); status {
		case http.StatusAccepted:
			accepted++
		case http.StatusServiceUnavailable:
		default:
			b.t.Fatalf("answered %d", status)
		}
	}
	return accepted
}

// calledOnce waits until each accepted event has one call and one result.
func calledOnce(b *bridge, accepted int) {
	b.t.Helper()
	testkit.Eventually(b.t, "each accepted event is called", func() bool { return len(b.sim.Placed()) >= accepted })
	testkit.Eventually(b.t, "each accepted event has a result", func() bool {
		_, out, _ := callbridge(b.t, "", "results", "--nats", b.process.bus.UserURL("reader"), "--outcome", "accepted")
		return strings.Count(out, "lead-") >= accepted
	})
	if n := len(b.sim.Placed()); n != accepted {
		b.t.Errorf("%d calls for %d accepted events", n, accepted)
	}
}

func TestAFullStoreRefusesWebhooksAndFinishesWhatItAccepted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBridge(t, map[string]string{"NATS_STORE_DIR": dir, "NATS_MAX_STORE": "524288", "CALLAB_TOKEN": "callab-refuses-this-one"})
	accepted := fillStore(b)
	if accepted < 10 {
		t.Errorf("only %d webhooks were accepted", accepted)
	}
	refusedAtOnce(b)
	testkit.Eventually(t, "the metric says so", func() bool { return strings.Contains(b.scrape(), "callbridge_store_accepting 0\n") })
	if !strings.Contains(b.scrape(), "callbridge_store_writable 1\n") {
		t.Error("a full store is not writable")
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	calledOnce(startBridge(t, map[string]string{"NATS_STORE_DIR": dir, "NATS_MAX_STORE": "524288"}), accepted)
}

// smallDisk mounts a disk of its own.
func smallDisk(t *testing.T, megabytes int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := unix.Mount("callbridge-test", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes))
	if errors.Is(err, unix.EPERM) {
		t.Skip("this user may not mount a disk; TestAServerThatStopsWritingEndsTheProcess of bus/embedded needs none")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk takes all space, until free is called.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "others")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

func TestADiskThatWasFullIsUsedAgain(t *testing.T) {
	t.Parallel()
	b := startBridge(t, map[string]string{"NATS_STORE_DIR": smallDisk(t, 32)})
	testkit.Eventually(t, "ready at first", b.ready)
	free := fillDisk(t, b.dir)
	testkit.Eventually(t, "not ready", func() bool { return strings.Contains(b.admin("/readyz"), "takes no writes") })
	refusedAtOnce(b)
	free()
	testkit.Eventually(t, "ready again", b.ready)
	if status := b.website(lead(t, 1)); status != http.StatusAccepted {
		t.Errorf("answered %d", status)
	}
	calledOnce(b, 1)
	for _, line := range []string{"nats.declare_failed", "nats.streams_lost", "nats.streams_unchecked"} {
		if strings.Contains(b.logs.String(), line) {
			t.Errorf("a full disk is told as %s", line)
		}
	}
}

func refusedAtOnce(b *bridge) {
	b.t.Helper()
	begun := time.Now()
	if status := b.website(lead(b.t, 0)); status != http.StatusServiceUnavailable {
		b.t.Errorf("answered %d", status)
	}
	if took := time.Since(begun); took > 3500*time.Millisecond { // without an answer of NATS it would be 4 s
		b.t.Errorf("refused after %s", took)
	}
}

// brokenDisk mounts a disk that can refuse all changes with an error.
func brokenDisk(t *testing.T) (dir string, disk *power.Disk) {
	t.Helper()
	if err := power.Available(); err != nil {
		t.Skip(err, "; TestAServerThatStopsWritingEndsTheProcess of bus/embedded needs none")
	}
	dir, disk = t.TempDir(), power.New(power.Options{})
	unmount, err := disk.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir, disk
}

func TestAStreamThatADiskHasStoppedEndsTheProcess(t *testing.T) {
	t.Parallel()
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		dir := smallDisk(t, 32)
		stoppedByDisk(t, dir, func() func() { return fillDisk(t, dir) })
	})
	for name, with := range map[string]unix.Errno{"error": unix.EIO, "read-only": unix.EROFS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, disk := brokenDisk(t)
			stoppedByDisk(t, dir, func() func() {
				disk.Refuse(with)
				return func() { disk.Refuse(0) }
			})
		})
	}
}

// stoppedByDisk lets a disk take no writes for a time, in which nats-server stops to
// write.
func stoppedByDisk(t *testing.T, dir string, refuse func() (mend func())) {
	t.Helper()
	b := startBridge(t, map[string]string{"NATS_STORE_DIR": dir})
	const accepted = 5
	for n := range accepted {
		if status := b.website(lead(t, n)); status != http.StatusAccepted {
			t.Fatalf("answered %d", status)
		}
	}
	for range accepted {
		b.result()
	}
	mend := refuse()
	stopStream(b)
	testkit.Eventually(t, "not ready", func() bool { return strings.Contains(b.admin("/readyz"), "has stopped writing") })
	refusedAtOnce(b)
	mend()
	testkit.Eventually(t, "the process ends", b.process.stopping.Load)
	if err := b.stop(); err == nil || !strings.Contains(err.Error(), "has stopped writing") || !strings.Contains(err.Error(), "start callbridge again") {
		t.Errorf("ended with %v", err)
	}
	placed := len(b.sim.Placed())
	b.stop = func() error { return nil }

	again := startBridge(t, map[string]string{"NATS_STORE_DIR": dir})
	testkit.Eventually(t, "ready after the restart", again.ready)
	for n := range accepted { // repeats, and one new lead
		again.website(lead(t, n))
	}
	again.website(lead(t, accepted))
	calledOnce(again, 1)
	if placed != accepted {
		t.Errorf("%d calls before the restart, want %d", placed, accepted)
	}
}

// stopStream writes to the stream of requests, as another service, until a write fails.
func stopStream(b *bridge) {
	b.t.Helper()
	js, err := jetstream.New(b.process.bus.Conn())
	if err != nil {
		b.t.Fatal(err)
	}
	for n := range 1000 {
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		_, err := js.Publish(ctx, fmt.Sprintf("callbridge.request.other.%d.closed", n), make([]byte, 8<<10))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
	b.t.Fatal("a full disk takes everything")
}

// A bridge that has done everything starts again after any time.
func TestAStopRemembersThatAllIsDone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBridge(t, map[string]string{"NATS_STORE_DIR": dir})
	if status := b.website(lead(t, 1)); status != http.StatusAccepted {
		t.Fatalf("answered %d", status)
	}
	b.result()
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "callbridge.clock"))
	if err != nil {
		t.Fatal(err)
	}
	var last struct {
		At     time.Time
		Undone struct{ Messages int }
	}
	if err := json.Unmarshal(text, &last); err != nil || last.Undone.Messages != 0 {
		t.Errorf("remembered %s, error %v", text, err)
	}
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "CALLBRIDGE_REQUESTS", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	for _, block := range blocks {
		if info, err := os.Stat(block); err != nil || info.ModTime().After(last.At) {
			t.Errorf("%s was written after %s: %v", block, last.At, err)
		}
	}
}

func TestADiskThatHangsRefusesWebhooksAtOnce(t *testing.T) {
	t.Parallel()
	dir, disk := brokenDisk(t)
	b := startBridge(t, map[string]string{"NATS_STORE_DIR": dir})
	testkit.Eventually(t, "ready at first", b.ready)
	release := disk.Hang()
	defer release()
	testkit.Eventually(t, "not ready", func() bool { return strings.Contains(b.admin("/readyz"), "takes longer than") })
	refusedAtOnce(b)
	release()
	testkit.Eventually(t, "ready again", b.ready)
	if status := b.website(lead(t, 1)); status != http.StatusAccepted {
		t.Errorf("answered %d", status)
	}
	calledOnce(b, 1)
}
