package waiting

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// id returns ids in the order of n.
func id(n byte) uuid.UUID { return uuid.UUID{n} }

// next waits for the next request, and returns it with the time since begun.
func next(t *testing.T, s *Set, begun time.Time) (byte, time.Duration) {
	t.Helper()
	got, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got[0], time.Since(begun)
}

func TestRequestsComeWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, begun := New(), time.Now()
		s.Add(id(1), 3*time.Hour, false)
		s.Add(id(2), 2*time.Second, false)
		s.Add(id(3), -time.Hour, false)
		s.Add(id(4), time.Minute, false)
		s.Add(id(4), time.Second, false) // earlier than it was
		s.Add(id(2), 5*time.Second, false)
		s.Add(id(5), time.Second, false)
		s.Remove(id(5))
		for _, want := range []struct {
			id byte
			at time.Duration
		}{{3, 0}, {4, time.Second}, {2, 5 * time.Second}, {1, 3 * time.Hour}} {
			if got, at := next(t, s, begun); got != want.id || at != want.at {
				t.Errorf("%d after %s, want %d after %s", got, at, want.id, want.at)
			}
		}
		if n := s.Len(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

// TestWakeHasThoseDueThatWaitForAChange, each once.
func TestWakeHasThoseDueThatWaitForAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, begun := New(), time.Now()
		for n := range byte(20) {
			s.Add(id(n), time.Hour, n%2 == 0)
		}
		go func() { time.Sleep(time.Minute); s.Wake() }()
		var woken []byte
		for range 10 {
			got, at := next(t, s, begun)
			if at < time.Minute || at > time.Minute+wakeSpread {
				t.Errorf("%d after %s", got, at)
			}
			woken = append(woken, got)
		}
		slices.Sort(woken)
		if !slices.Equal(woken, []byte{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}) {
			t.Errorf("woken are %v", woken)
		}
		if _, at := next(t, s, begun); at != time.Hour {
			t.Errorf("the next one comes after %s", at)
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New()
		s.Add(id(1), time.Hour, false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Next(ctx); err == nil {
			t.Error("there was one that is not due")
		}
		if s.Len() != 1 {
			t.Error("it was forgotten")
		}
	})
}

// TestThoseThatAreDueComeInTheirOrder: as they were added, and those of other processes last
// and the other way round.
func TestThoseThatAreDueComeInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, begun := New(), time.Now()
		s.AddLast(id(8), time.Second, false)
		s.Add(id(1), 3*time.Second, false)
		s.AddLast(id(7), 2*time.Second, false)
		s.Add(id(2), 2*time.Second, true)
		s.Add(id(1), 2*time.Second, false) // again
		s.Add(id(3), time.Second, false)
		time.Sleep(time.Minute)
		for _, want := range []byte{1, 2, 3, 7, 8} {
			if got, _ := next(t, s, begun); got != want {
				t.Errorf("%d, want %d", got, want)
			}
		}
	})
}
