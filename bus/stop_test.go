package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/internal/testkit"
)

// everything is a stop of all calls.
func everything() control.Stop { return aStop(control.Scope{}) }

func aStop(s control.Scope) control.Stop {
	return control.Stop{Scope: s, By: "ada@example", Why: "the agent says the wrong price", Since: time.Now().UTC()}
}

// operating is the configuration of a command of an operator at the server of a bus.
func operating(b *bus.Bus, config bus.Config) bus.Config {
	config.URL = b.UserURL("operator")
	return config
}

func isStopped(t *testing.T, b *bus.Bus, source string) bool {
	t.Helper()
	stops, err := b.Stopped(t.Context(), control.Scope{Source: source, Route: "new-lead", Country: "DE"})
	if err != nil {
		t.Fatal(err)
	}
	return len(stops) > 0
}

// TestAStopCountsInEveryProcessAtOnce, survives a restart, and ends with resume.
func TestAStopCountsInEveryProcessAtOnce(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "")
	processes := []*bus.Bus{open(t, config), open(t, config)}
	watching, stop := context.WithCancel(t.Context())
	var watchers sync.WaitGroup
	for _, b := range processes {
		watchers.Go(func() { b.WatchStops(watching, func() {}) })
	}
	t.Cleanup(func() { stop(); watchers.Wait() })
	if isStopped(t, processes[0], "crm") {
		t.Error("stopped from the beginning")
	}
	if active, err := bus.Stop(t.Context(), config, aStop(control.Scope{Source: "crm"})); err != nil || len(active) != 1 {
		t.Fatalf("stop: %v, %v", active, err)
	}
	began := time.Now()
	for _, b := range append(processes, open(t, config)) {
		if !isStopped(t, b, "crm") || isStopped(t, b, "shop") {
			t.Error("a process does not know what is stopped")
		}
	}
	for _, b := range processes {
		testkit.Eventually(t, "the stop is shown", func() bool { return len(b.Stops()) == 1 })
	}
	t.Logf("shown in both after %s", time.Since(began))
	if ended, err := bus.Resume(t.Context(), config, control.Scope{}, false, control.Resume{By: "bob", At: time.Now()}); err != nil || len(ended) != 1 {
		t.Fatalf("resume: %v, %v", ended, err)
	}
	for _, b := range processes {
		if isStopped(t, b, "crm") {
			t.Error("stopped after resume")
		}
		testkit.Eventually(t, "the rate begins below its limit", func() bool { s := b.Share(); return s < 0.5 && s >= 0.25 })
	}
	if _, err := bus.Resume(t.Context(), config, control.Scope{}, true, control.Resume{At: time.Now()}); !errors.Is(err, control.ErrNothing) {
		t.Errorf("resume again: %v", err)
	}
}

// TestStopsOfSeveralPeopleAreAllKept although they write at the same moment.
func TestStopsOfSeveralPeopleAreAllKept(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	var people sync.WaitGroup
	for i := range 8 {
		people.Go(func() {
			if _, err := bus.Stop(context.Background(), operating(b, config), aStop(control.Scope{Source: fmt.Sprint("crm-", i)})); err != nil {
				t.Error(err)
			}
		})
	}
	people.Wait()
	b.Close()
	b = open(t, config)
	for i := range 8 {
		if !isStopped(t, b, fmt.Sprint("crm-", i)) {
			t.Errorf("the stop of crm-%d is lost", i)
		}
	}
}

// TestWhatCannotBeReadMeansNoCall: a message that is no document, until an operator stops
// everything and resumes.
func TestWhatCannotBeReadMeansNoCall(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	if _, err := jetStreamOf(t, b).Publish(t.Context(), "callbridge.control", []byte("off")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stopped(t.Context(), control.Scope{Source: "crm"}); !errors.Is(err, control.ErrUnreadable) {
		t.Errorf("a document that cannot be read: %v", err)
	}
	operator := operating(b, config)
	if _, err := bus.Stop(t.Context(), operator, aStop(control.Scope{Source: "crm"})); !errors.Is(err, control.ErrUnreadable) {
		t.Errorf("a stop of one source replaces it: %v", err)
	}
	if _, err := bus.Stop(t.Context(), operator, everything()); err != nil {
		t.Fatal(err)
	}
	if !isStopped(t, b, "crm") {
		t.Error("not stopped")
	}
}

// TestALostStreamOfStopsMeansNoCall until the loss is acknowledged.
func TestALostStreamOfStopsMeansNoCall(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	reconciling(t, b)
	operator := operating(b, config)
	if _, err := bus.Stop(t.Context(), operator, everything()); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = open(t, config)
	reconciling(t, b)
	operator = operating(b, config)
	deleteStreams(t, jetStreamOf(t, b), "CONTROL")
	testkit.Eventually(t, "the loss is shown", func() bool { return b.Intact(t.Context()) != nil })
	if _, err := b.Stopped(t.Context(), control.Scope{Source: "crm"}); err == nil || !strings.Contains(err.Error(), "CALLBRIDGE_CONTROL was lost") {
		t.Errorf("with the stream lost: %v", err)
	}
	if _, err := bus.AcknowledgeLoss(t.Context(), operator, "ada@example", "stopped again"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "calls are placed again", func() bool {
		stops, err := b.Stopped(t.Context(), control.Scope{Source: "crm"})
		return err == nil && len(stops) == 0
	})
}

// TestABackupWithoutStopsHoldsNothing: the stream of stops was never used.
func TestABackupWithoutStopsHoldsNothing(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.Memory.RestoredFrom = time.Now().Add(-time.Hour)
	b := open(t, config)
	if isStopped(t, b, "crm") {
		t.Error("stopped")
	}
}

// BenchmarkStopped is what a claim pays for the last check.
func BenchmarkStopped(b *testing.B) {
	opened := bustest.Open(b, bustest.Config(b))
	for b.Loop() {
		if _, err := opened.Stopped(b.Context(), control.Scope{Source: "crm"}); err != nil {
			b.Fatal(err)
		}
	}
}
