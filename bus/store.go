package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/earlier"
	"callbridge/bus/stream"
	"callbridge/event"
)

// queryTimeout bounds the questions whether results exist.
const queryTimeout = time.Second

// Store publishes all items together, each at most once, and reports which of them
// were stored before. An error means that some are not known to be stored: storing
// the same items again stores the missing ones once. While the embedded server cannot
// store, or has no room for more, Store fails at once.
func (b *Bus) Store(ctx context.Context, trace string, items ...event.Item) (seen []bool, err error) {
	if err := b.server.Accept(len(items), sizeOf(items)); err != nil {
		return make([]bool, len(items)), err
	}
	return b.store(ctx, trace, items)
}

// sizeOf is about the number of bytes that items take when they are stored.
func sizeOf(items []event.Item) (bytes int) {
	const ids = 1 << 10 // with subjects and headers
	for _, item := range items {
		bytes += ids + len(item.Event().Data)
		if item.Request != nil {
			bytes += len(item.Request.Call)
		}
	}
	return bytes
}

// store is Store for what was accepted before.
func (b *Bus) store(ctx context.Context, trace string, items []event.Item) (seen []bool, err error) {
	seen = b.haveResults(ctx, items)
	if err := b.closeFirst(ctx, items, seen); err != nil {
		return seen, err
	}
	// owner is the index of the item that a message stores.
	messages, owner := make([]message, 0, len(items)), make([]int, 0, len(items))
	for i, item := range items {
		if seen[i] {
			b.metrics.count(item, true)
			continue
		}
		m, err := b.itemMessage(item, trace)
		if err != nil {
			return seen, err
		}
		messages, owner = append(messages, m), append(owner, i)
	}
	var failed error
	// Not cancelled with ctx: the messages are sent, whether or not the sender of
	// the webhook still waits.
	for n, err := range b.publish(context.WithoutCancel(ctx), messages...) {
		exists := errors.Is(err, ErrExists)
		if err != nil && !exists {
			failed = cmp.Or(failed, err)
			continue
		}
		seen[owner[n]] = exists
		b.metrics.count(items[owner[n]], exists)
	}
	return seen, failed
}

// StoreResumed stores the items of an event that was delivered again after its lookup.
// The CRM may have answered differently at an earlier delivery, so an item is stored
// only if neither its event nor its route has a result. If an item is too large for
// NATS, the event is rejected without its payload. After a rejection, the same event
// may be looked up once more: see Earlier.
func (b *Bus) StoreResumed(ctx context.Context, trace string, items ...event.Item) error {
	if len(items) == 0 || b.rejectedBefore(ctx, items[0].Event()) {
		return nil
	}
	var open []event.Item
	for _, item := range items {
		if !b.resolved(ctx, item) {
			open = append(open, item)
		}
	}
	err := b.storeOpen(ctx, trace, open)
	if errors.Is(err, ErrTooLarge) {
		err = b.storeOpen(ctx, trace, []event.Item{tooLarge(open[0])})
	}
	return err
}

