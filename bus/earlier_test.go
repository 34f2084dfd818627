package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/earlier"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// before reads what is stored under the identity of one item.
func before(t *testing.T, b *bus.Bus, item event.Item) earlier.Found {
	t.Helper()
	found, err := b.Earlier(t.Context(), []event.Item{item})
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func TestEarlierFindsWhatPreventsARequest(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	js := jetStreamOf(t, b)
	for name, c := range map[string]struct {
		// suffix and data are of the stored message.
		suffix, data string
		was          event.Reason
		call         string
	}{
		"a request":                         {"ready", `{"call":{"call_to":"+12025550142"}}`, "", `{"call_to":"+12025550142"}`},
		"a request that cannot be read":     {"ready", `{"call":`, "", ""},
		"closed, without a result":          {"closed", `{"outcome":"skipped","reason":"dry_run"}`, "dry_run", ""},
		"closed by an earlier version":      {"closed", `{"outcome":"rejected"}`, "rejected", ""},
		"closed by what nobody understands": {"closed", `x`, "", ""},
		"gone":                              {"", "", "", ""},
	} {
		r := request(name)
		if c.suffix != "" {
			if _, err := js.Publish(t.Context(), "callbridge.request.website."+r.ID.String()+"."+c.suffix, []byte(c.data)); err != nil {
				t.Fatal(err)
			}
		}
		e := before(t, b, event.Item{Request: &r})
		call := ""
		if e.Item.Request != nil {
			call = string(e.Item.Request.Call)
		}
		if e.Was != c.was || call != c.call || e.Item.Result != nil {
			t.Errorf("%s: got %+v, call %s", name, e, call)
		}
	}
}

func TestEarlierFindsTheEventOfASkippedRequest(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	r := request("lead-1")
	r.Event.Data = []byte(`{"phone":"+12025550142"}`)
	skip := event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonNotAllowed, Route: r.Route, Event: r.Event}
	if _, err := b.Store(t.Context(), "", event.Item{Result: &skip}); err != nil {
		t.Fatal(err)
	}
	for _, item := range []event.Item{{Request: &r}, {Result: &skip}} {
		e := before(t, b, item)
		if e.Was != event.ReasonNotAllowed || e.Item.Result == nil || string(e.Item.Result.Event.Data) != string(r.Event.Data) {
			t.Errorf("got %+v", e)
		}
	}
}

// What cannot be read is an error, so that the CRM sends the webhook again: the answer
// must not say duplicate about somebody else.
func TestEarlierFailsWithoutNATS(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	r := request("lead-1")
	b.Conn().Close()
	if _, err := b.Earlier(t.Context(), []event.Item{{Request: &r}}); err == nil {
		t.Error("no error")
	}
}

// A process may end after each publish of StoreResumed. The event is then delivered
// again, and meanwhile it may have been sent again.
func TestARejectedLookupIsRenewedOnlyWhenItsResultIsStored(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	results := testkit.Subscribe(t, b.Conn(), "callbridge.result.>")
	p := event.Pending{Event: request("lead-1").Event}
	p.Event.Received = time.Date(2026, 11, 28, 9, 0, 0, 1, time.UTC)
	item := event.Item{Pending: &p}
	if _, err := b.Store(t.Context(), "", item); err != nil {
		t.Fatal(err)
	}
	rejected := event.Result{
		RequestID: event.RejectionID(p.Event.ID, "", event.ReasonLookupFailed, "", "1"), Outcome: event.Rejected,
		Reason: event.ReasonLookupFailed, Event: p.Event,
	}
	// The process ends between the two.
	if err := b.PublishResult(t.Context(), rejected); err != nil {
		t.Fatal(err)
	}
	if e := before(t, b, item); e.Open || e.Item.Pending == nil {
		t.Errorf("open before the lookup has ended: %+v", e)
	}
	for range 2 { // and the event is delivered twice
		if err := b.StoreResumed(t.Context(), "", event.Item{Result: &rejected}); err != nil {
			t.Fatal(err)
		}
	}
	after := before(t, b, item)
	if !after.Open || after.Was != event.ReasonLookupFailed {
		t.Fatalf("not open after its rejection: %+v", after)
	}
	next := event.Pending{Event: p.Event}
	next.Event.Received = p.Event.Received.Add(time.Minute)
	for n, want := range []bool{true, false} { // two processes have read the same
		if renewed, err := b.Renew(t.Context(), "", &next, after); err != nil || renewed != want {
			t.Errorf("copy %d: renewed %t, %v; want %t", n+1, renewed, err, want)
		}
	}
	if e := before(t, b, item); e.Open {
		t.Error("the second lookup counts as ended")
	}
	// The first one is delivered once more, after the second has led to a call.
	r := request("lead-1")
	r.Event = next.Event
	if err := b.StoreResumed(t.Context(), "", event.Item{Request: &r}); err != nil {
		t.Fatal(err)
	}
	late := request("lead-1")
	late.Event = p.Event
	if err := b.StoreResumed(t.Context(), "", event.Item{Request: &late}); err != nil {
		t.Fatal(err)
	}
	stored, err := b.StoredRequest(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got event.Request
	if err := got.Decode(stored.Data); err != nil || !got.Event.Received.Equal(next.Event.Received) {
		t.Errorf("stored %+v, %v", got, err)
	}
	testkit.Next(t, results)
	if err := b.Conn().Flush(); err != nil || len(results) != 0 {
		t.Errorf("%d more results, %v", len(results), err)
	}
}

// A rejection closes nothing, whatever is stored first.
func TestRejectionAndRequestInAnyOrder(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		r := request(fmt.Sprint("lead-", order))
		rejected := event.Result{
			RequestID: event.RejectionID(r.Event.ID, r.Route, event.ReasonBadPhone, "phone", ""), Outcome: event.Rejected,
			Reason: event.ReasonBadPhone, Route: r.Route, Event: r.Event,
		}
		items := []event.Item{{Result: &rejected}, {Request: &r}}
		for _, i := range order {
			if seen, err := b.Store(t.Context(), "", items[i]); err != nil || seen[0] {
				t.Errorf("%v: item %d: seen %v, %v", order, i, seen, err)
			}
		}
		// Callab refuses the call: its result has another subject.
		refused := event.Result{RequestID: r.ID, Outcome: event.Rejected, Reason: event.ReasonRefused, Event: r.Event}
		if err := b.PublishResult(t.Context(), refused); err != nil {
			t.Errorf("%v: the result of the call: %v", order, err)
		}
	}
	info, err := stream(t, b, "CALLBRIDGE_REQUESTS").Info(t.Context(), jetstream.WithSubjectFilter("callbridge.request.*.*.closed"))
	if err != nil || len(info.State.Subjects) != 0 {
		t.Errorf("closed: %v, %v", info.State.Subjects, err)
	}
}

func stream(t *testing.T, b *bus.Bus, name string) jetstream.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := jetStreamOf(t, b).Stream(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
