package bus_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/bus/bustest"
	"callbridge/event"
)

// TestADeferredResultIsNoEnd: it is published once for each wait, and never after the end
// of its request, which is what counts.
func TestADeferredResultIsNoEnd(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	r := request("lead-1")
	deferred := func(until time.Time) error {
		return b.PublishDeferred(t.Context(), event.Result{RequestID: r.ID, Outcome: event.Deferred, Reason: event.ReasonCapped, Until: until, Event: r.Event})
	}
	ended := func(want event.Outcome) {
		t.Helper()
		if got, err := b.ResultOf(t.Context(), r.Event.Source, r.ID); got != want || err != nil {
			t.Errorf("ended %q, %v; want %q", got, err, want)
		}
	}
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	ended("")
	for _, c := range []struct {
		until time.Time
		want  error
	}{
		{noon, nil}, {noon, bus.ErrExists}, {noon.Add(time.Hour), nil}, {noon.Add(time.Hour), bus.ErrExists}, {noon, nil}, {time.Time{}, nil},
	} {
		if err := deferred(c.until); !errors.Is(err, c.want) {
			t.Errorf("deferred until %s: %v, want %v", c.until, err, c.want)
		}
	}
	ended("")
	// The event is mapped again, and its route is off by now: the request waits all the same.
	skipped := event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonDryRun, Route: r.Route, Event: r.Event}
	if seen, err := b.Store(t.Context(), "", event.Item{Result: &skipped}); err != nil || !seen[0] {
		t.Errorf("the result of a request that waits is new: %v", err)
	}
	if err := b.PublishResult(t.Context(), event.Result{RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Event: r.Event}); err != nil {
		t.Fatal(err)
	}
	ended(event.Accepted)
	if err := deferred(noon); !errors.Is(err, bus.ErrExists) {
		t.Errorf("deferred after its end: %v", err)
	}
	// In a cluster, it may come later all the same.
	late, err := event.Marshal(event.Result{RequestID: r.ID, Outcome: event.Deferred, Reason: event.ReasonCapped, Event: r.Event})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jetStreamOf(t, b).Publish(t.Context(), "callbridge.result.deferred.website."+r.ID.String(), late); err != nil {
		t.Fatal(err)
	}
	ended(event.Accepted)
}

// TestTheEndOfACallIsPublishedOnce: of whatever class, and the request has ended as accepted.
func TestTheEndOfACallIsPublishedOnce(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	r := request("lead-1")
	for _, c := range []struct {
		outcome event.Outcome
		reason  event.Reason
		want    error
	}{
		{event.Accepted, event.ReasonCreated, nil},
		{event.Ended, event.ReasonReached, nil},
		{event.Ended, event.ReasonReached, bus.ErrExists},
		{event.Ended, event.ReasonNoAnswer, bus.ErrExists},
		{event.Analysed, event.ReasonReached, nil},
		{event.Analysed, event.ReasonNoAnswer, bus.ErrExists},
	} {
		result := event.Result{RequestID: r.ID, Outcome: c.outcome, Reason: c.reason, Event: r.Event}
		if err := b.PublishResult(t.Context(), result); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %v, want %v", c.outcome, c.reason, err, c.want)
		}
		if got, err := b.ResultOf(t.Context(), r.Event.Source, r.ID); got != event.Accepted || err != nil {
			t.Errorf("after %s the request has ended as %q, %v", c.outcome, got, err)
		}
	}
	deferred := event.Result{RequestID: r.ID, Outcome: event.Deferred, Reason: event.ReasonCapped, Event: r.Event}
	if err := b.PublishDeferred(t.Context(), deferred); !errors.Is(err, bus.ErrExists) {
		t.Errorf("deferred after the call has ended: %v", err)
	}
	config := bustest.Remote(b.UserURL("reader"))
	for _, c := range []struct {
		outcome string
		want    []event.Outcome
	}{
		{"", []event.Outcome{event.Accepted, event.Ended, event.Analysed}},
		{"ended", []event.Outcome{event.Ended}},
		{"analysed", []event.Outcome{event.Analysed}},
	} {
		var got []event.Outcome
		err := bus.ReadResults(t.Context(), config, bus.ResultQuery{Outcome: c.outcome, Source: r.Event.Source}, func(r event.Result) error {
			got = append(got, r.Outcome)
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("results of outcome %q: %v, %v", c.outcome, got, err)
		}
	}
	err := bus.ReadArchive(t.Context(), bustest.Remote(b.UserURL("operator")), "test", "operator", func(ctx context.Context, a archive.Archive) error {
		found, err := a.Results(ctx, r.ID)
		if len(found) != 3 || !strings.Contains(found[1].Subject, ".ended.website."+r.ID.String()+".reached") {
			t.Errorf("the archive has %v", found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
