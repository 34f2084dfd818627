package bus_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"callbridge/bus"
	"callbridge/event"
)

// delivery is what one delivery of an event leads to: the first route requests a call
// to number, and the second one, which would call before, gives way.
func delivery(first, second string, about event.Event, to, before string) []event.Item {
	call := func(to string) json.RawMessage { return json.RawMessage(`{"call_to":"` + to + `"}`) }
	return []event.Item{
		{Request: &event.Request{ID: event.RequestID(about.ID, first), Route: first, Event: about, Call: call(to)}},
		{Result: &event.Result{
			RequestID: event.RequestID(about.ID, second), Outcome: event.Skipped, Reason: event.ReasonSameEvent,
			Route: second, Event: about, Request: call(before),
		}},
	}
}

const ada, grace = "+12025550142", "+12025550177"

func requests(t *testing.T, b *bus.Bus, e event.Event) (routes []string) {
	t.Helper()
	for _, route := range []string{"a", "b"} {
		_, err := b.StoredRequest(t.Context(), event.RequestID(e.ID, route))
		if err == nil {
			routes = append(routes, route)
		} else if !errors.Is(err, bus.ErrGone) {
			t.Fatal(err)
		}
	}
	return routes
}

func TestRouteThatHasCalledHoldsBackTheOther(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	for name, c := range map[string]struct {
		before string
		want   int
	}{"the same number": {ada, 1}, "another number": {grace, 2}} {
		e := request(name).Event
		// At the first delivery, route a rejected the event, and b called.
		called := event.Request{ID: event.RequestID(e.ID, "b"), Route: "b", Event: e, Call: json.RawMessage(`{"call_to":"` + c.before + `"}`)}
		if _, err := b.Store(t.Context(), "", event.Item{Request: &called}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := b.Store(t.Context(), "", delivery("a", "b", e, ada, c.before)...); err != nil {
				t.Fatal(err)
			}
		}
		if got := requests(t, b, e); len(got) != c.want {
			t.Errorf("%s: requests of %v", name, got)
		}
		// After its lookup, too, where the call of b has ended.
		ended := event.Result{RequestID: called.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Route: "b", Event: e}
		if err := b.PublishResult(t.Context(), ended); err != nil {
			t.Fatal(err)
		}
		if err := b.StoreResumed(t.Context(), "", delivery("a", "b", e, ada, c.before)...); err != nil {
			t.Fatal(err)
		}
		if got := requests(t, b, e); len(got) != c.want {
			t.Errorf("%s: requests of %v after the lookup", name, got)
		}
	}
}

// A process may end after it has closed the route that gives way.
func TestRouteThatGaveWayHoldsNothingBack(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	e := request("lead-1").Event
	items := delivery("a", "b", e, ada, ada)
	if _, err := b.Store(t.Context(), "", items[1]); err != nil {
		t.Fatal(err)
	}
	if seen, err := b.Store(t.Context(), "", items...); err != nil || seen[0] || !seen[1] {
		t.Errorf("seen %v, %v", seen, err)
	}
	if got := requests(t, b, e); len(got) != 1 || got[0] != "a" {
		t.Errorf("requests of %v, want a", got)
	}
}

// Copies of one event in which one or the other route calls.
func TestOneRouteCallsOfDifferentCopiesAtOnce(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	for _, key := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		e := request(key).Event
		alone := event.Request{ID: event.RequestID(e.ID, "b"), Route: "b", Event: e, Call: json.RawMessage(`{"call_to":"` + ada + `"}`)}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				items := []event.Item{{Request: &alone}}
				if i%2 == 0 {
					items = delivery("a", "b", e, ada, ada)
				}
				if _, err := b.Store(t.Context(), "", items...); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := requests(t, b, e); len(got) != 1 {
			t.Errorf("%s: requests of %v, want one", key, got)
		}
	}
}
