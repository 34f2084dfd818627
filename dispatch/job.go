package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/event"
	"callbridge/span"
)

// job is one delivered request, read and fit to be dialled.
type job struct {
	// request holds the call as it is sent: signed.
	request event.Request
	callTo  string
	trace   span.Parent
}

func (j job) to() event.Phone { return event.Phone(j.callTo) }

// notePrefix stands before the request id in a call's notes.
const notePrefix = "callbridge "

// attributes say in a span which request it is about.
func (j job) attributes() []slog.Attr {
	return []slog.Attr{slog.String("callbridge.request_id", j.request.ID.String()), slog.String("callbridge.source", j.request.Event.Source)}
}

// read makes a job of a delivery. The subject says which source and which id;
// the body must not say otherwise. Anybody may have written it, so it is
// checked as if nobody had. With an error, the job holds what is needed to
// report it.
func read(d bus.Delivery) (job, error) {
	var j job
	id, idErr := uuid.Parse(d.ID)
	if idErr != nil {
		id = event.RequestID(event.EventID(d.Source, d.ID), "")
	}
	bodyErr := j.request.Decode(d.Data)
	claimed := j.request.ID
	j.trace = span.ContinueOf(d.Trace, id)
	j.request.ID, j.request.Event.Source = id, d.Source
	if idErr != nil {
		return j, errors.New("the id in the subject is not a UUID")
	}
	if bodyErr != nil {
		return j, fmt.Errorf("the body is not a request: %w", bodyErr)
	}
	if claimed != uuid.Nil && claimed != id {
		return j, errors.New("the id in the body is not the one in the subject")
	}
	return j, j.sign()
}

// sign puts the request id where Callab's list can be searched for it. The call
// is decoded and encoded again, so that what is sent is what was checked.
func (j *job) sign() error {
	id := j.request.ID.String()
	var call callab.NewCall
	if err := json.Unmarshal(j.request.Call, &call); err != nil {
		return fmt.Errorf("call is not a create-call body: %w", err)
	}
	j.callTo = call.CallTo
	if !event.IsE164(call.CallTo) {
		return errors.New("call.call_to is not an E.164 number")
	}
	if call.Metadata == nil {
		call.Metadata = map[string]any{}
	}
	call.Metadata[event.RequestKey] = id
	if call.Notes == "" {
		call.Notes = notePrefix + id
	}
	body, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode call: %w", err)
	}
	j.request.Call = body
	return nil
}

// refuse ends a request that cannot be dialled at all.
func (d *Dispatcher) refuse(j job, cause error) rest {
	e := entry{Record: Record{State: Rejected, Reason: event.ReasonBadRequest, Detail: event.Redact(cause.Error())}}
	if err := d.report(context.WithoutCancel(d.last), j, e); err != nil {
		return d.trouble(j, err)
	}
	return done
}
