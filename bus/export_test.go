package bus

import (
	"context"

	"callbridge/event"
)

// Message is for tests that look at what became of each message.
type Message = message

// Request is request, with a page of its own.
func (b *Bus) Request(r event.Request, trace string) (Message, error) {
	return b.request(&page{}, &r, trace)
}

// Publish is publish.
func (b *Bus) Publish(ctx context.Context, messages ...Message) []error {
	return b.publish(ctx, messages...)
}
