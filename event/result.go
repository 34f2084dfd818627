package event

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ContentType of every result on the bus (CloudEvents 1.0, JSON event format).
const ContentType = "application/cloudevents+json"

// Result is what became of one request, or of an event that made none. On the
// bus it is a CloudEvents 1.0 envelope around these fields.
type Result struct {
	// RequestID names the call; without a route it stands for the event.
	RequestID uuid.UUID `json:"request_id"`
	Outcome   Outcome   `json:"outcome"`
	Reason    Reason    `json:"reason"`
	// Detail is for people: which field, what Callab said. Its numbers are
	// masked.
	Detail string `json:"detail,omitempty"`
	// Field is the name of the field that Reason is about.
	Field string `json:"field,omitempty"`
	Route string `json:"route,omitempty"`
	// Attempts counts the claims taken to dial this request.
	Attempts int `json:"attempts,omitempty"`
	// Request is the body of the create call that was sent, or that would
	// have been sent in a dry run.
	Request json.RawMessage `json:"request,omitempty"`
	// Call is the whole `data` object of Callab's answer, fields that we do
	// not know included.
	Call json.RawMessage `json:"call,omitempty"`
	// Event is what led to the result, its payload included.
	Event Event `json:"event"`

	// Time is when the outcome was reached; the envelope carries it.
	Time time.Time `json:"-"`
	// TraceParent is the W3C trace context; the envelope carries it
	// (CloudEvents distributed tracing extension).
	TraceParent string `json:"-"`
}

// ID is the CloudEvents id: the same for every copy of this result.
func (r Result) ID() uuid.UUID { return ResultID(r.RequestID, r.Outcome) }

// envelope is what is read of the CloudEvents 1.0 JSON format.
type envelope struct {
	ID          uuid.UUID       `json:"id"`
	Time        time.Time       `json:"time"`
	TraceParent string          `json:"traceparent"`
	Data        json.RawMessage `json:"data"`
}

const (
	typePrefix   = "callbridge.result."
	sourcePrefix = "/callbridge/"
)

// MarshalJSON writes the result as a CloudEvent, as Encode does.
func (r Result) MarshalJSON() ([]byte, error) { return r.Encode() }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(data []byte) error {
	type fields Result
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("decode result: %w", err)
	}
	if err := json.Unmarshal(e.Data, (*fields)(r)); err != nil {
		return fmt.Errorf("decode result %s: %w", e.ID, err)
	}
	r.Time, r.TraceParent = e.Time, e.TraceParent
	return nil
}
