package callabsim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind is what goes wrong. "After" means after the call was placed, so that
// somebody's phone rings; for reading endpoints the two are the same.
type Kind string

// Kinds of faults.
const (
	// Refuse answers 400.
	Refuse Kind = "refuse"
	// RefuseOK answers 200 with status "error".
	RefuseOK Kind = "refuse-ok"
	// Unauthorized answers 401.
	Unauthorized Kind = "unauthorized"
	// Forbidden answers 403.
	Forbidden Kind = "forbidden"
	// Throttle answers 429 with Retry-After.
	Throttle Kind = "throttle"
	// ErrorBefore answers 500 without placing the call.
	ErrorBefore Kind = "error-before"
	// ErrorAfter places the call and answers 500.
	ErrorAfter Kind = "error-after"
	// HangBefore says nothing until the client leaves or Delay is over, then
	// cuts the connection. The call is not placed.
	HangBefore Kind = "hang-before"
	// HangAfter is HangBefore after placing the call.
	HangAfter Kind = "hang-after"
	// CutBefore cuts the connection without placing the call.
	CutBefore Kind = "cut-before"
	// CutAfter places the call and cuts the connection.
	CutAfter Kind = "cut-after"
	// CutMiddle places the call and cuts the connection in the middle of the
	// answer.
	CutMiddle Kind = "cut-middle"
	// Garbage places the call and answers 200 with a body that is no JSON.
	Garbage Kind = "garbage"
	// NoID places the call and answers 200 and "ok", without data.
	NoID Kind = "no-id"
	// Slow places the call and answers after Delay.
	Slow Kind = "slow"
)

func kinds() []Kind {
	return []Kind{Refuse, RefuseOK, Unauthorized, Forbidden, Throttle, ErrorBefore, ErrorAfter,
		HangBefore, HangAfter, CutBefore, CutAfter, CutMiddle, Garbage, NoID, Slow}
}

// On is where a fault strikes.
type On string

// Places for faults.
const (
	// OnPlace is both endpoints that place calls; it is the default.
	OnPlace On = "place"
	// OnGet is GET /calls/{id}.
	OnGet On = "get"
	// OnQuery is GET /calls/query.
	OnQuery On = "query"
	// OnAll is everything under /v1.
	OnAll On = "all"
)

// Always is Fault.Times without an end.
const Always = -1

// Fault is something to go wrong.
type Fault struct {
	Kind Kind
	On   On
	// Times is how many requests it strikes: 0 means 1, Always never ends.
	Times int
	// CallTo limits it to calls to this number, as the body writes it.
	CallTo string
	// Probability is the chance that it strikes a request it fits, 0 to 1;
	// 0 means 1.
	Probability float64
	// Delay is for Slow, HangBefore and HangAfter.
	Delay time.Duration
	// RetryAfter is for Throttle, rounded up to seconds; 1 s if zero.
	RetryAfter time.Duration
}

// normal returns the fault with its defaults written out.
func (f Fault) normal() (Fault, error) {
	if f.On == "" {
		f.On = OnPlace
	}
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Probability == 0 {
		f.Probability = 1
	}
	if f.Kind == Throttle && f.RetryAfter == 0 {
		f.RetryAfter = time.Second
	}
	switch {
	case !slices.Contains(kinds(), f.Kind):
		return f, fmt.Errorf("kind %q is none of %v", f.Kind, kinds())
	case !slices.Contains([]On{OnPlace, OnGet, OnQuery, OnAll}, f.On):
		return f, fmt.Errorf("on %q is none of place, get, query, all", f.On)
	case f.Times < Always:
		return f, errors.New("times must be a count, or -1 for always")
	case f.Probability < 0 || f.Probability > 1:
		return f, errors.New("probability must be between 0 and 1")
	case f.Delay < 0 || f.RetryAfter < 0:
		return f, errors.New("delay and retry_after must not be negative")
	case f.Kind == Slow && f.Delay == 0:
		return f, errors.New("slow needs a delay")
	}
	return f, nil
}

// Fail adds faults behind those that are waiting. A request takes the first
// one that fits. A fault that makes no sense panics: it stands in a test.
func (s *Sim) Fail(faults ...Fault) {
	for _, fault := range faults {
		if err := s.fail(fault); err != nil {
			panic("callabsim: " + err.Error())
		}
	}
}

func (s *Sim) fail(fault Fault) error {
	fault, err := fault.normal()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fault)
	return nil
}

// ClearFaults goes back to the faults the simulator started with: those of
// Options, and the magic numbers if they are on.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.Clone(s.initial)
}

func magicNumbers() []Fault {
	return []Fault{
		{CallTo: "+12025550190", Kind: Refuse, Times: Always},
		{CallTo: "+12025550191", Kind: Throttle},
		{CallTo: "+12025550192", Kind: ErrorAfter, Times: Always},
		{CallTo: "+12025550193", Kind: HangAfter, Times: Always},
		{CallTo: "+12025550194", Kind: CutAfter, Times: Always},
		{CallTo: "+12025550195", Kind: RefuseOK, Times: Always},
		{CallTo: "+12025550196", Kind: ErrorBefore},
		{CallTo: "+12025550197", Kind: Garbage, Times: Always},
		{CallTo: "+12025550198", Kind: NoID, Times: Always},
		{CallTo: "+12025550199", Kind: Slow, Delay: 3 * time.Second, Times: Always},
	}
}
