package calls_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus/bustest"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestStoredCallsComeFirst: what is stored, then ready, then what is published later; results
// of other outcomes do not come.
func TestStoredCallsComeFirst(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Config(t))
	id := uuid.New()
	publish := func(outcome event.Outcome, reason event.Reason) {
		t.Helper()
		if err := b.PublishResult(t.Context(), event.Result{RequestID: id, Outcome: outcome, Reason: reason, Event: event.Event{Source: "website"}}); err != nil {
			t.Fatal(err)
		}
	}
	publish(event.Accepted, event.ReasonCreated)
	publish(event.Skipped, event.ReasonNoRoute)
	publish(event.Ended, event.ReasonReached)
	var mu sync.Mutex
	var got []string
	add := func(word string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, word)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	has := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == n }
	}
	go func() {
		ended <- b.Calls().Each(ctx, func() { add("ready") }, func(r event.Result, _ time.Time) { add(string(r.Outcome)) })
	}()
	testkit.Eventually(t, "the stored calls", has(3))
	publish(event.Analysed, event.ReasonReached)
	testkit.Eventually(t, "the new one", has(4))
	cancel()
	if err := testkit.Next(t, ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if want := []string{"accepted", "ended", "ready", "analysed"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
