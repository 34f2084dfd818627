package bus

import (
	"cmp"
	"context"
	"errors"
	"time"

	"callbridge/event"
)

// Item is one thing that came of a webhook; exactly one is set.
type Item struct {
	Request *event.Request
	Result  *event.Result
	Pending *event.Pending
}

// lookTimeout bounds the looks for results that stand already, over all items.
const lookTimeout = time.Second

// Keep stores all items in one go, each for the first time ever. It reports
// which ones have been there before. An error means that not all are known to
// be stored: to keep the same items again stores the others once.
func (b *Bus) Keep(ctx context.Context, trace string, items ...Item) (seen []bool, err error) {
	seen = make([]bool, len(items))
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var messages []Message
	var owner []int
	for i, item := range items {
		if seen[i], err = b.ended(looking, item); err != nil {
			return seen, err
		}
		if seen[i] {
			b.metrics.count(item, true)
			continue
		}
		m, err := b.message(item, trace)
		if err != nil {
			return seen, err
		}
		messages, owner = append(messages, m), append(owner, i)
	}
	// A sender that hangs up does not take back what is half stored.
	var failed error
	for i, err := range b.Publish(context.WithoutCancel(ctx), messages...) {
		if err != nil && !errors.Is(err, ErrExists) {
			failed = cmp.Or(failed, err)
			continue
		}
		seen[owner[i]] = err != nil
		b.metrics.count(items[owner[i]], err != nil)
	}
	return seen, failed
}

// ended reports whether an item has its outcome already. A result is only
// spared a repeat. A request that has one is not made any more: what a route
// has skipped or rejected stays so, also after the route went live.
func (b *Bus) ended(ctx context.Context, item Item) (bool, error) {
	switch {
	case item.Result != nil:
		return b.Published(ctx, *item.Result), nil
	case item.Request != nil:
		return b.hasResult(ctx, item.Request.Event.Source, item.Request.ID)
	}
	return false, nil
}

func (b *Bus) message(item Item, trace string) (Message, error) {
	switch {
	case item.Request != nil:
		return b.Request(*item.Request, trace)
	case item.Pending != nil:
		return b.Pending(*item.Pending, trace)
	default:
		result := *item.Result
		result.TraceParent = trace
		return b.Result(result)
	}
}
