package event

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// namespace is UUIDv5(URL, "https://callbridge.dev/event"). It never changes:
// with another namespace every past event would count as new.
var namespace = uuid.MustParse("600ae339-0626-55f0-9016-4dad758eb9ba")

// EventID is UUIDv5 of the source and the CRM's own key for the event. A
// source name has no slash, so no two pairs have the same name.
func EventID(source, key string) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte(source+"/"+key))
}

// RequestID is UUIDv5 of the event and the route that makes the call: one event
// makes at most one call per route. With an empty route it is the id of the
// outcome of the whole event.
func RequestID(eventID uuid.UUID, route string) uuid.UUID {
	return uuid.NewSHA1(eventID, []byte(route))
}

// ResultID is UUIDv5 of the request and its outcome, the CloudEvents id: a
// result that is published again has the same id.
func ResultID(requestID uuid.UUID, outcome Outcome) uuid.UUID {
	return uuid.NewSHA1(requestID, []byte(outcome))
}

// DeferredID is the CloudEvents id of a deferred result: each wait of a request has its own.
func DeferredID(requestID uuid.UUID, reason Reason, until time.Time) uuid.UUID {
	parts := []string{string(Deferred), string(reason), until.UTC().Format(time.RFC3339Nano)}
	return uuid.NewSHA1(requestID, []byte(strings.Join(parts, "\x00")))
}

// RejectionID identifies the rejection of an event, or of one route of it, by the
// mapping. It differs from every RequestID: the mended event makes a request under
// that one, and its result must not meet the rejection on one subject. Content is a
// digest of what was rejected, so the same content has one result.
func RejectionID(eventID uuid.UUID, route string, reason Reason, field, content string) uuid.UUID {
	return uuid.NewSHA1(eventID, []byte(strings.Join([]string{"rejected", route, string(reason), field, content}, "\x00")))
}

// LookupID identifies the lookup for one webhook of an event: each webhook that leads to
// one has another time.
func LookupID(e Event) uuid.UUID {
	return uuid.NewSHA1(e.ID, []byte("lookup\x00"+e.ReceivedText()))
}

// ReceivedText is when the webhook came in, with all its digits.
func (e Event) ReceivedText() string { return e.Received.UTC().Format(time.RFC3339Nano) }
