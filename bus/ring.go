package bus

import (
	"context"
	"errors"

	"callbridge/bus/earlier"
	"callbridge/event"
)

// One event rings a person once, also where its deliveries differ: a route that gives
// way now (same_event) may have requested the call at an earlier delivery, when the
// other route rejected the event or came later in the file. So the route that gives way
// is closed before the request of the other is stored, and not together with it.

// closeFirst closes the requests of the routes that give way, and marks as seen what
// must not be stored, because such a request exists: the person is called already.
func (b *Bus) closeFirst(ctx context.Context, items []event.Item, seen []bool) error {
	var closings []message
	var owner []int
	for i, item := range items {
		if earlier.GivesWay(item) {
			m, _ := b.closingMessage(item)
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
		if requested {
			earlier.MarkCalled(items, seen, owner[n])
		}
	}
	return nil
}
