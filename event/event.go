// Package event defines what crosses the bus: what happened in a CRM (Event), an
// event that waits for a lookup (Pending), the call to make because of it
// (Request) and the outcome (Result), with their ids and their JSON. All steps
// share it. It imports no package of this module.
package event

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// Event is one thing that happened in a CRM. A webhook may carry several.
type Event struct {
	// ID is EventID(Source, Key).
	ID uuid.UUID `json:"id"`
	// Source is the name in POST /webhooks/<source>.
	Source string `json:"source"`
	// Key is the CRM's own id of the event, never made from our clock.
	Key string `json:"key"`
	// Type is the kind of event as the CRM wrote it. May be empty.
	Type string `json:"type,omitzero"`
	// Time is when it happened, by the CRM's clock. Zero where the CRM does not say.
	Time time.Time `json:"time,omitzero"`
	// Received is when the webhook arrived, by our clock.
	Received time.Time `json:"received,omitzero"`
	// Data is the payload as JSON, also where it arrived as a form or XML.
	// Numbers keep their digits. Nil or valid JSON, as all raw parts here.
	Data json.RawMessage `json:"data,omitzero"`
}

// Pending is an event whose fields need a lookup in the CRM's API first.
type Pending struct {
	Event Event `json:"event"`
	// Delivery holds the values outside of the event that the mapping needs,
	// such as headers.
	Delivery json.RawMessage `json:"delivery,omitzero"`
}

// Request is one call to make. Any service may publish one on
// <prefix>.request.<source>.<id>.ready; ID and Call are enough.
type Request struct {
	// ID is RequestID(Event.ID, Route) for our own requests.
	ID uuid.UUID `json:"id"`
	// Route is the name of the route that made the request.
	Route string `json:"route,omitzero"`
	// Call is the body of Callab's create call (callab.NewCall).
	Call json.RawMessage `json:"call,omitzero"`
	// Event is the event that led to the call.
	Event Event `json:"event"`
	// Config is the hash of the configuration that decided to make the call. Empty in a
	// request of another service, and of a version before this field.
	Config string `json:"config,omitzero"`
	// Person is what the event says about where the person is.
	Person Person `json:"person,omitzero"`
	// Consent is "yes" if the event says that the person agreed to be called. Anything
	// else is no consent.
	Consent string `json:"consent,omitzero"`
}

// Person is where the person who is called may be, in the words of the CRM. The hours in
// which they may be called depend on it (package policy/place).
type Person struct {
	// Timezone is a name of a time zone, such as America/New_York.
	Timezone string `json:"timezone,omitzero"`
	// Country, Region (a state or province) and PostalCode are those of the address.
	Country    string `json:"country,omitzero"`
	Region     string `json:"region,omitzero"`
	PostalCode string `json:"postal_code,omitzero"`
}

// RequestKey is the member of a call's metadata that holds the request id, so
// that the call can be found in Callab's list.
const RequestKey = "callbridge_request_id"

// Item is one thing that the bus stores because of an event. Exactly one of Request,
// Result and Pending is set.
type Item struct {
	// Request is a call to make.
	Request *Request
	// Result says why there is no call.
	Result *Result
	// Pending is the event itself, to be mapped after a lookup in its CRM.
	Pending *Pending
	// Verdict is what the policy says about the call when it is decided; zero if it was not
	// asked. It is not stored.
	Verdict Verdict
}

// Verdict is what the policy says about a call.
type Verdict struct {
	// Action is go, wait or skip.
	Action string
	// Gate is the gate that does not pass, and Until when a call that waits is judged again.
	Gate  Reason
	Until time.Time
}

// Event returns the event that the item is about.
func (i Item) Event() Event {
	switch {
	case i.Request != nil:
		return i.Request.Event
	case i.Pending != nil:
		return i.Pending.Event
	default:
		return i.Result.Event
	}
}

// Route returns the route that decided the item, or "" for the event as a whole.
func (i Item) Route() string {
	switch {
	case i.Request != nil:
		return i.Request.Route
	case i.Result != nil:
		return i.Result.Route
	default:
		return ""
	}
}

// DecidedBy records in the item the hash of the configuration that decided it.
func (i Item) DecidedBy(hash string) {
	switch {
	case i.Request != nil:
		i.Request.Config = hash
	case i.Result != nil:
		i.Result.Config = hash
	}
}

// Config is the hash of the configuration that decided the item, if it is known.
func (i Item) Config() string {
	switch {
	case i.Request != nil:
		return i.Request.Config
	case i.Result != nil:
		return i.Result.Config
	}
	return ""
}

