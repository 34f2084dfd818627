package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestChildrenEndWithAParentThatIsKilled(t *testing.T) {
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
	if !reached(child) {
		t.Fatal("the child does not listen")
	}
	_ = parent.Process.Kill()
	_ = parent.Wait()
	for end := time.Now().Add(30 * time.Second); reached(child); {
		if time.Now().After(end) {
			t.Fatal("the child lives on")
		}
	}
}

func TestAlarmIsNeverEarly(t *testing.T) {
	t.Parallel()
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for range 20 {
		moment := time.Now().Add(coarse + 300*time.Microsecond)
		if !a.wakeAt(t.Context(), moment) || time.Now().Before(moment) {
			t.Errorf("woken %s early", time.Until(moment))
		}
	}
}

func TestWhatAProcessUsesIsSeenFromOutside(t *testing.T) {
	t.Parallel()
	err := newBench(t).live(t.Context(), reference("gin", "gin"), job{}, func(r *running) error {
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
