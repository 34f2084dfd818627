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
	until := time.Date(2026, 11, 30, 8, 0, 0, 1, time.UTC)
	for name, c := range map[string]struct {
		latest         time.Duration
		spread, atMost time.Duration
	}{
		"a day is left":     {24 * time.Hour, Spread, Spread + time.Second},
		"a minute is left":  {time.Minute, Spread, 30*time.Second + time.Second},
		"nothing is left":   {0, Spread, 0},
		"it is over before": {-time.Hour, Spread, -time.Hour},
		"without a spread":  {24 * time.Hour, time.Nanosecond, time.Second},
	} {
		latest := until.Add(c.latest)
		seen := map[time.Time]bool{}
		for range 1000 {
			id := uuid.New()
			due := Due(id, until, latest, c.spread)
			if !due.Equal(Due(id, until, latest, c.spread)) {
				t.Fatalf("%s: another time for the same id", name)
			}
			if due.Before(until) && c.latest >= 0 || due.After(latest) || due.Sub(until) > c.atMost {
				t.Fatalf("%s: due %s after until", name, due.Sub(until))
			}
			seen[due] = true
		}
		if name == "a day is left" && len(seen) < 100 {
			t.Errorf("1,000 requests are due at %d different times only", len(seen))
		}
	}
	if due := Due(uuid.New(), time.Time{}, until, Spread); !due.Equal(until) {
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
