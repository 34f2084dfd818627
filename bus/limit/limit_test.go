package limit

import (
	"testing"
	"time"
)

// TestClockIsAskedAgainWhenTheTwoClocksDiffer: the monotonic clock stops while a machine
// is suspended, and the wall clock can be set.
func TestClockIsAskedAgainWhenTheTwoClocksDiffer(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, row := range map[string]struct {
		wall, monotonic time.Duration
		want            bool
	}{
		"at once":         {0, 0, false},
		"a while ago":     {59 * s, 59 * s, false},
		"a minute ago":    {60 * s, 60 * s, true},
		"slewed":          {10 * s, 11 * s, false},
		"set back":        {-3600 * s, 5 * s, true},
		"set forward":     {3600 * s, 5 * s, true},
		"suspended":       {300 * s, 2 * s, true},
		"set back little": {3 * s, 5 * s, true},
	} {
		if got := outdated(row.wall, row.monotonic); got != row.want {
			t.Errorf("%s: asked again %t, want %t", name, got, row.want)
		}
	}
}

// TestWindowsAreThoseOfTheServersTime: the local clock has no part in them.
func TestWindowsAreThoseOfTheServersTime(t *testing.T) {
	t.Parallel()
	l := &Limiter{window: 100 * time.Millisecond}
	server := time.Unix(1_000_000, 30_000_000)
	for i, want := range []time.Duration{-30 * time.Millisecond, 70 * time.Millisecond, 170 * time.Millisecond} {
		n, wait := l.nextWindow(server)
		if n != 10_000_000+int64(i) || wait != want {
			t.Errorf("window %d after %s, want %d after %s", n, wait, 10_000_000+i, want)
		}
	}
}
