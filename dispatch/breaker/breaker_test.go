package breaker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPauseLastsAsLongAsItsLongestExtension(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New()
		start := time.Now()
		p.Extend(30 * time.Second)
		p.Extend(time.Second)
		if !p.Active() {
			t.Error("not active")
		}
		if err := p.Wait(t.Context()); err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("waited %s (%v), want 30s", time.Since(start), err)
		}
		if p.Active() {
			t.Error("still active")
		}
	})
}

// TestRefusedCredentialsLetOneProbeThrough: at growing intervals, and all
// requests after one was accepted.
func TestRefusedCredentialsLetOneProbeThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New()
		start := time.Now()
		if again, news, _ := p.Refuse(false, 403); !news || again.Sub(start) != FirstProbe+behindProbe {
			t.Errorf("refused: news %t, again after %s", news, again.Sub(start))
		}
		if _, news, _ := p.Refuse(false, 403); news {
			t.Error("the same refusal is news twice")
		}
		for i, want := range []time.Duration{2, 4, 8, 16, 30, 30} {
			began := time.Now()
			err := p.Wait(t.Context())
			probe, _, _ := p.Enter(t.Context())
			if took := time.Since(began); !probe || err != nil || took != want*time.Second {
				t.Errorf("probe %d: %t after %s (%v), want %s", i, probe, took, err, want*time.Second)
			}
			if second, again, _ := p.Enter(t.Context()); second || again <= 0 || !p.Active() || refused(p) != 403 {
				t.Error("a second request may be claimed beside the probe, or holds its message")
			}
			p.Refuse(true, 403)
			p.Leave(true)
		}
		if accepts(p, false) || refused(p) == 0 {
			t.Error("a call sent before the refusal ends it")
		}
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		probe, _, _ := p.Enter(t.Context())
		waiting := make(chan error)
		go func() { waiting <- p.Wait(t.Context()) }()
		synctest.Wait()
		if !accepts(p, probe) || refused(p) != 0 || p.Active() {
			t.Error("an accepted probe does not end the refusal")
		}
		p.Leave(probe)
		if err := <-waiting; err != nil || p.AcceptedSince(time.Now()) || !p.AcceptedSince(start) || p.AcceptedSince(time.Time{}) {
			t.Errorf("waiting: %v", err)
		}
	})
}

// TestProbeWithoutAnAnswerIsFollowedByAnother: its claim may fail, or the answer
// may prove nothing.
func TestProbeWithoutAnAnswerIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New()
		p.Refuse(false, 401)
		for range 3 {
			began := time.Now()
			err := p.Wait(t.Context())
			probe, _, _ := p.Enter(t.Context())
			if took := time.Since(began); !probe || err != nil || took != FirstProbe {
				t.Errorf("probe %t after %s: %v", probe, took, err)
			}
			p.Leave(probe)
		}
		// No request waits any more: nothing is known, and readiness recovers.
		time.Sleep(FirstProbe + probeGrace)
		if refused(p) == 0 {
			t.Error("recovered too early")
		}
		time.Sleep(time.Second)
		if refused(p) != 0 {
			t.Error("red without a request that waits")
		}
	})
}

// TestOutageWithoutAProbe: no request comes, so that nothing would end the outage. The
// unknown calls are searched for all the same.
func TestOutageWithoutAProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New()
		for i := range TripAfter {
			if opened := b.Fail(false); opened != (i == TripAfter-1) {
				t.Errorf("failure %d opens: %t", i, opened)
			}
		}
		time.Sleep(FirstProbe + probeGrace)
		if now, _ := b.Outage(); !now {
			t.Error("over while a probe may come")
		}
		time.Sleep(time.Second)
		if now, ended := b.Outage(); now || !ended.IsZero() || b.State() != HalfOpen {
			t.Errorf("outage %t, ended %s, %s", now, ended, b.State())
		}
	})
}

// TestARequestThatHasEnteredIsHeld: it has waited for its slot while the breaker opened.
func TestARequestThatHasEnteredIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New()
		probe, _, _ := b.Enter(t.Context())
		if b.Held(probe) != 0 {
			t.Error("held by a closed breaker")
		}
		b.Refuse(false, 402)
		if b.Held(probe) == 0 {
			t.Error("claimed although the breaker is open")
		}
		time.Sleep(FirstProbe)
		if probe, _, _ = b.Enter(t.Context()); !probe || b.Held(probe) != 0 {
			t.Error("the probe is held")
		}
	})
}

func TestPauseWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New()
		p.Extend(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("waited %s (%v), want 1s and the context's error", time.Since(start), err)
		}
	})
}

func refused(b *Breaker) int {
	status, _ := b.Cause()
	return status
}

func accepts(b *Breaker, probe bool) bool {
	status, _ := b.Accept(probe)
	return status != 0
}

// TestOutageOpensTheBreaker: after a few unknown outcomes in a row one request at a time
// finds out, at growing intervals.
func TestOutageOpensTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New()
		for i := range 2 * TripAfter {
			if b.Fail(false) || b.State() != Closed {
				t.Fatalf("open after %d unknown outcomes that are not in a row", i+1)
			}
			if i%2 == 1 {
				b.Accept(false)
			}
		}
		for i := range TripAfter {
			if opened := b.Fail(false); opened != (i == TripAfter-1) {
				t.Fatalf("%d unknown outcomes in a row: opened %t", i+1, opened)
			}
		}
		if b.Fail(false) {
			t.Error("a call that was sent before opens it twice")
		}
		for i, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
			began := time.Now()
			if state := b.State(); state != Open {
				t.Errorf("probe %d: %s", i, state)
			}
			err := b.Wait(t.Context())
			probe, _, _ := b.Enter(t.Context())
			if took := time.Since(began); !probe || err != nil || took != want*time.Second || b.State() != HalfOpen {
				t.Errorf("probe %d: %t after %s (%v), %s; want %s", i, probe, took, err, b.State(), want*time.Second)
			}
			if second, again, _ := b.Enter(t.Context()); second || again <= 0 || again > time.Minute {
				t.Errorf("a second request beside the probe: %t, again after %s", second, again)
			}
			if _, over := b.Accept(false); over {
				t.Error("a call that was sent before closes it")
			}
			b.Fail(true)
			b.Leave(true)
		}
		if err := b.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		probe, _, _ := b.Enter(t.Context())
		if _, over := b.Accept(probe); !over || b.State() != Closed || b.Active() {
			t.Errorf("an accepted probe leaves it %s", b.State())
		}
		if now, ended := b.Outage(); now || !ended.Equal(time.Now()) {
			t.Errorf("outage %t, ended %s", now, ended)
		}
	})
}

// TestAnswersEndAnOutage: a refusal and a 429 show that Callab answers.
func TestAnswersEndAnOutage(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*Breaker) bool{
		"429": func(b *Breaker) bool { return b.Answered(true) },
		"401": func(b *Breaker) bool { _, _, over := b.Refuse(true, 401); return over },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := New()
			for range TripAfter {
				b.Fail(false)
			}
			if err := b.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if probe, _, _ := b.Enter(t.Context()); !probe || !answer(b) {
				t.Errorf("%s: the outage is not over", name)
			}
			if _, outage := b.Cause(); outage {
				t.Errorf("%s: still an outage", name)
			}
		})
	}
}