// storeOpen stores items and then, if one of them is a rejection, that the lookup has
// ended with it: until then the event is not looked up again for another webhook.
func (b *Bus) storeOpen(ctx context.Context, trace string, items []event.Item) error {
	if _, err := b.store(ctx, trace, items); err != nil {
		return err
	}
	i := slices.IndexFunc(items, func(i event.Item) bool { return i.Result != nil && i.Result.Outcome == event.Rejected })
	if i < 0 {
		return nil
	}
	r := items[i].Result
	err := b.publish(context.WithoutCancel(ctx), b.closing(r.Event.Source, event.LookupID(r.Event), r.Outcome, r.Reason))[0]
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// rejectedBefore reports whether the lookup for this webhook has ended with a rejection
// already. A false negative is safe: a request of the event is stored once.
func (b *Bus) rejectedBefore(ctx context.Context, e event.Event) bool {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	msg, err := earlier.Last(ctx, b.requests, b.endedSubject(e))
	return err == nil && msg != nil
}

// resolved reports whether the item's route has a result, or this webhook as a whole:
// the result of an earlier webhook about the event, which no route wanted, counts only
// for that one.
func (b *Bus) resolved(ctx context.Context, item event.Item) bool {
	e, route := item.Event(), item.Route()
	// What gives way is always checked: it may hold back the request of its event.
	if route != "" && !earlier.GivesWay(item) {
		if _, ok := b.anyResult(ctx, e.Source, event.RequestID(e.ID, route)); ok {
			return true
		}
	}
	whole, ok := b.anyResult(ctx, e.Source, event.RequestID(e.ID, ""))
	return ok && whole.Event.Received.Equal(e.Received)
}

// tooLarge is the result of an event that fits into NATS only without its call.
func tooLarge(item event.Item) event.Item {
	e := item.Event()
	e.Data = nil
	return event.Item{Result: &event.Result{
		RequestID: event.RejectionID(e.ID, "", event.ReasonBadCall, "", e.ReceivedText()), Outcome: event.Rejected, Reason: event.ReasonBadCall,
		Config: item.Config(), Detail: "event and call together are " + ErrTooLarge.Error(), Event: e, Time: e.Received,
	}}
}

// haveResults reports for each item whether it is a result, and its request has one
// already, of whatever outcome: the request may be gone, and its result not. The stream
// refuses the same result; but subscribers without JetStream receive a refused message as
// well, and would take it for a second result.
func (b *Bus) haveResults(ctx context.Context, items []event.Item) []bool {
	have := make([]bool, len(items))
	if !slices.ContainsFunc(items, func(i event.Item) bool { return i.Result != nil }) {
		return have
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	for i, item := range items {
		if item.Result != nil {
			_, have[i] = b.storedResult(ctx, b.resultSubject("*", item.Result.Event.Source, item.Result.RequestID))
		}
	}
	return have
}

// closingMessages close the request of a route that has skipped the event, or those of
// all routes. Such a request is then refused if the CRM sends the event again after the
// route went live. A rejection closes nothing: the mended event may lead to a call.
func (b *Bus) closingMessages(item event.Item) (closings []message) {
	r := item.Result
	if r == nil || r.Outcome != event.Skipped {
		return nil
	}
	if r.Route != "" {
		return []message{b.closing(r.Event.Source, r.RequestID, r.Outcome, r.Reason)}
	}
	for _, route := range r.Closes {
		closings = append(closings, b.closing(r.Event.Source, event.RequestID(r.Event.ID, route), r.Outcome, r.Reason))
	}
	return closings
}

func (b *Bus) closing(source string, id uuid.UUID, outcome event.Outcome, reason event.Reason) message {
	return message{
		stream: stream.Requests, subject: b.closedSubject(source, id), filter: b.requestFilter(source, id),
		data: []byte(`{"outcome":"` + string(outcome) + `","reason":"` + string(reason) + `"}`),
	}
}

func (b *Bus) itemMessage(item event.Item, trace string) (message, error) {
	switch {
	case item.Request != nil:
		return b.requestMessage(item.Request, trace)
	case item.Pending != nil:
		return b.pendingMessage(item.Pending, trace)
	default:
		result := *item.Result
		result.TraceParent = trace
		return b.resultMessage(&result)
	}
}

func (b *Bus) requestMessage(r *event.Request, trace string) (message, error) {
	data, err := event.Marshal(r)
	return message{stream: stream.Requests, subject: b.RequestSubject(r.Event.Source, r.ID), filter: b.requestFilter(r.Event.Source, r.ID), data: data, trace: trace}, err
}

func (b *Bus) pendingMessage(p *event.Pending, trace string) (message, error) {
	data, err := event.Marshal(p)
	subject := b.lookupSubject(p.Event.Source, p.Event.ID)
	return message{stream: stream.Requests, subject: subject, filter: subject, data: data, trace: trace}, err
}

func (b *Bus) resultMessage(r *event.Result) (message, error) {
	data, err := event.Marshal(r)
	subject := b.resultSubject(r.Outcome, r.Event.Source, r.RequestID)
	filter := subject
	if r.Outcome == event.Ended {
		// One end, of whatever class.
		subject, filter = subject+"."+string(r.Reason), subject+".*"
	}
	return message{stream: stream.Results, subject: subject, filter: filter, data: data, trace: r.TraceParent}, err
}

// anyResult returns the newest result of a request, of any outcome, within one second. A
// false negative is safe: the publish itself is conditional, and so are changes of the
// ledger.
func (b *Bus) anyResult(ctx context.Context, source string, requestID uuid.UUID) (r event.Result, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	data, ok := b.storedResult(ctx, b.resultSubject("*", source, requestID))
	return r, ok && event.Unmarshal(data, &r) == nil
}

// storedResult also waits for the flush: the result may not be on the disk yet.
func (b *Bus) storedResult(ctx context.Context, subject string) ([]byte, bool) {
	msg, err := b.results.GetLastMsgForSubject(ctx, subject)
	if err != nil || b.server.Flush(ctx, stream.Results) != nil {
		return nil, false
	}
	return msg.Data, true
}

// ErrGone: the stream does not keep the request any more.
var ErrGone = errors.New("request is gone")

// StoredRequest reads a request from its stream by id. The error is ErrGone if it
// has expired.
func (b *Bus) StoredRequest(ctx context.Context, id uuid.UUID) (Delivery, error) {
	msg, err := b.requests.GetLastMsgForSubject(ctx, b.config.Prefix+".request.*."+id.String()+".ready")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Delivery{}, ErrGone
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("read request %s: %w", id, err)
	}
	d := Delivery{Data: msg.Data, Trace: msg.Header.Get(TraceHeader), Stored: msg.Time}
	d.Source, d.ID = b.parseSubject(msg.Subject)
	return d, nil
}
