package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestStoreStoresEachItemOnceAndReportsDuplicates(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	results := testkit.Subscribe(t, b.Conn(), "callbridge.result.>")
	r := request("lead-1")
	result := event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: r.Event}
	items := []event.Item{{Request: &r}, {Result: &result}, {Pending: &event.Pending{Event: r.Event}}}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for i, want := range []bool{false, true} {
		seen, err := b.Store(t.Context(), trace, items...)
		if err != nil {
			t.Fatal(err)
		}
		for n := range items {
			if seen[n] != want {
				t.Errorf("round %d: item %d is a duplicate: %t, want %t", i+1, n, seen[n], want)
			}
		}
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if m := testkit.Next(t, results); m.Header.Get(bus.TraceHeader) != trace || len(results) != 0 {
		t.Errorf("trace %q, and %d more results", m.Header.Get(bus.TraceHeader), len(results))
	}
}

func TestASkippedRequestIsRefusedWhenTheRouteGoesLive(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	r := request("lead-1")
	result := event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonDryRun, Route: r.Route, Event: r.Event}
	for n := range 2 {
		if seen, err := b.Store(t.Context(), "", event.Item{Result: &result}); err != nil || seen[0] != (n == 1) {
			t.Fatalf("skip %d: seen %v, error %v", n+1, seen, err)
		}
	}
	if seen, err := b.Store(t.Context(), "", event.Item{Request: &r}); err != nil || !seen[0] {
		t.Errorf("the route went live: seen %v, error %v", seen, err)
	}
	if _, err := b.StoredRequest(t.Context(), r.ID); err != bus.ErrGone {
		t.Errorf("the call is requested: %v", err)
	}
	// An event that matched no route can match one when it is sent again.
	other := request("lead-2")
	unmatched := event.Result{RequestID: event.RequestID(other.Event.ID, ""), Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: other.Event}
	if _, err := b.Store(t.Context(), "", event.Item{Result: &unmatched}); err != nil {
		t.Fatal(err)
	}
	if seen, err := b.Store(t.Context(), "", event.Item{Request: &other}); err != nil || seen[0] {
		t.Errorf("no route matched it before: seen %v, error %v", seen, err)
	}
}

func TestStoreResumedStoresOnlyWhatHasNoResult(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	results := testkit.Subscribe(t, b.Conn(), "callbridge.result.>")
	first, other := request("lead-1"), request("lead-1")
	other.ID, other.Route = event.RequestID(other.Event.ID, "other"), "other"
	ended := event.Result{RequestID: first.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Route: first.Route, Event: first.Event}
	if err := b.PublishResult(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	testkit.Next(t, results)
	// At this delivery the CRM's answer makes a route skip that has called before.
	skipped := event.Result{RequestID: first.ID, Outcome: event.Skipped, Reason: event.ReasonDryRun, Route: first.Route, Event: first.Event}
	if err := b.StoreResumed(t.Context(), "", event.Item{Request: &first}, event.Item{Result: &skipped}, event.Item{Request: &other}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.StoredRequest(t.Context(), first.ID); !errors.Is(err, bus.ErrGone) {
		t.Errorf("the request of a route with a result: %v, want %v", err, bus.ErrGone)
	}
	if _, err := b.StoredRequest(t.Context(), other.ID); err != nil {
		t.Errorf("the request of another route: %v", err)
	}
	// The event as a whole has a result: no route can request a call.
	second := request("lead-2")
	whole := event.Result{RequestID: event.RequestID(second.Event.ID, ""), Outcome: event.Rejected, Reason: event.ReasonBadCall, Event: second.Event}
	if err := b.PublishResult(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	testkit.Next(t, results)
	if err := b.StoreResumed(t.Context(), "", event.Item{Request: &second}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.StoredRequest(t.Context(), second.ID); !errors.Is(err, bus.ErrGone) {
		t.Errorf("the request of an event with a result: %v, want %v", err, bus.ErrGone)
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if len(results) != 0 {
		t.Errorf("one more result: %s", testkit.Next(t, results).Subject)
	}
}

func TestStoreResumedRejectsAnEventThatIsTooLargeWithItsCall(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	results := testkit.Subscribe(t, b.Conn(), "callbridge.result.>")
	r := request("lead-1")
	text := json.RawMessage(`"` + strings.Repeat("x", 5<<20) + `"`)
	r.Event.Data = text
	if _, err := b.Store(t.Context(), "", event.Item{Pending: &event.Pending{Event: r.Event}}); err != nil {
		t.Fatalf("the event without its call: %v", err)
	}
	r.Call = text
	for n := range 2 { // also when the event is delivered once more
		if err := b.StoreResumed(t.Context(), "", event.Item{Request: &r}); err != nil {
			t.Fatalf("delivery %d: %v", n+1, err)
		}
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	got := testkit.Receive[event.Result](t, results)
	if len(got.Event.Data) != 0 {
		t.Errorf("the result has %d bytes of data, want none", len(got.Event.Data))
		got.Event.Data = nil
	}
	if got.RequestID == event.RequestID(r.Event.ID, "") || got.Outcome != event.Rejected || got.Reason != event.ReasonBadCall ||
		got.Event.ID != r.Event.ID || !strings.Contains(got.Detail, "max_payload") {
		t.Errorf("stored %+v, want the event rejected for its size", got)
	}
	if len(results) != 0 {
		t.Errorf("one more result: %s", testkit.Next(t, results).Subject)
	}
	if _, err := b.StoredRequest(t.Context(), r.ID); !errors.Is(err, bus.ErrGone) {
		t.Errorf("the request: %v, want %v", err, bus.ErrGone)
	}
}

// A bulk edit in a CRM arrives as many webhooks with long lists. On a slow machine some
// may time out, and their CRM sends them again; none is refused for its size.
func TestManyLargeBatchesAtOnceAreStored(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	const lists, contacts = 50, 100
	var all sync.WaitGroup
	for i := range lists {
		items := make([]event.Item, contacts)
		for n := range items {
			r := request(fmt.Sprintf("list-%d-%d", i, n))
			items[n] = event.Item{Request: &r}
		}
		all.Go(func() {
			err := context.DeadlineExceeded
			for errors.Is(err, context.DeadlineExceeded) && t.Context().Err() == nil {
				_, err = b.Store(t.Context(), "", items...)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestResultsReachAnOrdinarySubscriber(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	results := testkit.Subscribe(t, testkit.Connect(t, b.UserURL("results")), "callbridge.result.>")
	r := event.Result{RequestID: request("lead-1").ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Event: request("lead-1").Event}
	if err := b.PublishResult(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := b.PublishResult(t.Context(), r); !errors.Is(err, bus.ErrExists) {
		t.Errorf("the same result again: %v, want %v", err, bus.ErrExists)
	}
	got := testkit.Next(t, results)
	if want := "callbridge.result.accepted.website." + r.RequestID.String(); got.Subject != want {
		t.Errorf("subject %s, want %s", got.Subject, want)
	}
}
