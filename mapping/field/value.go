package field

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
	"callbridge/mapping/zone"
)

// State says whether a name has a value in one event.
type State uint8

// States of a value.
const (
	Present State = iota
	Missing
	Unreadable
	// Pending is a value that the answer of a lookup will bring.
	Pending
)

// Value is what a name has in one event.
type Value struct {
	State State
	// Reason and Detail say why there is no value. Detail never quotes a phone
	// field, and masks what looks like a phone number in other fields.
	Reason event.Reason
	Detail string
	// Typed is a string, float64, int64, bool, time.Time or []string.
	Typed any
	// Text is the value in a text; a number keeps its digits.
	Text string
	// Phone is set for a field of type phone.
	Phone *phone.Number

	isRead bool
}

// JSON returns the value with its type, as metadata takes it.
func (v *Value) JSON() payload.Value {
	switch typed := v.Typed.(type) {
	case bool:
		return typed
	case float64, int64:
		return json.Number(v.Text)
	case []string:
		texts := make([]any, len(typed))
		for i, text := range typed {
			texts[i] = text
		}
		return texts
	default:
		return v.Text
	}
}

// Time is the value of a field of type time.
func (v *Value) Time() time.Time {
	t, _ := v.Typed.(time.Time)
	return t
}

func textValue(text string) Value { return Value{Typed: text, Text: text} }

func boolValue(b bool) Value { return Value{Typed: b, Text: strconv.FormatBool(b)} }

func timeValue(t time.Time) Value { return Value{Typed: t, Text: t.Format(time.RFC3339Nano)} }

func listValue(texts []string) Value { return Value{Typed: texts, Text: strings.Join(texts, ", ")} }

func missing(detail string) Value {
	return Value{State: Missing, Reason: event.ReasonMissingField, Detail: detail}
}

func unreadable(reason event.Reason, detail string) Value {
	return Value{State: Unreadable, Reason: reason, Detail: detail}
}

func pending(name string) Value {
	return Value{State: Pending, Reason: event.ReasonMissingField, Detail: name + " waits for the lookup, which was not made"}
}

// Values are the values of one event. Each is read when it is first asked for.
type Values struct {
	Event event.Event
	Input *Input

	set *Set
	// timeProblem says why the CRM's time could not be read.
	timeProblem string
	values      []Value
	sawPending  bool
}

// Values returns the values of an event. TimeProblem says why the event has no
// time although the CRM sent one.
func (s *Set) Values(e event.Event, in *Input, timeProblem string) *Values {
	return &Values{Event: e, Input: in, set: s, timeProblem: timeProblem, values: make([]Value, len(s.index))}
}

// Get returns the value of a declared name.
func (v *Values) Get(name string) *Value {
	value := &v.values[v.set.index[name]]
	if !value.isRead {
		if f, ok := v.set.fields[name]; ok {
			*value = f.read(v.Input)
		} else {
			*value = v.builtin(name)
		}
		value.isRead = true
	}
	v.sawPending = v.sawPending || value.State == Pending
	return value
}

// builtin reads one of the four built-in names. An event without a type has none
// rather than an empty one, so that type != "x" is undecided for it.
func (v *Values) builtin(name string) Value {
	switch name {
	case NameSource:
		return textValue(v.Event.Source)
	case NameKey:
		return textValue(v.Event.Key)
	case NameType:
		switch {
		case v.Event.Type != "":
			return textValue(v.Event.Type)
		case v.set.Type.isPending(v.Input):
			return pending(name)
		}
	case NameTime:
		switch {
		case !v.Event.Time.IsZero():
			return timeValue(v.Event.Time)
		case v.timeProblem != "":
			return unreadable(event.ReasonBadField, v.timeProblem)
		case v.set.Time.isPending(v.Input):
			return pending(name)
		}
	}
	return missing("the event has no " + name)
}

// Location returns the time zone that the text of a name says: of the name given, or
// of the person. Nil is an unknown one.
func (v *Values) Location(name string) *time.Location {
	if name == "" {
		name = v.set.Timezone
	}
	if name == "" {
		return nil
	}
	value := v.Get(name)
	if value.State != Present {
		return nil
	}
	location, _ := zone.Find(value.Text)
	return location
}

// IsOptional reports whether a rule may do without the name.
func (v *Values) IsOptional(name string) bool { return v.set.IsOptional(name) }

// SawPending reports whether a pending value was asked for since the last
// ForgetPending.
func (v *Values) SawPending() bool { return v.sawPending }

// ForgetPending makes SawPending start again.
func (v *Values) ForgetPending() { v.sawPending = false }

// RuleValue returns the value of a name for a rule, or nil and whether it is
// certain that the value is missing. It implements rule.Values.
func (v *Values) RuleValue(name string) (value any, missing bool) {
	got := v.Get(name)
	if got.State == Present {
		return got.Typed, false
	}
	return nil, got.State == Missing
}

// Received is when the webhook came in. It implements rule.Values.
func (v *Values) Received() time.Time { return v.Event.Received }

// Refusal is why an event leads to no call, or to no lookup.
type Refusal struct {
	Reason event.Reason
	// Field is the name or the key that is at fault; it may be empty.
	Field  string
	Detail string
}

// Refuse says why a name that is needed has no value.
func (v *Values) Refuse(name string) *Refusal {
	value := v.Get(name)
	return &Refusal{Reason: value.Reason, Field: name, Detail: value.Detail}
}
