package bus

import (
	"context"
	"errors"

	"callbridge/bus/earlier"
	"callbridge/event"
)

// Earlier reads what is stored under the identity of each item: a few reads for each
// duplicate, and none on the way of a new event.
func (b *Bus) Earlier(ctx context.Context, items []event.Item) ([]earlier.Found, error) {
	return earlier.Reader{
		Requests: b.requests, Results: b.results,
		Request: b.requestFilter, Lookup: b.lookupSubject, Result: b.resultSubject, Ended: b.endedSubject,
	}.Read(ctx, items)
}

// endedSubject is the subject of the message that the lookup for one webhook of an event
// has ended with a rejection. Each webhook has another time.
func (b *Bus) endedSubject(e event.Event) string { return b.closedSubject(e.Source, event.LookupID(e)) }

// Renew stores a pending event after an earlier one whose lookup has ended with a
// rejection. It reports false if another copy of the event was faster.
func (b *Bus) Renew(ctx context.Context, trace string, p *event.Pending, after earlier.Found) (bool, error) {
	m, err := b.pendingMessage(p, trace)
	if err != nil {
		return false, err
	}
	m.revision = after.Revision
	err = b.publish(context.WithoutCancel(ctx), m)[0]
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	if err == nil {
		b.metrics.count(event.Item{Pending: p}, false)
	}
	return err == nil, err
}
