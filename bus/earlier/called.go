package earlier

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// Requested reports whether the stream has a request and did not close it. The filter
// is that of all messages of the request.
func Requested(ctx context.Context, requests jetstream.Stream, filter string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	msg, err := Last(ctx, requests, filter)
	return msg != nil && strings.HasSuffix(msg.Subject, ".ready"), err
}

// MarkCalled marks items[i], whose person is called already, and the requests of its
// event that call the same number.
func MarkCalled(items []event.Item, seen []bool, i int) {
	seen[i] = true
	id, to := items[i].Event().ID, items[i].CallTo()
	for n, item := range items {
		if item.Request != nil && item.Event().ID == id && (to == "" || item.CallTo() == to) {
			seen[n] = true
		}
	}
}

// GivesWay reports whether an item is the result of a route that gives way to another
// one of its event.
func GivesWay(item event.Item) bool {
	return item.Result != nil && item.Result.Reason == event.ReasonSameEvent
}
