package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/dispatch/record"
	"callbridge/dispatch/search"
	"callbridge/event"
	"callbridge/span"
	"callbridge/untrusted"
)

// request is a delivered request that was parsed. Its Call holds the request
// id and is sent as it is.
type request struct {
	event.Request
	callTo event.Phone
	trace  span.Parent
	// stored is when NATS stored the request, by the clock of its server.
	stored time.Time
	// gone: its message was deleted. Only its id and its source are known.
	gone bool
}

// attributes identify the request in a span.
func (r request) attributes() []slog.Attr {
	return []slog.Attr{slog.String("callbridge.request_id", r.ID.String()), slog.String("callbridge.source", r.Event.Source)}
}

// parseRequest decodes and checks a delivered message. Source and id are those
// of the subject; the body must not contradict them. Other services may publish
// requests, so nothing in the body is trusted. With an error, the request
// holds what is needed to publish its result.
func parseRequest(d bus.Delivery) (request, error) {
	var r request
	id, idErr := uuid.Parse(d.ID)
	if idErr != nil {
		id = event.RequestID(event.EventID(d.Source, d.ID), "")
	}
	bodyErr := r.Decode(d.Data)
	bodyID := r.ID
	r.trace = span.ContinueOf(d.Trace, id)
	r.ID, r.Event.Source, r.stored = id, d.Source, d.Stored
	if idErr != nil {
		return r, errors.New("the id in the subject is not a UUID")
	}
	if bodyErr != nil {
		return r, fmt.Errorf("the body is not a request: %w", bodyErr)
	}
	if bodyID != uuid.Nil && bodyID != id {
		return r, errors.New("the id in the body is not the one in the subject")
	}
	return r, r.sign()
}

// sign writes the request id into the call.
func (r *request) sign() error {
	body, to, err := search.Sign(r.Call, r.ID)
	r.callTo = to
	if err == nil {
		r.Call = body
	}
	return err
}

// reject ends a request that cannot be dialled.
func (d *Dispatcher) reject(r request, cause error) bus.Disposition {
	e := entry{Record: record.Record{State: record.Rejected, Reason: event.ReasonBadRequest, Detail: untrusted.Redact(cause.Error())}}
	if err := d.publishResult(context.WithoutCancel(d.drain), r, e); err != nil {
		return d.busFailed(r, err)
	}
	return bus.Acknowledge()
}