// CallTo is the number that the item's call dials, or would dial; "" if it has none.
func (i Item) CallTo() string {
	var body json.RawMessage
	switch {
	case i.Request != nil:
		body = i.Request.Call
	case i.Result != nil:
		body = i.Result.Request
	}
	var call struct {
		To string `json:"call_to"`
	}
	if len(body) == 0 || json.Unmarshal(body, &call) != nil {
		return ""
	}
	return call.To
}

// Result is the outcome of one request, or of an event that made none. On the
// bus it is a CloudEvents 1.0 envelope around these fields.
type Result struct {
	// RequestID is the request's id; for an event that was skipped without a route,
	// RequestID(Event.ID, ""); for one that the mapping rejected, RejectionID.
	RequestID uuid.UUID `json:"request_id"`
	Outcome   Outcome   `json:"outcome"`
	Reason    Reason    `json:"reason"`
	// Detail is text for people: the field, or Callab's message. Numbers in it
	// are masked.
	Detail string `json:"detail,omitzero"`
	// Field is the name of the field that Reason is about.
	Field string `json:"field,omitzero"`
	Route string `json:"route,omitzero"`
	// Until is when a deferred request is judged again. Zero: when something changes, such
	// as a stop without an end.
	Until time.Time `json:"until,omitzero"`
	// Config is the hash of the configuration that decided: the outcome, or that the
	// call of an accepted, failed or unknown one is made. Empty if none did, as for a
	// request of another service, and in results of a version before this field.
	Config string `json:"config,omitzero"`
	// Attempts counts the attempts to place the call, without those that Callab
	// refused because of our credentials.
	Attempts int `json:"attempts,omitzero"`
	// Request is the body of the create call that was sent, or that would
	// have been sent in a dry run.
	Request json.RawMessage `json:"request,omitzero"`
	// Call is the whole `data` object of Callab's answer, with members that
	// this program does not know.
	Call json.RawMessage `json:"call,omitzero"`
	// Gates are what the gates of the policy found in the last moment before the call,
	// in their order; for a request that was judged and not called.
	Gates []Gate `json:"gates,omitzero"`
	// End is what became of the call, for the outcomes Ended and Analysed.
	End *End `json:"end,omitzero"`
	// Event is the event that led to the result, with its payload.
	Event Event `json:"event"`

	// Closes are the routes that must not request a call for the event any more, for a
	// result of the event as a whole. It is no member: the bus closes their requests.
	Closes []string `json:"-"`
	// Time is when the outcome was reached; a member of the envelope.
	Time time.Time `json:"-"`
	// TraceParent is the W3C trace context; a member of the envelope
	// (CloudEvents distributed tracing extension).
	TraceParent string `json:"-"`
}

// End is what became of an accepted call.
type End struct {
	// Class is what became of it, the same word as Reason. That of an analysed result may
	// differ from that of the ended one: a late transcript can show what answered.
	Class Reason `json:"class"`
	// Answers are the answers that the call object gives, each with its evidence: the JSON
	// of outcome.Report. Nil if no call object was read.
	Answers json.RawMessage `json:"answers,omitzero"`
	// Flags are what a reader should know beside the class, of a fixed set of words.
	Flags []string `json:"flags,omitzero"`
	// Attempt is the number of this call among those for the event: 1 for the first.
	Attempt int `json:"attempt"`
	// Final: no further attempt follows.
	Final bool `json:"final"`
	// Accepted is when Callab took the call. Started and Ended are what Callab says of its
	// begin and its end; zero if it does not.
	Accepted time.Time `json:"accepted,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
}

// Gate is what one gate of the policy found.
type Gate struct {
	Gate   Reason `json:"gate"`
	Passes bool   `json:"passes"`
	// Value says in words what the gate saw. It has no number and no name.
	Value string `json:"value"`
	// Until is when the gate lets a call pass, as far as is known.
	Until time.Time `json:"until,omitzero"`
}

// ID is the CloudEvents id: the same for every copy of this result.
func (r Result) ID() uuid.UUID {
	if r.Outcome == Deferred {
		return DeferredID(r.RequestID, r.Reason, r.Until)
	}
	return ResultID(r.RequestID, r.Outcome)
}

var sourceName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// ValidSource reports whether name can be the name of a source. It becomes a path
// segment and a NATS subject token, so it is [a-z0-9-]{1,40}.
func ValidSource(name string) bool { return sourceName.MatchString(name) }
