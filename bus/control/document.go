// Package control keeps one document that says what is stopped: everything, or a source, a
// route or a country. It is the newest message of the stream CONTROL, changed by
// compare-and-set, and read before each claim (docs/decisions/0026-stop.md).
package control

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
	Source  string `json:"source,omitempty"`
	Route   string `json:"route,omitempty"`
	Country string `json:"country,omitempty"`
}

// String is the scope in words, such as "source crm, country DE".
func (s Scope) String() string {
	var parts []string
	for _, p := range [][2]string{{"source", s.Source}, {"route", s.Route}, {"country", s.Country}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	if parts == nil {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

// covers reports whether a call is in the scope. A value of the call that is not known is
// in every scope.
func (s Scope) covers(call Scope) bool {
	in := func(want, have string) bool { return want == "" || have == "" || want == have }
	return in(s.Source, call.Source) && in(s.Route, call.Route) && in(s.Country, call.Country)
}

// Stop is one decision that calls are not placed: of a person, or of callbridge itself
// (Storm).
type Stop struct {
	Scope
	// By names the operator, Why is the reason of the stop.
	By  string `json:"by"`
	Why string `json:"why"`
	// Since is when.
	Since time.Time `json:"since"`
	// Until ends the stop by itself; zero never does.
	Until time.Time `json:"until,omitzero"`
}

// Storm is Stop.By of a source that callbridge has stopped by itself, because it made more
// requests than its policy allows.
const Storm = "storm"

// ended reports whether the stop has ended by itself.
func (s Stop) ended(now time.Time) bool { return !s.Until.IsZero() && !now.Before(s.Until) }

// Resume is the last act that let calls be placed again.
type Resume struct {
	By  string    `json:"by,omitempty"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at,omitzero"`
}

// Document is all that is stopped. The zero Document stops nothing.
type Document struct {
	Format  int    `json:"format"`
	Stops   []Stop `json:"stops"`
	Resumed Resume `json:"resumed,omitzero"`
}

// Format is the newest format of a document that this version reads.
const Format = 1

// ErrUnreadable: the document is not known, and so no call may be placed.
var ErrUnreadable = errors.New("what is stopped cannot be read")

// parse reads a document. It ignores fields that it does not know: a scope without them
// covers more calls, not fewer.
func parse(data []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(data, &d); err != nil || d.Format == 0 {
		return Document{}, fmt.Errorf("%w: the message is not a document of callbridge; run `callbridge stop --why TEXT` to replace it by one that stops everything", ErrUnreadable)
	}
	if d.Format > Format {
		return Document{}, fmt.Errorf("%w: it has format %d of a newer callbridge, and this one reads up to %d; update this callbridge", ErrUnreadable, d.Format, Format)
	}
	return d, nil
}

// Stopped returns the first stop that covers a call at an instant.
func (d Document) Stopped(call Scope, now time.Time) (Stop, bool) {
	for _, s := range d.Stops {
		if !s.ended(now) && s.covers(call) {
			return s, true
		}
	}
	return Stop{}, false
}

// Covering returns all stops that cover a call at an instant.
func (d Document) Covering(call Scope, now time.Time) []Stop {
	return slices.DeleteFunc(slices.Clone(d.Stops), func(s Stop) bool { return s.ended(now) || !s.covers(call) })
}

// StopsAll reports whether everything is stopped at an instant.
func (d Document) StopsAll(now time.Time) bool {
	return slices.ContainsFunc(d.Stops, func(s Stop) bool { return s.Scope == (Scope{}) && !s.ended(now) })
}

// Active returns the stops that have not ended, oldest first.
func (d Document) Active(now time.Time) []Stop {
	active := slices.DeleteFunc(slices.Clone(d.Stops), func(s Stop) bool { return s.ended(now) })
	slices.SortStableFunc(active, func(a, b Stop) int { return a.Since.Compare(b.Since) })
	return active
}

const (
	// rampLength is how long calls are placed below DIAL_RATE after a resume.
	rampLength = 5 * time.Minute
	// rampStart is the share of DIAL_RATE at the moment of the resume.
	rampStart = 0.25
)

// Share is the share of DIAL_RATE at which calls may be placed: a quarter when a stop has
// ended, then more, and all of it after five minutes.
func (d Document) Share(now time.Time) float64 {
	last := d.Resumed.At
	for _, s := range d.Stops {
		if s.ended(now) && s.Until.After(last) {
			last = s.Until
		}
	}
	since := now.Sub(last)
	if last.IsZero() || since >= rampLength {
		return 1
	}
	return rampStart + (1-rampStart)*max(0, float64(since)/float64(rampLength))
}

// With returns the document with one more stop. It replaces a stop of the same scope.
func (d Document) With(s Stop) Document {
	next := d.tidy(s.Since)
	next.Stops = slices.DeleteFunc(next.Stops, func(old Stop) bool { return old.Scope == s.Scope })
	next.Stops = append(next.Stops, s)
	return next
}

var (
	// ErrNothing: nothing is stopped.
	ErrNothing = errors.New("nothing is stopped")
	// ErrUnclear: several stops are active, or none has the scope.
	ErrUnclear = errors.New("it is not clear which stop is meant")
)

// Without returns the document without a stop, and what was ended: with all, every stop;
// with a scope, the stop of exactly this scope; with the zero Scope, the only one.
func (d Document) Without(scope Scope, all bool, r Resume) (Document, []Stop, error) {
	active := d.Active(r.At)
	var ended []Stop
	switch {
	case len(active) == 0:
		return d, nil, ErrNothing
	case all || scope == Scope{} && len(active) == 1:
		ended = active
	default:
		for _, s := range active {
			if s.Scope == scope {
				ended = append(ended, s)
			}
		}
	}
	if ended == nil {
		return d, nil, fmt.Errorf("%w: stopped are %s; name one of them with --source, --route and --country, or end all with --all", ErrUnclear, list(active))
	}
	next := d.tidy(r.At)
	next.Stops = slices.DeleteFunc(next.Stops, func(s Stop) bool { return slices.Contains(ended, s) })
	next.Resumed = r
	return next, ended, nil
}

// tidy copies the document without the stops that have ended by themselves.
func (d Document) tidy(now time.Time) Document {
	next := Document{Format: Format, Stops: []Stop{}, Resumed: d.Resumed}
	for _, s := range d.Stops {
		if !s.ended(now) {
			next.Stops = append(next.Stops, s)
		} else if s.Until.After(next.Resumed.At) {
			next.Resumed = Resume{By: s.By, Why: "its time was over", At: s.Until}
		}
	}
	return next
}

func list(stops []Stop) string {
	var all []string
	for _, s := range stops {
		all = append(all, s.Scope.String())
	}
	return strings.Join(all, "; ")
}
