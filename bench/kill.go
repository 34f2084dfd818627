package main

import (
	"context"
	"time"
)

// killed is what kill -9 in the middle of work leaves.
type killed struct {
	sent int
	// silence is from the kill to the next call; 0 if there was none.
	silence time.Duration
	tally
}

// kill ends the process that takes webhooks without a chance, while webhooks
// arrive at the rate (0: as fast as they are taken) and the API takes its time,
// and starts it again at once.
func (b *bench) kill(ctx context.Context, s system, rate float64, latency time.Duration) (got killed, err error) {
	a, err := startSimulator(latency)
	if err != nil {
		return got, err
	}
	defer a.close()
	err = b.live(ctx, s, job{sync: syncInterval, api: a.url}, func(r *running) error {
		sent := make(chan error)
		go func() {
			_, err := r.send(ctx, load{connections: usual, duration: 2 * b.time, rate: rate, patience: time.Minute})
			sent <- err
		}()
		going := sleepUntil(ctx, time.Now().Add(b.time))
		r.taker.kill()
		died := time.Now()
		if going {
			err = r.again(ctx)
		}
		if sending := <-sent; err == nil {
			err = sending
		}
		if err != nil {
			return err
		}
		if _, err := r.drain(ctx); err != nil {
			return err
		}
		got.sent, got.silence = len(r.accepted), a.silence(died)
		got.tally, err = r.tally(ctx, a)
		return err
	})
	return got, err
}

// inFlight is how long calls that a dead process had sent may still arrive.
const inFlight = 20 * time.Millisecond

// silence is how long after a moment the next webhook was called.
func (a *api) silence(since time.Time) (shortest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.placed {
		after := a.began.Add(p.first).Sub(since)
		if after > inFlight && (shortest == 0 || after < shortest) {
			shortest = after
		}
	}
	return shortest
}
