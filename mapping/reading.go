package mapping

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"callbridge/event"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
)

// state is whether a field has a value in one event.
type state uint8

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
	// done says that it has been read; see reader.
	done bool
	// reason and detail say why there is no value. Detail shows no value of
	// a phone field, and masks what looks like a number in others.
	reason event.Reason
	detail string

	// rule is what rules see.
	rule ref.Val
	// text is what {{field}} puts into a text; a number keeps its digits.
	text string
	// number is set for a field of type phone.
	number *phone.Number
}

// json is what metadata gets: the value with its type.
func (r *reading) json() payload.Value {
	switch rule := r.rule.(type) {
	case types.Bool:
		return bool(rule)
	case types.Double, types.Int:
		return json.Number(r.text)
	case traits.Lister:
		texts := []any{}
		for i := rule.Iterator(); i.HasNext() == types.True; {
			texts = append(texts, i.Next().Value())
		}
		return texts
	default:
		return r.text
	}
}

// moment is the value of a field of type time.
func (r *reading) moment() time.Time {
	moment, _ := r.rule.(types.Timestamp)
	return moment.Time
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
	// readings are in the order of Source.index.
	readings []reading
	// waits says that a name was asked for which waits for the look-up.
	waits bool
	// request is what the source asks its CRM about the event; nil for nothing.
	request *LookupRequest
}

func newReader(source *Source, in Incoming) *reader {
	r := readers.Get().(*reader)
	*r = reader{
		source: source, event: in.Event, material: in.material,
		timeProblem: in.timeProblem,
		readings:    slices.Grow(r.readings, len(source.index))[:len(source.index)],
	}
	return r
}

// readers are done. They hold nothing but room for readings: what was in them
// came from somebody's webhook.
var readers = sync.Pool{New: func() any { return &reader{} }}

// free gives the reader back. Nobody may read with it any more.
func (r *reader) free() {
	clear(r.readings)
	*r = reader{readings: r.readings[:0]}
	readers.Put(r)
}

// read returns the value of a declared name.
func (r *reader) read(name string) *reading {
	value := &r.readings[r.source.index[name]]
	if !value.done {
		if f, ok := r.source.fields[name]; ok {
			*value = f.read(r.material)
		} else {
			*value = r.builtin(name)
		}
		value.done = true
	}
	r.waits = r.waits || value.state == awaited
	return value
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
