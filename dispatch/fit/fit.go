// Package fit makes results and records fit into NATS (max_payload). A call without a result
// would be redelivered for ever.
package fit

import (
	"encoding/json"
	"strings"

	"callbridge/callab"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/untrusted"
)

// maxKept is the number of characters that WithoutData leaves of a text.
const maxKept = 256

// Notes in the detail of a result that does not fit into NATS.
const (
	callLeftOut = "Callab's answer is left out but for its id, because the result would not fit into NATS (max_payload)"
	dataLeftOut = "the event's data and the request are left out, because the result would not fit into NATS (max_payload)"
)

// WithoutCall returns a result that is too large for NATS with only the id of Callab's
// answer.
func WithoutCall(r event.Result) event.Result {
	if len(r.Call) > 0 {
		r.Call, r.Detail = onlyID(r.Call), Detail(r.Detail, callLeftOut)
	}
	return r
}

// WithoutData also leaves out the event's data and the body that was sent: the request fits
// into NATS, but not always together with what a result has beside it.
func WithoutData(r event.Result) event.Result {
	r.Gates = nil
	r.Detail, r.Request, r.Event.Data = Detail(untrusted.Cut(r.Detail, 2*maxKept), dataLeftOut), nil, nil
	r.Route = untrusted.Cut(r.Route, maxKept)
	r.Event.Key, r.Event.Type = untrusted.Cut(r.Event.Key, maxKept), untrusted.Cut(r.Event.Type, maxKept)
	return r
}

// Shorten leaves out a part of a record that is too large for NATS, and reports whether
// there was one: Callab's answer but for its id, then the id, then the end of the detail.
func Shorten(r *record.Record) bool {
	short := onlyID(r.Call)
	switch {
	case len(r.Call) > 0 && len(short) < len(r.Call):
		r.Call, r.Detail = short, Detail(r.Detail, callLeftOut)
	case len(r.Call) > 0:
		r.Call = nil
	case len(r.Detail) > 2*maxKept:
		r.Detail = untrusted.Cut(r.Detail, maxKept)
	default:
		return false
	}
	return true
}

// onlyID is a call with its id alone.
func onlyID(call json.RawMessage) json.RawMessage {
	var c callab.Call
	if c.UnmarshalJSON(call) != nil {
		return nil
	}
	short, err := json.Marshal(map[string]string{"id": c.ID})
	if err != nil {
		return nil
	}
	return short
}

// Detail adds what was left out, or another remark, to a detail.
func Detail(detail, what string) string {
	switch {
	case detail == "":
		return what
	case strings.Contains(detail, what):
		return detail
	}
	return detail + "; " + what
}
