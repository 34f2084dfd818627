package mapping

import (
	"time"

	"cel.dev/cel-go/common/types/ref"

	"callbridge/event"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
)

// state is whether a field has a value in one event.
type state int

const (
	there state = iota
	missing
	unreadable
	// awaited: what the CRM's API says will tell.
	awaited
)

// reading is what a field holds in one event.
type reading struct {
	state state
	// reason and detail say why there is no value. Detail shows no value of
	// a phone field, and masks what looks like a number in others.
	reason event.Reason
	detail string

	// rule is what rules see.
	rule ref.Val
	// text is what {{field}} puts into a text; a number keeps its digits.
	text string
	// json is what metadata gets: the value with its type.
	json payload.Value
	// number is set for a field of type phone, and moment for one of time.
	number *phone.Number
	moment time.Time
}

const (
	reasonMissing  = event.ReasonMissingField
	reasonBadField = event.ReasonBadField
	reasonBadPhone = event.ReasonBadPhone
)

func odd(reason event.Reason, detail string) reading {
	return reading{state: unreadable, reason: reason, detail: detail}
}

// reader reads the fields of one event, each at most once and only if a rule
// or a call asks for it.
type reader struct {
	source   *Source
	event    event.Event
	material *material
	// timeProblem says why the CRM's time could not be read.
	timeProblem string
	// readings are in the order of Source.index; one is done if it was read.
	readings []reading
	done     []bool
	// waits says that a name was asked for which waits for the look-up.
	waits bool
	// request is what the source asks its CRM about the event; nil for nothing.
	request *LookupRequest
}

func newReader(source *Source, in Incoming) *reader {
	return &reader{
		source: source, event: in.Event, material: in.material,
		timeProblem: in.timeProblem,
		readings:    make([]reading, len(source.index)), done: make([]bool, len(source.index)),
	}
}

// read returns the value of a declared name.
func (r *reader) read(name string) *reading {
	i := r.source.index[name]
	if !r.done[i] {
		if f, ok := r.source.fields[name]; ok {
			r.readings[i] = f.read(r.material)
		} else {
			r.readings[i] = r.builtin(name)
		}
		r.done[i] = true
	}
	r.waits = r.waits || r.readings[i].state == awaited
	return &r.readings[i]
}

// builtin reads one of the four names that are always there. Where the CRM
// gives no type or no time they are missing, not empty: type != "x" must not
// hold for an event that has no type.
func (r *reader) builtin(name string) reading {
	switch name {
	case nameSource:
		return textReading(r.event.Source)
	case nameKey:
		return textReading(r.event.Key)
	case nameType:
		if r.event.Type != "" {
			return textReading(r.event.Type)
		}
		if r.source.kind.awaits(r.material) {
			return awaitedReading(name)
		}
	case nameTime:
		if !r.event.Time.IsZero() {
			return timeReading(r.event.Time)
		}
		if r.timeProblem != "" {
			return odd(reasonBadField, r.timeProblem)
		}
		if r.source.moment.awaits(r.material) {
			return awaitedReading(name)
		}
	}
	return reading{state: missing, reason: reasonMissing, detail: "the event has no " + name}
}
