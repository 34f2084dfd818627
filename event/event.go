// Package event is what crosses the bus: what happened in a CRM (Event), the
// one call to make because of it (Request), and what became of that (Result).
// It is the only vocabulary that the steps share, so it imports none of them.
package event

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// Event is one thing that happened in a CRM. A webhook may carry several.
type Event struct {
	// ID names the event for ever: EventID(Source, Key).
	ID uuid.UUID `json:"id"`
	// Source is the name in POST /webhooks/<source>.
	Source string `json:"source"`
	// Key is what the CRM calls the event; never made from our clock.
	Key string `json:"key"`
	// Type is the CRM's word for what happened, as it wrote it. May be empty.
	Type string `json:"type,omitempty"`
	// Time is when it happened, as the CRM says. Zero where the CRM does not.
	Time time.Time `json:"time,omitzero"`
	// Received is when the webhook came in, by our clock.
	Received time.Time `json:"received,omitzero"`
	// Data is the payload as JSON, whatever form it came in. Numbers keep
	// their digits.
	Data json.RawMessage `json:"data,omitempty"`
}

// Request is one call to make. Anybody may publish one on
// <prefix>.request.<source>.<id>.ready; ID and Call are enough.
type Request struct {
	// ID names the call: RequestID(Event.ID, Route) for our own requests.
	ID uuid.UUID `json:"id"`
	// Route is the rule that asked for the call.
	Route string `json:"route,omitempty"`
	// Call is the body of Callab's create call (callab.NewCall).
	Call json.RawMessage `json:"call"`
	// Event is what led to the call.
	Event Event `json:"event"`
}

// Pending is an event that waits for what only its CRM's API can tell.
type Pending struct {
	Event Event `json:"event"`
	// Delivery is what the mapping needs of the webhook beside the event.
	Delivery json.RawMessage `json:"delivery,omitempty"`
}

var sourceName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// ValidSource reports whether name can be a source: it becomes a path segment
// and a NATS subject token, so it is [a-z0-9-]{1,40}.
func ValidSource(name string) bool { return sourceName.MatchString(name) }

// RequestKey is where a call's metadata holds the request id, so that the call
// can be found again in Callab's list.
const RequestKey = "callbridge_request_id"
