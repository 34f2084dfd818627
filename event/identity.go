package event

import "github.com/google/uuid"

// namespace is UUIDv5(URL, "https://callbridge.dev/event"). It never changes:
// another one would let every event of the past in again.
var namespace = uuid.MustParse("600ae339-0626-55f0-9016-4dad758eb9ba")

// EventID is UUIDv5 of the source and the CRM's own key for the event. A
// source name holds no slash, so the two cannot run into each other.
func EventID(source, key string) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte(source+"/"+key))
}

// RequestID is UUIDv5 of the event and the route that wants the call: one
// event makes at most one call a route. Without a route it names the outcome
// of the event as a whole.
func RequestID(eventID uuid.UUID, route string) uuid.UUID {
	return uuid.NewSHA1(eventID, []byte(route))
}

// ResultID is UUIDv5 of the request and its outcome, the CloudEvents id: a
// result that is published again is the same event.
func ResultID(requestID uuid.UUID, outcome Outcome) uuid.UUID {
	return uuid.NewSHA1(requestID, []byte(outcome))
}
