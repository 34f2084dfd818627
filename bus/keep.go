package bus

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"callbridge/event"
)

// Decision is what Store stores.
type Decision = event.Item

// lookTimeout bounds the looks for results that stand already, over all items.
const lookTimeout = time.Second

// standing reports for each item whether it is a result that stands already.
func (b *Bus) standing(ctx context.Context, items []Decision) []bool {
	stands := make([]bool, len(items))
	if !slices.ContainsFunc(items, func(i Decision) bool { return i.Result != nil }) {
		return stands
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	for i, item := range items {
		stands[i] = item.Result != nil && b.HasResult(ctx, *item.Result)
	}
	return stands
}

// Store stores all items in one go, each for the first time ever. It reports
// which ones have been there before. An error means that not all are known to
// be stored: to keep the same items again stores the others once.
func (b *Bus) Store(ctx context.Context, trace string, items ...Decision) (seen []bool, err error) {
	seen = b.standing(ctx, items)
	messages, owner := make([]message, 0, len(items)), make([]int, 0, len(items))
	on := newPage()
	defer on.free()
	for i, item := range items {
		if closing, ok := b.closing(item); ok {
			messages, owner = append(messages, closing), append(owner, noOwner)
		}
		if seen[i] {
			b.metrics.count(item, true)
			continue
		}
		m, err := b.message(on, item, trace)
		if err != nil {
			return seen, err
		}
		messages, owner = append(messages, m), append(owner, i)
	}
	var failed error
	// A sender that hangs up does not take back what is half stored.
	for n, err := range b.publish(context.WithoutCancel(ctx), messages...) {
		exists := errors.Is(err, ErrExists)
		if err != nil && !exists {
			failed = cmp.Or(failed, err)
			continue
		}
		if i := owner[n]; i != noOwner {
			seen[i] = exists
			b.metrics.count(items[i], exists)
		}
	}
	return seen, failed
}

// StoreResumed stores what an event leads to that was resumed from the bus after its
// look-up. It may have been resumed before, and the CRM may have answered
// differently then: an item is stored only where neither its event nor its route has
// an outcome. Where an item is too large for NATS the event is rejected without its
// payload, since no sender is left to be told.
func (b *Bus) StoreResumed(ctx context.Context, trace string, items ...event.Item) error {
	var open []event.Item
	for _, item := range items {
		if !b.resolved(ctx, item) {
			open = append(open, item)
		}
	}
	_, err := b.Store(ctx, trace, open...)
	if errors.Is(err, ErrTooLarge) {
		_, err = b.Store(ctx, trace, tooLarge(open[0].Event()))
	}
	return err
}

// resolved reports whether the item's event as a whole or its route has an outcome.
func (b *Bus) resolved(ctx context.Context, item event.Item) bool {
	e, route := item.Event(), item.Route()
	return b.HasAnyResult(ctx, e.Source, event.RequestID(e.ID, "")) ||
		route != "" && b.HasAnyResult(ctx, e.Source, event.RequestID(e.ID, route))
}

// tooLarge is the result of an event that fits into NATS only without the call it
// leads to.
func tooLarge(e event.Event) event.Item {
	e.Data = nil
	return event.Item{Result: &event.Result{
		RequestID: event.RequestID(e.ID, ""), Outcome: event.Rejected, Reason: event.ReasonBadCall,
		Detail: "event and call together are " + ErrTooLarge.Error(), Event: e, Time: e.Received,
	}}
}

// noOwner marks a message that says nothing about whether its item was there.
const noOwner = -1

// closing is what keeps a call from being made that a route has skipped or
// rejected: it takes the place of the request, also on the day the route goes
// live and the CRM sends the event once more.
func (b *Bus) closing(item Decision) (message, bool) {
	r := item.Result
	if r == nil || r.Route == "" {
		return message{}, false
	}
	return message{
		stream: "requests", subject: b.closedSubject(r.Event.Source, r.RequestID), filter: b.requestFilter(r.Event.Source, r.RequestID),
		data: []byte(`{"outcome":"` + string(r.Outcome) + `"}`),
	}, true
}

func (b *Bus) message(on *page, item Decision, trace string) (message, error) {
	switch {
	case item.Request != nil:
		return b.request(on, item.Request, trace)
	case item.Pending != nil:
		return b.pending(on, item.Pending, trace)
	default:
		result := *item.Result
		result.TraceParent = trace
		return b.result(on, &result)
	}
}
