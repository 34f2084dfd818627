package bus

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// MaxPending is maxPending.
const MaxPending = maxPending

// KeepAlive is keepAlive.
var KeepAlive = keepAlive

// Message lets tests see the result of each published message.
type Message = message

// NewMessage makes a message that is stored if its subject has none.
func NewMessage(subject string, data []byte) Message {
	return message{stream: "requests", subject: subject, filter: subject, data: data}
}

// RequestMessage is requestMessage.
func (b *Bus) RequestMessage(r event.Request, trace string) (Message, error) {
	return b.requestMessage(&r, trace)
}

// Publish is publish.
func (b *Bus) Publish(ctx context.Context, messages ...Message) []error {
	return b.publish(ctx, messages...)
}

// Write is write, with the errors of publish.
func (b *Bus) Write(ctx context.Context, subject string) error {
	_, err := b.write(ctx, subject, nil, 0)
	return publishError(subject, err)
}

// NewOn makes a Bus that only publishes.
func NewOn(conn *nats.Conn, maxPending int) (b *Bus, err error) {
	b = &Bus{conn: conn}
	if b.publisher, err = newPublisher(conn, maxPending); err != nil {
		return nil, err
	}
	b.js, err = jetstream.New(conn)
	return b, err
}
