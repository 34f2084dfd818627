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

// TestRefusedCredentialsLetOneProbeThrough: at growing intervals, and all
// requests after one was accepted.
func TestRefusedCredentialsLetOneProbeThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPause()
		start := time.Now()
		if again, news := p.refuse(false, 403); !news || again.Sub(start) != firstProbe+behindProbe {
			t.Errorf("refused: news %t, again after %s", news, again.Sub(start))
		}
		if _, news := p.refuse(false, 403); news {
			t.Error("the same refusal is news twice")
		}
		for i, want := range []time.Duration{2, 4, 8, 16, 30, 30} {
			began := time.Now()
			err := p.wait(t.Context())
			probe, _, _ := p.enter(t.Context())
			if took := time.Since(began); !probe || err != nil || took != want*time.Second {
				t.Errorf("probe %d: %t after %s (%v), want %s", i, probe, took, err, want*time.Second)
			}
			if second, again, _ := p.enter(t.Context()); second || again <= 0 || !p.active() || p.refused() != 403 {
				t.Error("a second request may be claimed beside the probe, or holds its message")
			}
			p.refuse(true, 403)
			p.leave(true)
		}
		if p.accept(false) || p.refused() == 0 {
			t.Error("a call sent before the refusal ends it")
		}
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		probe, _, _ := p.enter(t.Context())
		waiting := make(chan error)
		go func() { waiting <- p.wait(t.Context()) }()
		synctest.Wait()
		if !p.accept(probe) || p.refused() != 0 || p.active() {
			t.Error("an accepted probe does not end the refusal")
		}
		p.leave(probe)
		if err := <-waiting; err != nil || p.acceptedSince(time.Now()) || !p.acceptedSince(start) || p.acceptedSince(time.Time{}) {
			t.Errorf("waiting: %v", err)
		}
	})
}

// TestProbeWithoutAnAnswerIsFollowedByAnother: its claim may fail, or the answer
// may prove nothing.
func TestProbeWithoutAnAnswerIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPause()
		p.refuse(false, 401)
		for range 3 {
			began := time.Now()
			err := p.wait(t.Context())
			probe, _, _ := p.enter(t.Context())
			if took := time.Since(began); !probe || err != nil || took != firstProbe {
				t.Errorf("probe %t after %s: %v", probe, took, err)
			}
			p.leave(probe)
		}
		// No request waits any more: nothing is known, and readiness recovers.
		time.Sleep(firstProbe + probeGrace)
		if p.refused() == 0 {
			t.Error("recovered too early")
		}
		time.Sleep(time.Second)
		if p.refused() != 0 {
			t.Error("red without a request that waits")
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
