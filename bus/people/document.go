// Package people remembers when each person was called, in one document for each in the
// stream PEOPLE, of which the newest message counts, changed by compare-and-set. A call is
// reserved there before its claim, so that two processes never both use the last call that
// a cap allows (docs/decisions/0029-people.md). A person is known by the keyed hash of
// the number; no number and no name is stored.
package people

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Call is a call to a person, or one that may have been made.
type Call struct {
	// Request is the id of its request.
	Request uuid.UUID `json:"request"`
	// Attempt is the first attempt that may have placed it.
	Attempt int `json:"attempt"`
	// At is when it was reserved, right before its claim, by the clock of the NATS server.
	At time.Time `json:"at"`
	// Class is how it ended; empty while that is not known.
	Class string `json:"class,omitempty"`
	// Open: it has not ended yet, as far as is known.
	Open bool `json:"open,omitempty"`
}

// Document is what is known of one person. The zero Document is that of a person without
// a call.
type Document struct {
	Format int `json:"format"`
	// Calls are the oldest first.
	Calls []Call `json:"calls"`
}

// Format is the newest format of a document that this version reads.
const Format = 1

const (
	// Remembered is how long a call is remembered whose end does not matter any more.
	Remembered = 30 * 24 * time.Hour
	// MaxCalls is the number of calls that are remembered of a person: the newest.
	MaxCalls = 200
)

// ErrUnreadable: it is not known how often the person was called, and so no call may be
// placed that depends on it.
var ErrUnreadable = errors.New("how often the person was called cannot be read")

// parse reads a document.
func parse(data []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(data, &d); err != nil || d.Format == 0 {
		return Document{}, fmt.Errorf("%w: the message is not a document of callbridge: another client of NATS has written it; look who may publish there", ErrUnreadable)
	}
	if d.Format > Format {
		return Document{}, fmt.Errorf("%w: it has format %d of a newer callbridge, and this one reads up to %d; update this callbridge", ErrUnreadable, d.Format, Format)
	}
	return d, nil
}

// Of returns the call of a request.
func (d Document) Of(request uuid.UUID) (Call, bool) {
	i := slices.IndexFunc(d.Calls, func(c Call) bool { return c.Request == request })
	if i < 0 {
		return Call{}, false
	}
	return d.Calls[i], true
}

// With returns the document with a call. It replaces an earlier one of the same request,
// of which the lower attempt stays: that one may have placed a call too.
func (d Document) With(c Call) Document {
	if own, is := d.Of(c.Request); is {
		c.Attempt = min(c.Attempt, own.Attempt)
	}
	next := d.Without(c.Request)
	next.Calls = append(next.Calls, c)
	slices.SortStableFunc(next.Calls, func(a, b Call) int { return a.At.Compare(b.At) })
	next.Calls = next.recent(c.At)
	return next
}

// Without copies the document without the call of a request.
func (d Document) Without(request uuid.UUID) Document {
	return Document{Format: Format, Calls: slices.DeleteFunc(slices.Clone(d.Calls), func(c Call) bool { return c.Request == request })}
}

// recent are the calls that may still matter at an instant: those of the last 30 days, and
// the last of each class, on which a cool-down depends.
func (d Document) recent(now time.Time) []Call {
	last := map[string]time.Time{}
	for _, c := range d.Calls {
		last[c.Class] = c.At
	}
	recent := slices.DeleteFunc(slices.Clone(d.Calls), func(c Call) bool {
		old := !c.At.Add(Remembered).After(now)
		return old && !c.Open && (c.Class == "" || !c.At.Equal(last[c.Class]))
	})
	return recent[max(0, len(recent)-MaxCalls):]
}
