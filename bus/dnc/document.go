// Package dnc keeps the do-not-call list: for each person one document in the stream DNC,
// of which the newest message counts, changed by compare-and-set and read before each claim
// (docs/decisions/0027-do-not-call.md). A person is known by the keyed hash of the
// number; no number and no name is stored.
package dnc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope says which calls are meant: those that have all of its values. The zero Scope means
// all calls.
type Scope struct {
	Source string `json:"source,omitempty"`
	Route  string `json:"route,omitempty"`
}

// String is the scope in words, such as "source crm".
func (s Scope) String() string {
	var parts []string
	if s.Source != "" {
		parts = append(parts, "source "+s.Source)
	}
	if s.Route != "" {
		parts = append(parts, "route "+s.Route)
	}
	if parts == nil {
		return "all calls"
	}
	return strings.Join(parts, ", ")
}

// covers reports whether a call is in the scope. A value of the call that is not known is
// in every scope.
func (s Scope) covers(call Scope) bool {
	in := func(want, have string) bool { return want == "" || have == "" || want == have }
	return in(s.Source, call.Source) && in(s.Route, call.Route)
}

// Entry is one reason why a person must not be called.
type Entry struct {
	Scope
	// By is the person or service that has said so, Why the reason; both may be empty.
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
	// Since is when.
	Since time.Time `json:"since"`
	// Until ends the entry by itself; zero never does.
	Until time.Time `json:"until,omitzero"`
}

// ended reports whether the entry has ended by itself.
func (e Entry) ended(now time.Time) bool { return !e.Until.IsZero() && !now.Before(e.Until) }

// lasts reports whether the entry forbids calls for at least as long as other.
func (e Entry) lasts(other Entry) bool {
	return e.Until.IsZero() || !other.Until.IsZero() && !e.Until.Before(other.Until)
}

// Removal is the last act that took an entry away.
type Removal struct {
	By  string    `json:"by,omitempty"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at,omitzero"`
}

// Document is all that is known of one person. The zero Document forbids nothing.
type Document struct {
	Format  int     `json:"format"`
	Entries []Entry `json:"entries"`
	Removed Removal `json:"removed,omitzero"`
}

// Format is the newest format of a document that this version reads.
const Format = 1

// ErrUnreadable: it is not known whether the person may be called, and so no call may be
// placed.
var ErrUnreadable = errors.New("whether the person must not be called cannot be read")

// parse reads a document. It ignores fields that it does not know: a scope without them
// covers more calls, not fewer.
func parse(data []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(data, &d); err != nil || d.Format == 0 {
		return Document{}, fmt.Errorf("%w: the message is not a document of callbridge; `callbridge dnc add` without a scope replaces it", ErrUnreadable)
	}
	if d.Format > Format {
		return Document{}, fmt.Errorf("%w: it has format %d of a newer callbridge, and this one reads up to %d; update this callbridge", ErrUnreadable, d.Format, Format)
	}
	return d, nil
}

// Forbids returns the first entry that covers a call at an instant.
func (d Document) Forbids(call Scope, now time.Time) (Entry, bool) {
	for _, e := range d.Entries {
		if !e.ended(now) && e.covers(call) {
			return e, true
		}
	}
	return Entry{}, false
}

// Active returns the entries that have not ended.
func (d Document) Active(now time.Time) []Entry {
	return slices.DeleteFunc(slices.Clone(d.Entries), func(e Entry) bool { return e.ended(now) })
}

// With returns the document with one more entry, and whether that changes it. An entry of
// the same scope that forbids calls for as long stays as it is, so that an import can be
// repeated; a shorter one is replaced.
func (d Document) With(e Entry) (next Document, changed bool) {
	next = d.tidy(e.Since)
	for i, old := range next.Entries {
		if old.Scope != e.Scope {
			continue
		}
		if old.lasts(e) {
			return d, false
		}
		next.Entries[i] = e
		return next, true
	}
	next.Entries = append(next.Entries, e)
	return next, true
}

// Without returns the document without the entry of exactly this scope, or with all
// without every entry, and whether that changes it.
func (d Document) Without(s Scope, all bool, r Removal) (next Document, changed bool) {
	next = d.tidy(r.At)
	before := len(next.Entries)
	next.Entries = slices.DeleteFunc(next.Entries, func(e Entry) bool { return all || e.Scope == s })
	if len(next.Entries) == before {
		return d, false
	}
	next.Removed = r
	return next, true
}

// tidy copies the document without the entries that have ended by themselves.
func (d Document) tidy(now time.Time) Document {
	next := Document{Format: Format, Entries: d.Active(now), Removed: d.Removed}
	if next.Entries == nil {
		next.Entries = []Entry{}
	}
	return next
}
