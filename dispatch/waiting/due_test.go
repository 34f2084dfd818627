package waiting

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestDueIsSpread: shortly after until, the same at each time, in full seconds, and never
// after the last moment.
func TestDueIsSpread(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 2, 0, 0, 1, time.UTC)
	for name, c := range map[string]struct{ wait, left, atMost time.Duration }{
		"a night, and a day is left":    {6 * time.Hour, 24 * time.Hour, maxSpread + time.Second},
		"a night, and a minute is left": {6 * time.Hour, time.Minute, 30*time.Second + time.Second},
		"a night, and nothing is left":  {6 * time.Hour, 0, 0},
		"it is over before":             {6 * time.Hour, -time.Hour, -time.Hour},
		"a minute":                      {time.Minute, 24 * time.Hour, 6*time.Second + time.Second},
		"no wait":                       {-time.Second, 24 * time.Hour, time.Second},
	} {
		until := now.Add(c.wait)
		latest := until.Add(c.left)
		seen := map[time.Time]bool{}
		for range 1000 {
			id := uuid.New()
			due := Due(id, now, until, latest)
			if !due.Equal(Due(id, now, until, latest)) {
				t.Fatalf("%s: another time for the same id", name)
			}
			if due.Before(until) && c.left >= 0 || due.After(latest) || due.Sub(until) > c.atMost {
				t.Fatalf("%s: due %s after until", name, due.Sub(until))
			}
			seen[due] = true
		}
		if c.atMost > maxSpread && len(seen) < 100 {
			t.Errorf("1,000 requests are due at %d different times only", len(seen))
		}
	}
	until := now
	if due := Due(uuid.New(), now, time.Time{}, until); !due.Equal(until) {
		t.Errorf("a wait without an end is over at %s", due)
	}
}

func TestPatienceEndsBeforeTheRetention(t *testing.T) {
	t.Parallel()
	for retention, want := range map[time.Duration]time.Duration{168 * time.Hour: 167 * time.Hour, 10 * time.Hour: 9 * time.Hour, 10 * time.Second: 9 * time.Second} {
		if got := Patience(retention); got != want {
			t.Errorf("with a retention of %s: %s, want %s", retention, got, want)
		}
	}
}
