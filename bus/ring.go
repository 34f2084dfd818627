package bus

import (
	"context"
	"errors"

	"callbridge/bus/earlier"
	"callbridge/event"
)

// The message that closes a request decides between it and a result that says that it is
// not made: it is stored first, and only without the request. A request has one outcome,
// also where the route was switched to dry_run since, or the event is too old now.
//
// One event rings a person once, also where its deliveries differ: a route that gives
// way now (same_event) may have requested the call at an earlier delivery, when the
// other route rejected the event or came later in the file. So the route that gives way
// is closed before the request of the other is stored, and not together with it.

// closeFirst closes the requests that are not made, and marks as seen what must not be
// stored, because such a request exists: the person is called already.
func (b *Bus) closeFirst(ctx context.Context, items []event.Item, seen []bool) error {
	var closings []message
	var owner []int
	for i, item := range items {
		for _, m := range b.closingMessages(item) {
			closings, owner = append(closings, m), append(owner, i)
		}
	}
	if len(closings) == 0 {
		return nil
	}
	for n, err := range b.publish(context.WithoutCancel(ctx), closings...) {
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrExists) {
			return err
		}
		requested, err := earlier.Requested(ctx, b.requests, closings[n].filter)
		if err != nil {
			return err
		}
		if !requested {
			continue
		}
		seen[owner[n]] = true
		if earlier.GivesWay(items[owner[n]]) {
			earlier.MarkCalled(items, seen, owner[n])
		}
	}
	return nil
}
