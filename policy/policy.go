// Package policy decides whether a person may be called now: facts and an instant in, a
// verdict out, with the value of every gate. It is pure: it has no clock, and asks
// no server. A fact that could not be read means no call. The hours of countries and
// profiles are in policy/hours, public holidays in policy/holiday.
//
//   - policy.go: what is decided, and from what
//   - gate.go: the gates, one function each, in their order
//   - decide.go: the verdict, and the first instant at which all gates let a call pass
package policy

import (
	"time"

	"callbridge/policy/hours"
)

// Action is what happens to a request.
type Action string

const (
	// Go: the call may be claimed.
	Go Action = "go"
	// Wait: the gates are asked again at Verdict.Until.
	Wait Action = "wait"
	// Skip ends the request without a call.
	Skip Action = "skip"
	// Reject ends the request because it must never be dialled.
	Reject Action = "reject"
)

// Reason is the name of a gate, or of the reason for which a gate does not let a call
// pass. It is the reason of the result.
type Reason string

const (
	Stopped       Reason = "stopped"
	RouteOff      Reason = "route_off"
	Expired       Reason = "expired"
	BadNumber     Reason = "bad_number"
	NoConsent     Reason = "no_consent"
	DoNotCall     Reason = "do_not_call"
	OnCall        Reason = "on_call"
	CoolingDown   Reason = "cooling_down"
	Capped        Reason = "capped"
	NoZone        Reason = "no_zone"
	OutsideHours  Reason = "outside_hours"
	Holiday       Reason = "holiday"
	PolicyDataOld Reason = "policy_data_old"
)

// Answer is what is known about a yes-or-no fact.
type Answer string

const (
	// Unreadable: there is a value, and it is neither yes nor no. It is the zero value.
	Unreadable Answer = ""
	Yes        Answer = "yes"
	No         Answer = "no"
)

// Purpose is why a route calls.
type Purpose string

const (
	// Marketing needs consent, known zones and data that are not old.
	Marketing Purpose = "marketing"
	Service   Purpose = "service"
)

// Policy is what holds for a route.
type Policy struct {
	Purpose Purpose
	// Hours are profiles and spans of one's own; all of them count. With LocalLaw the
	// rules of the person's regions count too.
	Hours    []*hours.Rule
	LocalLaw bool
	// AnyTime calls at any hour and needs no place: for a file without hours. A policy
	// with none of the three calls nobody.
	AnyTime bool
	// CloseMargin is how long before closing the last call begins.
	CloseMargin time.Duration
	// IgnoreHolidays calls on public holidays as on other days.
	IgnoreHolidays bool
	// DayCap and MonthCap are how many calls a person gets on one day of their own
	// calendar, and in 30 days; 0 is no limit. Gap is the time between two calls.
	DayCap, MonthCap int
	Gap              time.Duration
	// CoolDown is how long a person is not called after a call that ended in a class.
	CoolDown map[string]time.Duration
	// Storm stops a source that makes too many calls at once.
	Storm Storm
}

// Storm is a number of calls within a time; a source that makes more is stopped. Zero is
// no limit.
type Storm struct {
	Calls  int
	Within time.Duration
}

// Place is where the person may be: a zone, and the region whose rules hold there, such
// as US-FL; Region may be empty.
type Place struct {
	Zone   *time.Location
	Region string
}

// Call is an earlier call to the person, or one that may have been made.
type Call struct {
	// Request is the id of its request.
	Request string
	At      time.Time
	// Class is how it ended, or empty while that is not known.
	Class string
	// Open: it has not ended yet, as far as is known.
	Open bool
}

// Stop is a stop that an operator has put on what the request belongs to.
type Stop struct {
	// Scope names what is stopped, for people: everything, source website.
	Scope, By, Why string
	// Until is zero for a stop without an end.
	Until time.Time
}

// Suppression is an entry of the do-not-call list for the person.
type Suppression struct {
	Reason, By string
	// Until is zero for an entry without an end.
	Until time.Time
}

// Facts are what is known about a request when it is judged.
type Facts struct {
	Request string
	// Unread names what could not be read, such as the memory of people; then there is no
	// call.
	Unread string
	Stops  []Stop
	// RouteOff and BadNumber say in words why the configuration in force does not dial
	// the request; empty if it does.
	RouteOff, BadNumber string
	// Expires is when a call is too late: the event's time and the route's `expire`, or
	// the end of further attempts. Zero is never.
	Expires time.Time
	// Consent is the field that the route names.
	Consent Answer
	// DoNotCall is the answer of the fields that the route names, and Suppressed the
	// entries of the list that apply.
	DoNotCall  Answer
	Suppressed []Suppression
	// Calls are the earlier calls to the person, of all routes and sources.
	Calls  []Call
	Places []Place
	// Nowhere says why there are no places, in words without a number or a name.
	Nowhere string
}

// Finding is what one gate found.
type Finding struct {
	Gate   Reason `json:"gate"`
	Passes bool   `json:"passes"`
	// Value says in words what the gate saw. It has no number and no name of a person.
	Value string `json:"value"`
	// Until is when the gate lets a call pass, as far as is known.
	Until time.Time `json:"until,omitzero"`

	action Action
}

// Verdict is the decision about a request.
type Verdict struct {
	Action Action
	// Reason and Detail are those of the first gate that does not pass.
	Reason Reason
	Detail string
	// Until is when a request that waits is judged again.
	Until time.Time
	// Gates are the findings of all gates, in their order.
	Gates []Finding
}
