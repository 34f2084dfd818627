package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestChildIsKilledWithItsParent(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(own, "parent", t.TempDir())
	says, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(says).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child := "tcp://" + strings.TrimSpace(address)
	if !reachable(child) {
		t.Fatal("the child does not listen")
	}
	_ = parent.Process.Kill()
	_ = parent.Wait()
	for end := time.Now().Add(30 * time.Second); reachable(child); {
		if time.Now().After(end) {
			t.Fatal("the child is still running")
		}
	}
}

func TestPreciseTimerIsNeverEarly(t *testing.T) {
	t.Parallel()
	a, err := newPreciseTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for range 20 {
		moment := time.Now().Add(timerSlack + 300*time.Microsecond)
		if !a.waitUntil(t.Context(), moment) || time.Now().Before(moment) {
			t.Errorf("woken %s too early", time.Until(moment))
		}
	}
}

func TestProcessorTimeAndMemoryAreMeasured(t *testing.T) {
	t.Parallel()
	err := newBench(t).withSystem(t.Context(), reference("gin", "gin"), job{}, func(r *running) error {
		if _, err := r.send(t.Context(), load{connections: 8, count: 2000}); err != nil {
			return err
		}
		if used, peak := r.cpu(), r.peak(); used <= 0 || used > time.Minute || peak < 1<<20 || peak > 1<<30 {
			t.Errorf("used %s of processor time and %d bytes", used, peak)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
