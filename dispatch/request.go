package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/callab"
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

// sign writes the request id into the call's metadata and notes, where a
// search of Callab's list finds it, and removes what could be taken for the id of
// another request: the call may hold text of a form, and ids can be predicted.
// Unknown fields of the call are dropped.
func (r *request) sign() error {
	id := r.ID.String()
	var call callab.NewCall
	if err := json.Unmarshal(r.Call, &call); err != nil {
		return fmt.Errorf("call is not a create-call body: %w", err)
	}
	if !event.IsE164(call.CallTo) {
		return errors.New("call.call_to is not an E.164 number")
	}
	r.callTo = event.Phone(call.CallTo)
	if call.Metadata == nil {
		call.Metadata = map[string]any{}
	}
	cleanIDs(call.Metadata)
	call.Metadata[event.RequestKey] = id
	for name, value := range call.AgentDynamicVariables {
		call.AgentDynamicVariables[name] = withoutIDs(value)
	}
	if _, foreign := call.AgentDynamicVariables[event.RequestKey]; foreign {
		call.AgentDynamicVariables[event.RequestKey] = id
	}
	call.Notes = signedNotes(call.Notes, id)
	body, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode call: %w", err)
	}
	r.Call = body
	return nil
}

// reject ends a request that cannot be dialled.
func (d *Dispatcher) reject(r request, cause error) bus.Disposition {
	e := entry{Record: Record{State: Rejected, Reason: event.ReasonBadRequest, Detail: untrusted.Redact(cause.Error())}}
	if err := d.publishResult(context.WithoutCancel(d.drain), r, e); err != nil {
		return d.busFailed(r, err)
	}
	return bus.Acknowledge()
}
