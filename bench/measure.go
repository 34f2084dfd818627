package main

import (
	"context"
	"fmt"
	"time"
)

// bench is one run of this program.
type bench struct {
	// dir is where every system gets a folder of its own.
	dir string
	// profiles is where profiles of callbridge go; empty for none.
	profiles string
	// time is how long a load lasts.
	time time.Duration
	// rest is how long a process is left alone before its heap is looked at.
	rest time.Duration
	// lives is how many systems have been started.
	lives int
}

// usual is how many connections a load uses where nothing else is said.
const usual = 64

// accepting is what a system that only keeps webhooks can take.
type accepting struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // for 100,000 webhooks
	memory    int64         // the most so far, in bytes
	keeping
}

// keeping is whether what was accepted is kept.
type keeping struct {
	// nothing is kept by this system.
	nothing       bool
	lost, doubled int
}

func (k keeping) String() string {
	if k.nothing {
		return unknown
	}
	return fmt.Sprintf("%d / %d", k.lost, k.doubled)
}

// accept measures how many webhooks a second are answered, and that what was
// answered is kept.
func (b *bench) accept(ctx context.Context, s system, sync string) (got accepting, err error) {
	err = b.live(ctx, s, job{sync: sync, keepOnly: true, api: nowhere}, func(r *running) (err error) {
		if err := r.warm(ctx); err != nil {
			return err
		}
		done := b.profile(r, "accept-"+sync)
		got, err = b.acceptLoad(ctx, r, load{connections: usual})
		if done(); err != nil {
			return err
		}
		got.keeping, err = r.kept(ctx)
		return err
	})
	return got, err
}

// acceptLoad sends a closed loop for the time of the benchmark.
func (b *bench) acceptLoad(ctx context.Context, r *running, l load) (got accepting, err error) {
	l.duration = b.time
	cpu := r.cpu()
	seen, err := r.send(ctx, l)
	cpu = r.cpu() - cpu
	return accepting{
		perSecond: seen.perSecond(), p50: quantile(seen.latencies, .5), p99: quantile(seen.latencies, .99),
		cpu: cpu * 100_000 / time.Duration(max(1, len(seen.accepted))), memory: r.peak(),
	}, err
}

// kept looks for every accepted webhook in the system's stream.
func (r *running) kept(ctx context.Context) (k keeping, err error) {
	if r.nats == "" {
		return keeping{nothing: true}, nil
	}
	s, err := r.streams()
	if err != nil {
		return k, err
	}
	defer s.close()
	times := map[int]int{}
	err = s.read(ctx, r.requests, func(_ string, data []byte) {
		for n := range numbersIn(data) {
			times[n]++
		}
	})
	for _, n := range r.accepted {
		switch times[n] {
		case 0:
			k.lost++
		case 1:
		default:
			k.doubled++
		}
	}
	return k, err
}

// calling is what a system does that has to call everybody.
type calling struct {
	accepted, calls float64       // per second
	cpu             time.Duration // for 100,000 calls
	memory          int64         // the most, in bytes
	tally
}

// call sends webhooks as fast as they are taken, and waits until every one has
// led to its call and its result. Calls a second are counted from the first
// webhook to the last result.
func (b *bench) call(ctx context.Context, s system, sync string) (got calling, err error) {
	err = b.calls(ctx, s, sync, func(r *running, a *api) error {
		done := b.profile(r, "call-"+sync)
		cpu, began := r.cpu(), time.Now()
		seen, err := r.send(ctx, load{connections: usual, duration: b.time})
		if err != nil {
			return err
		}
		last, err := r.drain(ctx)
		cpu = r.cpu() - cpu
		if done(); err != nil {
			return err
		}
		n := max(1, len(seen.accepted))
		got = calling{
			accepted: seen.perSecond(), calls: float64(n) / last.Sub(began).Seconds(),
			cpu: cpu * 100_000 / time.Duration(n), memory: r.peak(),
		}
		got.tally, err = r.tally(ctx, a)
		return err
	})
	return got, err
}

// calls starts a system with an API that answers at once.
func (b *bench) calls(ctx context.Context, s system, sync string, use func(*running, *api) error) error {
	a, err := startAPI()
	if err != nil {
		return err
	}
	defer a.close()
	return b.live(ctx, s, job{sync: sync, api: a.url}, func(r *running) error {
		if err := r.warm(ctx); err != nil {
			return err
		}
		if _, err := r.drain(ctx); err != nil {
			return err
		}
		return use(r, a)
	})
}

// steady is what a system does at a rate that it can hold.
type steady struct {
	// answer is from the moment a webhook was to be sent to its answer, call
	// from that moment to the call's first byte at the API.
	answer50, answer99, call50, call99 time.Duration
	memory                             int64 // the most, in bytes
	tally
}

// steadyRate is in webhooks a second.
const steadyRate = 1000

// steadily is the open loop at that rate.
func (b *bench) steadily() load {
	return load{connections: usual, duration: 2 * b.time, rate: steadyRate}
}

// answerSteadily is hold for a system that calls nobody.
func (b *bench) answerSteadily(ctx context.Context, s system, sync string) (got steady, err error) {
	err = b.live(ctx, s, job{sync: sync, keepOnly: true, api: nowhere}, func(r *running) error {
		if err := r.warm(ctx); err != nil {
			return err
		}
		seen, err := r.send(ctx, b.steadily())
		got = steady{answer50: quantile(seen.latencies, .5), answer99: quantile(seen.latencies, .99), memory: r.peak()}
		return err
	})
	return got, err
}

// hold sends webhooks at a steady rate in an open loop.
func (b *bench) hold(ctx context.Context, s system, sync string) (got steady, err error) {
	err = b.calls(ctx, s, sync, func(r *running, a *api) error {
		seen, err := r.send(ctx, b.steadily())
		if err != nil {
			return err
		}
		if _, err := r.drain(ctx); err != nil {
			return err
		}
		var calls []time.Duration
		for _, n := range seen.accepted {
			if p := a.calls(n); p.times > 0 {
				calls = append(calls, a.began.Add(p.first).Sub(seen.meant(n)))
			}
		}
		got = steady{
			answer50: quantile(seen.latencies, .5), answer99: quantile(seen.latencies, .99),
			call50: quantile(calls, .5), call99: quantile(calls, .99), memory: r.peak(),
		}
		got.tally, err = r.tally(ctx, a)
		return err
	})
	return got, err
}
