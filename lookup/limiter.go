package lookup

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"callbridge/mapping/lookups"
)

const (
	// reservationGrace is how long after its time a reservation is still valid.
	reservationGrace = 2 * time.Second
	// minPause and maxPause limit the time between two requests with credentials
	// that were refused.
	minPause, maxPause = time.Second, time.Minute
	// refusalLife is the time after which refused credentials are no longer
	// reported: no event has needed them since.
	refusalLife = 5 * time.Minute
	// maxForbidden is the number of consecutive 403 responses that are taken to be
	// about single records, if the CRM has accepted the credentials before.
	maxForbidden = 3
	// sweepSize is the number of reservations from which on expired ones are
	// removed.
	sweepSize = 1024
)

// limiter limits the rate of lookups of one source. It pauses the source while
// the CRM throttles it or refuses the credentials.
type limiter struct {
	mu   sync.Mutex
	rate *rate.Limiter
	// reservations are the times at which waiting events may be looked up, by
	// event id. An event keeps its time however many events arrive after it.
	reservations map[string]time.Time
	pausedUntil  time.Time

	// refusedAuth are credentials that the CRM refuses, nil if it accepts them.
	refusedAuth *lookups.Auth
	// lastPause is the last delay between requests with refused credentials.
	lastPause time.Duration
	// accepted: the CRM has accepted credentials before. forbidden counts the 403
	// responses since the last acceptance.
	accepted  bool
	forbidden int
}

func newLimiter() *limiter {
	return &limiter{rate: rate.NewLimiter(rate.Inf, 1), reservations: map[string]time.Time{}}
}

// acquire returns zero if the event may be looked up now. Else it reserves a time
// and returns the delay until then.
func (l *limiter) acquire(id string, q *lookups.Request, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusedAuth != nil && *l.refusedAuth != q.Auth {
		l.refusedAuth, l.pausedUntil, l.lastPause = nil, time.Time{}, 0 // a reload changed them
	}
	if limit := rate.Limit(q.Rate); l.rate.Limit() != limit {
		l.rate.SetLimitAt(now, limit)
	}
	if wait := l.pausedUntil.Sub(now); wait > 0 {
		if l.refusedAuth == nil {
			return wait
		}
		// This may last for days: the events must not all come again at once.
		return max(wait, l.rate.ReserveN(now, 1).DelayFrom(now))
	}
	at, ok := l.reservations[id]
	if !ok || now.Sub(at) > reservationGrace {
		l.sweep(now)
		at = now.Add(l.rate.ReserveN(now, 1).DelayFrom(now))
	}
	if wait := at.Sub(now); wait > 0 {
		l.reservations[id] = at
		return wait
	}
	delete(l.reservations, id)
	return 0
}

// postpone reserves another time for an event that acquire has let through, at least
// atLeast from now, and returns the delay until then.
func (l *limiter) postpone(id string, atLeast time.Duration, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := max(atLeast, l.rate.ReserveN(now, 1).DelayFrom(now))
	l.sweep(now)
	l.reservations[id] = now.Add(wait)
	return wait
}

// sweep removes expired reservations: their events went to another process.
func (l *limiter) sweep(now time.Time) {
	if len(l.reservations) < sweepSize {
		return
	}
	for id, at := range l.reservations {
		if now.Sub(at) > reservationGrace {
			delete(l.reservations, id)
		}
	}
}

// pause pauses the source, unless it is paused for longer already.
func (l *limiter) pause(d time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := now.Add(d); until.After(l.pausedUntil) {
		l.pausedUntil = until
	}
}

// accept records that the CRM accepted the credentials. It reports whether it
// refused them before.
func (l *limiter) accept() (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed = l.refusedAuth != nil
	if changed {
		l.pausedUntil = time.Time{}
	}
	l.accepted, l.forbidden, l.refusedAuth, l.lastPause = true, 0, nil, 0
	return changed
}

// refuse records that the CRM refused the credentials, and pauses the source, each
// time for twice as long. It reports whether it accepted them before.
func (l *limiter) refuse(auth lookups.Auth, now time.Time) (pause time.Duration, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed = l.refusedAuth == nil
	if changed || now.After(l.pausedUntil) {
		l.lastPause = min(max(2*l.lastPause, minPause), maxPause)
		l.pausedUntil = now.Add(l.lastPause)
	}
	l.refusedAuth = &auth
	return l.lastPause, changed
}

// forbid records a 403. It reports whether it is about the credentials, and not
// about one record: the CRM has never accepted them, or forbids every request.
func (l *limiter) forbid() (credentials bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forbidden++
	return !l.accepted || l.forbidden > maxForbidden
}

// refused reports whether the CRM refuses the source's credentials.
func (l *limiter) refused(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusedAuth != nil && now.Sub(l.pausedUntil) < refusalLife
}
