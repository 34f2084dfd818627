package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/event"
)

func TestKeepStoresEachItemOnceAndSaysWhichWereThere(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	seenBySubscribers := make(chan *nats.Msg, 16)
	if _, err := b.Conn().ChanSubscribe(b.ResultsSubject(), seenBySubscribers); err != nil {
		t.Fatal(err)
	}
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
				t.Errorf("round %d: item %d was there: %t, want %t", i+1, n, seen[n], want)
			}
		}
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if m := <-seenBySubscribers; m.Header.Get(bus.TraceHeader) != trace || len(seenBySubscribers) != 0 {
		t.Errorf("trace %q, and %d more results", m.Header.Get(bus.TraceHeader), len(seenBySubscribers))
	}
}

func TestEventComesAgainUntilItIsDone(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	e := request("lead-1").Event
	if _, err := b.Store(t.Context(), "", event.Item{Pending: &event.Pending{Event: e}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var at []time.Time
	alive := 0
	b.ConsumeLookups(ctx, 1, bus.Worker{
		Alive: func() { alive++ }, Log: quiet(),
		Handle: func(_ context.Context, d bus.Delivery) bus.Disposition {
			if d.Source != "website" || d.ID != e.ID.String() || d.Stored.IsZero() {
				t.Errorf("delivered %+v", d)
			}
			if at = append(at, time.Now()); len(at) == 3 {
				cancel()
			}
			return bus.Disposition{Ack: len(at) == 3, Redeliver: 100 * time.Millisecond}
		},
	})
	if len(at) != 3 || at[2].Sub(at[0]) < 200*time.Millisecond || alive == 0 {
		t.Errorf("delivered at %v with %d signs of life", at, alive)
	}
}

func TestEmbeddedStreamOfAnOlderCallbridgeFollowsTheNewOne(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	js, err := jetstream.New(b.Conn())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(t.Context(), "CALLBRIDGE_REQUESTS", "lookup"); err != nil {
		t.Fatal(err)
	}
	older := stream.CachedInfo().Config
	older.Subjects, older.MaxMsgsPerSubject = older.Subjects[:1], -1
	if _, err := js.UpdateStream(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if b.Ready(t.Context()) == nil {
		t.Error("ready without the consumer")
	}
	b.Close()
	again := open(t, config)
	if _, err := again.Store(t.Context(), "", event.Item{Pending: &event.Pending{Event: request("lead-1").Event}}); err != nil {
		t.Error(err)
	}
	if js, err = jetstream.New(again.Conn()); err != nil {
		t.Fatal(err)
	}
	if stream, err = js.Stream(t.Context(), "CALLBRIDGE_REQUESTS"); err != nil {
		t.Fatal(err)
	}
	if got, want := stream.CachedInfo().Config.MaxMsgsPerSubject, bus.Define(config).Streams[0].MaxMsgsPerSubject; got != want {
		t.Errorf("a subject keeps %d messages, want %d", got, want)
	}
}

func TestWhatARouteHasSkippedIsNotRequestedAnyMore(t *testing.T) {
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
		t.Errorf("the call is asked for: %v", err)
	}
	// An event that no route wanted may be wanted when it comes again.
	other := request("lead-2")
	nobody := event.Result{RequestID: event.RequestID(other.Event.ID, ""), Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: other.Event}
	if _, err := b.Store(t.Context(), "", event.Item{Result: &nobody}); err != nil {
		t.Fatal(err)
	}
	if seen, err := b.Store(t.Context(), "", event.Item{Request: &other}); err != nil || seen[0] {
		t.Errorf("nobody wanted it before: seen %v, error %v", seen, err)
	}
}

// A bulk edit comes as many lists at once. A slow machine may answer some of them
// too late, and their CRM sends them again; none is turned away for their number.
func TestManyListsAtOnceAreKept(t *testing.T) {
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
