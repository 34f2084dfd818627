// Package earlier reads what the streams keep under the identity of an item that was
// not stored because of it: an earlier request, result or pending event.
package earlier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// Found is what is stored under the identity of an item.
type Found struct {
	// Item is the stored request, result or pending event. It is empty if the stream
	// does not keep it any more, or if it cannot be read.
	Item event.Item
	// Was is the reason why the request was closed; empty for a request that is made.
	Was event.Reason
	// Open says that the lookup of the stored event has ended with a rejection, so
	// that the event may be looked up again.
	Open bool
	// Revision is the sequence of the stored pending event.
	Revision uint64
}

// Reader reads the streams of requests and results.
type Reader struct {
	Requests, Results jetstream.Stream
	// Request is the filter of all messages of a request, Lookup the subject of a
	// pending event, and Result that of a result.
	Request, Lookup func(source string, id uuid.UUID) string
	Result          func(outcome event.Outcome, source string, id uuid.UUID) string
	// Ended is the subject of the message that the lookup of a pending event has
	// ended with a rejection.
	Ended func(event.Event) string
}

const (
	// timeout bounds the reads for the duplicates of one webhook.
	timeout = 2 * time.Second
	// reads bounds the reads of one webhook at the same time.
	reads = 16
)

// Read reads what is stored under the identity of each item.
func (r Reader) Read(ctx context.Context, items []event.Item) ([]Found, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, errs := make([]Found, len(items)), make([]error, len(items))
	var all sync.WaitGroup
	free := make(chan struct{}, reads)
	for i := range items {
		free <- struct{}{}
		all.Go(func() {
			found[i], errs[i] = r.one(ctx, items[i])
			<-free
		})
	}
	all.Wait()
	return found, errors.Join(errs...)
}

func (r Reader) one(ctx context.Context, item event.Item) (Found, error) {
	switch {
	case item.Pending != nil:
		return r.pending(ctx, item.Pending.Event)
	case item.Request != nil:
		return r.request(ctx, item.Request)
	}
	e, err := r.result(ctx, *item.Result)
	if err == nil && e.Was == "" && item.Result.Outcome == event.Skipped && item.Result.Route != "" {
		// Not skipped before: the request that prevents the result.
		return r.request(ctx, &event.Request{ID: item.Result.RequestID, Event: item.Result.Event})
	}
	return e, err
}

// request reads the message that prevents a request: an earlier request, or
// that its route has skipped the event.
func (r Reader) request(ctx context.Context, next *event.Request) (e Found, err error) {
	msg, err := Last(ctx, r.Requests, r.Request(next.Event.Source, next.ID))
	if err != nil || msg == nil {
		return e, err
	}
	if strings.HasSuffix(msg.Subject, ".ready") {
		var stored event.Request
		if stored.Decode(msg.Data) == nil {
			e.Item.Request = &stored
		}
		return e, nil
	}
	skipped := event.Result{RequestID: next.ID, Outcome: event.Skipped, Event: next.Event}
	if e, err = r.result(ctx, skipped); err != nil || e.Was != "" {
		return e, err
	}
	e.Was = closedAs(msg.Data)
	return e, nil
}

// closedAs is the reason in a message that closes a request. Before there were
// reasons it had the outcome only.
func closedAs(data []byte) event.Reason {
	var closed struct {
		Outcome, Reason string
	}
	if json.Unmarshal(data, &closed) != nil {
		return ""
	}
	if closed.Reason == "" {
		return event.Reason(closed.Outcome)
	}
	return event.Reason(closed.Reason)
}

func (r Reader) result(ctx context.Context, next event.Result) (e Found, err error) {
	msg, err := Last(ctx, r.Results, r.Result(next.Outcome, next.Event.Source, next.RequestID))
	if err != nil || msg == nil {
		return e, err
	}
	var stored event.Result
	if event.Unmarshal(msg.Data, &stored) == nil {
		e.Item.Result, e.Was = &stored, stored.Reason
	}
	return e, nil
}

func (r Reader) pending(ctx context.Context, next event.Event) (e Found, err error) {
	msg, err := Last(ctx, r.Requests, r.Lookup(next.Source, next.ID))
	if err != nil || msg == nil {
		return e, err
	}
	e.Revision = msg.Sequence
	var stored event.Pending
	if event.Unmarshal(msg.Data, &stored) != nil {
		return e, nil
	}
	e.Item.Pending = &stored
	ended, err := Last(ctx, r.Requests, r.Ended(stored.Event))
	if err == nil && ended != nil {
		e.Open, e.Was = true, closedAs(ended.Data)
	}
	return e, err
}

// Last reads the newest message of a subject; nil if there is none.
func Last(ctx context.Context, s jetstream.Stream, subject string) (*jetstream.RawStreamMsg, error) {
	msg, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", subject, err)
	}
	return msg, nil
}
