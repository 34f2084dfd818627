package lookup

import (
	"strconv"
	"testing"
	"time"

	"callbridge/mapping/lookups"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestLimiterReservesATimePerEvent(t *testing.T) {
	t.Parallel()
	l, q := newLimiter(), &lookups.Request{Rate: 2}
	waits := map[string]time.Duration{}
	for i := range 6 {
		waits[strconv.Itoa(i)] = l.acquire(strconv.Itoa(i), q, noon)
	}
	for i := range 6 {
		if got, want := waits[strconv.Itoa(i)], time.Duration(i)*time.Second/2; got != want {
			t.Errorf("event %d waits %s, want %s", i, got, want)
		}
	}
	// Before its time the event waits on; at its time it is looked up, however many
	// events arrived in between.
	if got := l.acquire("3", q, noon.Add(time.Second)); got != time.Second/2 {
		t.Errorf("before its time: waits %s more", got)
	}
	if got := l.acquire("3", q, noon.Add(1500*time.Millisecond)); got != 0 {
		t.Errorf("at its time: waits %s more", got)
	}
	if got := l.acquire("new", q, noon.Add(1500*time.Millisecond)); got != 1500*time.Millisecond {
		t.Errorf("a new event waits %s, want 1.5s", got)
	}
}

func TestExpiredReservationsAreRemoved(t *testing.T) {
	t.Parallel()
	l, q := newLimiter(), &lookups.Request{Rate: 1000}
	for i := range 5 * sweepSize {
		l.acquire(strconv.Itoa(i), q, noon.Add(time.Duration(i)*10*time.Microsecond))
	}
	l.acquire("much later", q, noon.Add(time.Hour))
	if n := len(l.reservations); n > sweepSize {
		t.Errorf("%d reservations are kept", n)
	}
}

func TestPauseCancelsReservations(t *testing.T) {
	t.Parallel()
	l, q := newLimiter(), &lookups.Request{Rate: 1}
	for _, id := range []string{"a", "b", "c"} {
		l.acquire(id, q, noon)
	}
	l.pause(10*time.Second, noon)
	l.pause(time.Second, noon) // a shorter pause does not end the longer one
	if got := l.acquire("b", q, noon.Add(time.Second)); got != 9*time.Second {
		t.Errorf("waits %s, want 9s", got)
	}
	after := noon.Add(10 * time.Second)
	if b, c := l.acquire("b", q, after), l.acquire("c", q, after); b != 0 || c != time.Second {
		t.Errorf("after the pause b waits %s and c %s: want one request a second", b, c)
	}
}

func TestPauseAfterRefusedCredentialsDoublesAndEnds(t *testing.T) {
	t.Parallel()
	auth := lookups.Auth{Kind: lookups.AuthBearer, Token: "old"}
	l, q := newLimiter(), &lookups.Request{Rate: 1000, Auth: auth}
	now := noon
	for _, want := range []time.Duration{minPause, 2 * minPause, 4 * minPause} {
		if pause, _ := l.refuse(auth, now); pause != want || l.acquire("a", q, now) != want || !l.refused(now) {
			t.Errorf("paused for %s, want %s", pause, want)
		}
		l.refuse(auth, now) // the response to a request that was in flight
		now = now.Add(want + time.Millisecond)
	}
	for range 10 {
		l.refuse(auth, now)
		now = now.Add(time.Hour)
	}
	if pause, changed := l.refuse(auth, now); pause != maxPause || changed {
		t.Errorf("paused for %s (changed: %t), want %s", pause, changed, maxPause)
	}
	if !l.accept() || l.accept() || l.refused(now) || l.acquire("b", q, now) != 0 {
		t.Error("still refused after the credentials were accepted")
	}
	l.refuse(auth, now)
	if l.refused(now.Add(time.Hour)) {
		t.Error("still refused although no request was sent for an hour")
	}
	q.Auth.Token = "new"
	if later := now.Add(time.Second); l.acquire("c", q, later) != 0 || l.refused(later) {
		t.Error("still refused with other credentials")
	}
}

func TestForbiddenIsAboutOneRecordUntilItRepeats(t *testing.T) {
	t.Parallel()
	l := newLimiter()
	if !l.forbid() {
		t.Error("the first 403 of a CRM is not about the credentials")
	}
	l.accept()
	for i := range maxForbidden {
		if l.forbid() {
			t.Errorf("403 number %d in a row is about the credentials", i+1)
		}
	}
	if !l.forbid() {
		t.Errorf("more than %d in a row are not about the credentials", maxForbidden)
	}
}
