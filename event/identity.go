package event

import (
	"crypto/sha1"
	"encoding/hex"

	"github.com/google/uuid"
)

// namespace is UUIDv5(URL, "https://callbridge.dev/event"). It never changes:
// another one would let every event of the past in again.
var namespace = uuid.MustParse("600ae339-0626-55f0-9016-4dad758eb9ba")

// EventID is UUIDv5 of the source and the CRM's own key for the event. A
// source name holds no slash, so the two cannot run into each other.
func EventID(source, key string) uuid.UUID {
	return named(namespace, source, "/", key)
}

// RequestID is UUIDv5 of the event and the route that wants the call: one
// event makes at most one call a route. Without a route it names the outcome
// of the event as a whole.
func RequestID(eventID uuid.UUID, route string) uuid.UUID {
	return named(eventID, route)
}

// ResultID is UUIDv5 of the request and its outcome, the CloudEvents id: a
// result that is published again is the same event.
func ResultID(requestID uuid.UUID, outcome Outcome) uuid.UUID {
	return named(requestID, string(outcome))
}

// named is uuid.NewSHA1 of the parts together (RFC 9562, version 5), without
// memory of its own: every webhook is given several. A test holds the two
// against each other.
func named(space uuid.UUID, parts ...string) (id uuid.UUID) {
	const most = 160 // what most names have
	text := append(make([]byte, 0, most), space[:]...)
	for _, part := range parts {
		text = append(text, part...)
	}
	sum := sha1.Sum(text)
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 5<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}

// AppendID is id.String behind what stands in b, without a text of its own:
// every webhook is answered and stored with several.
func AppendID(b []byte, id uuid.UUID) []byte {
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:])
}
