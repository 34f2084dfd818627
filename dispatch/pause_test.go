package dispatch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

func TestPauseLastsAsLongAsItsLongestExtension(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPause()
		start := time.Now()
		p.extend(30 * time.Second)
		p.extend(time.Second)
		if !p.active() {
			t.Error("not active")
		}
		if err := p.wait(t.Context()); err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("waited %s (%v), want 30s", time.Since(start), err)
		}
		if p.active() {
			t.Error("still active")
		}
	})
}

func TestPauseForCredentialsEndsWhenTheyAreAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPause()
		if !p.setCredentialsRefused(true) || p.setCredentialsRefused(true) {
			t.Error("a change is not reported once")
		}
		start := time.Now()
		time.AfterFunc(5*time.Hour, func() { p.setCredentialsRefused(false) })
		if err := p.wait(t.Context()); err != nil || time.Since(start) != 5*time.Hour {
			t.Errorf("waited %s (%v), want 5h", time.Since(start), err)
		}
	})
}

func TestPauseWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPause()
		p.extend(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("waited %s (%v), want 1s and the context's error", time.Since(start), err)
		}
	})
}

func TestLocalLimiterHasABurstOfOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond, tokens = 20, 101
		l := localLimiter{rate.NewLimiter(perSecond, 1)}
		start := time.Now()
		for range tokens {
			release, err := l.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		if took, want := time.Since(start), (tokens-1)*time.Second/perSecond; took < want-time.Millisecond || took > want+time.Millisecond {
			t.Errorf("%d tokens took %s, want %s", tokens, took, want)
		}
	})
}
