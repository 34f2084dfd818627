package callabsim

import (
	"math"
	"net/http"
	"slices"
	"strconv"
)

// strike takes the first fault that fits a request; the zero Fault is none.
func (s *Sim) strike(on On, callTo string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		fits := (f.On == on || f.On == OnAll) && (f.CallTo == "" || f.CallTo == callTo)
		if !fits || f.Probability < 1 && s.random.Float64() >= f.Probability {
			continue
		}
		struck := *f
		if f.Times != Always {
			f.Times--
		}
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return struck
	}
	return Fault{}
}

// before answers the faults that strike before a call is placed. It reports
// whether the request is over.
func (f Fault) before(a *answer) bool {
	switch f.Kind {
	case Refuse:
		a.refuse(http.StatusBadRequest, "simulated: refused")
	case RefuseOK:
		a.refuse(http.StatusOK, "simulated: refused")
	case Unauthorized:
		a.refuse(http.StatusUnauthorized, "simulated: invalid token")
	case Forbidden:
		a.refuse(http.StatusForbidden, "simulated: not allowed")
	case Throttle:
		a.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
		a.refuse(http.StatusTooManyRequests, "simulated: too many requests")
	case ErrorBefore:
		a.refuse(http.StatusInternalServerError, "simulated: error before placing")
	case HangBefore:
		a.hang(f.Delay)
		a.cut()
	case CutBefore:
		a.cut()
	default:
		return false
	}
	return true
}

// after answers the faults that strike once the call is placed. It reports
// whether the request is over.
func (f Fault) after(a *answer, data any) bool {
	switch f.Kind {
	case ErrorAfter:
		a.refuse(http.StatusInternalServerError, "simulated: error after placing")
	case HangAfter:
		a.hang(f.Delay)
		a.cut()
	case CutAfter:
		a.cut()
	case CutMiddle:
		a.half(data)
	case Garbage:
		a.garbage()
	case NoID:
		a.ok(map[string]any{})
	case Slow:
		a.wait(f.Delay)
		return false
	default:
		return false
	}
	return true
}
