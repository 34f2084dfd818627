package bus

import (
	"github.com/google/uuid"

	"callbridge/event"
)

// RequestSubject is the subject of a call to make.
func (b *Bus) RequestSubject(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".ready"
}

// closedSubject is the subject of the message that a request will not be made.
func (b *Bus) closedSubject(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".closed"
}

// requestFilter matches every subject of one request, so that it is refused after
// it was closed as well. All writers must use the same filter: a cluster tracks
// writes in progress by the text of their filter.
func (b *Bus) requestFilter(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".>"
}

// lookupSubject is the subject of an event that waits for its lookup.
func (b *Bus) lookupSubject(source string, eventID uuid.UUID) string {
	return b.config.Prefix + ".lookup." + source + "." + eventID.String()
}

// resultSubject is the subject of the result of a request. That of the end of a call has
// the class after it.
func (b *Bus) resultSubject(outcome event.Outcome, source string, id uuid.UUID) string {
	return b.config.Prefix + ".result." + string(outcome) + "." + source + "." + id.String()
}

func (b *Bus) ledgerSubject(id uuid.UUID) string {
	return b.config.Prefix + ".ledger." + id.String()
}
