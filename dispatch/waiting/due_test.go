package waiting

import (
	"strings"
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

func TestNothingMayExpireAfterNATSHasForgottenIt(t *testing.T) {
	t.Parallel()
	const week = 168 * time.Hour
	for _, c := range []struct {
		expire, retention time.Duration
		want              string
	}{
		{24 * time.Hour, week, ""},
		{167 * time.Hour, week, ""},
		{168 * time.Hour, week, "set expire to 167h0m0s at most, or raise RETENTION"},
		{9 * time.Hour, 10 * time.Hour, ""},
		{10 * time.Hour, 10 * time.Hour, "expire: 10h0m0s is too long: a request that waits is kept for RETENTION 10h0m0s and given up after 9h0m0s"},
	} {
		switch err := CheckExpire(c.expire, c.retention); {
		case err == nil && c.want != "", err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("expire %s with a retention of %s: %v, want %q", c.expire, c.retention, err, c.want)
		}
	}
}
