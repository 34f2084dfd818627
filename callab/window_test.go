package callab

import (
	"testing"
	"time"
)

func TestWindowIsOpenByBothClocks(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, row := range []struct {
		name            string
		wall, monotonic time.Duration
		want            bool
	}{
		{"at once", 0, 0, true},
		{"just in time", 5*s - 1, 5*s - 1, true},
		{"over", 5 * s, 5 * s, false},
		{"machine was suspended", time.Minute, s, false},
		{"wall clock set forward", 5 * s, 0, false},
		{"wall clock slewed", 2 * s, 3 * s, true},
		{"slewed, and over by one clock", 4 * s, 5 * s, false},
		{"wall clock set back", s, 2*s + 1, false},
		{"wall clock before the start", -s - 1, 0, false},
	} {
		if got := (Window{Length: 5 * s}).allows(row.wall, row.monotonic); got != row.want {
			t.Errorf("%s: open %v, want %v", row.name, got, row.want)
		}
	}
}

func TestWindowStartWithOneOrBothClocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, row := range []struct {
		name string
		w    Window
		want bool
	}{
		{"both clocks", Window{Start: now, Length: time.Second}, true},
		{"both clocks, over", Window{Start: now.Add(-time.Second), Length: time.Second}, false},
		{"wall clock only", Window{Start: now.Round(0), Length: time.Second}, true},
		{"wall clock only, over", Window{Start: now.Round(0).Add(-time.Second), Length: time.Second}, false},
		{"wall clock only, in the future", Window{Start: now.Round(0).Add(time.Minute), Length: time.Hour}, false},
		{"no length", Window{Start: now}, false},
		{"zero", Window{}, false},
	} {
		if got := row.w.Open(now); got != row.want {
			t.Errorf("%s: open %v, want %v", row.name, got, row.want)
		}
	}
}
