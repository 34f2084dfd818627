package callabsim

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Kind is the kind of a fault. "After" means after the call was placed, so that a
// phone would ring; for the reading endpoints before and after are the same.
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
	// HangBefore waits until the client disconnects or Delay is over, then
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
	// Garbage places the call and answers 200 with a body that is not JSON.
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

// On selects the endpoints of a fault.
type On string

// Endpoints of faults.
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

// Always is the value of Fault.Times for a fault without an end.
const Always = -1

// Fault makes requests fail in one way.
type Fault struct {
	Kind Kind
	On   On
	// Times is how many requests it applies to: 0 means 1, Always never ends.
	Times int
	// CallTo limits it to calls to this number, as written in the body.
	CallTo string
	// Probability is the chance that it applies to a matching request, 0 to 1;
	// 0 means 1.
	Probability float64
	// Delay applies to Slow, HangBefore and HangAfter.
	Delay time.Duration
	// RetryAfter applies to Throttle, rounded up to seconds; 1 s if zero.
	RetryAfter time.Duration
}

// withDefaults returns the fault with its defaults filled in, or an error if it
// is invalid.
func (f Fault) withDefaults() (Fault, error) {
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

// Fail adds faults to the end of the list. The first one that matches a request
// applies to it. Fail panics on an invalid fault, which is a mistake in a test.
func (s *Sim) Fail(faults ...Fault) {
	for _, fault := range faults {
		if err := s.add(fault); err != nil {
			panic("callabsim: " + err.Error())
		}
	}
}

func (s *Sim) add(fault Fault) error {
	fault, err := fault.withDefaults()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fault)
	return nil
}

// ClearFaults restores the faults of the start: those of Options, and those of
// the magic numbers if they are enabled.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.Clone(s.initial)
}

// nextFault returns the first fault that matches a request and counts it as
// used. It returns the zero Fault if none does.
func (s *Sim) nextFault(on On, callTo string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		matches := (f.On == on || f.On == OnAll) && (f.CallTo == "" || f.CallTo == callTo)
		if !matches || f.Probability < 1 && s.random.Float64() >= f.Probability {
			continue
		}
		found := *f
		if f.Times != Always {
			f.Times--
		}
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return found
	}
	return Fault{}
}

// beforePlacing applies a fault that acts before a call is placed. It reports
// whether the request is finished.
func (f Fault) beforePlacing(x *exchange) bool {
	switch f.Kind {
	case Refuse:
		x.refuse(http.StatusBadRequest, "simulated: refused")
	case RefuseOK:
		x.refuse(http.StatusOK, "simulated: refused")
	case Unauthorized:
		x.refuse(http.StatusUnauthorized, "simulated: invalid token")
	case Forbidden:
		x.refuse(http.StatusForbidden, "simulated: not allowed")
	case Throttle:
		x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
		x.refuse(http.StatusTooManyRequests, "simulated: too many requests")
	case ErrorBefore:
		x.refuse(http.StatusInternalServerError, "simulated: error before placing")
	case HangBefore:
		x.hang(f.Delay)
		x.cut()
	case CutBefore:
		x.cut()
	default:
		return false
	}
	return true
}

// afterPlacing applies a fault that acts after the call is placed. It reports
// whether the request is finished.
func (f Fault) afterPlacing(x *exchange, data any) bool {
	switch f.Kind {
	case ErrorAfter:
		x.refuse(http.StatusInternalServerError, "simulated: error after placing")
	case HangAfter:
		x.hang(f.Delay)
		x.cut()
	case CutAfter:
		x.cut()
	case CutMiddle:
		x.half(data)
	case Garbage:
		x.garbage()
	case NoID:
		x.ok(map[string]any{})
	case Slow:
		x.wait(f.Delay)
		return false
	default:
		return false
	}
	return true
}

// magicNumbers returns the faults of the numbers in the package comment.
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
