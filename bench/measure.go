package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// bench is one run of this program.
type bench struct {
	// dir has one subdirectory for each system.
	dir string
	// profiles is the directory for profiles of callbridge; empty for none.
	profiles string
	// time is how long a load lasts.
	time time.Duration
	// idle is how long a process is idle before its heap is measured.
	idle time.Duration
	// started counts the systems that have been started.
	started int
}

// defaultConnections is the number of connections unless a part varies it.
const defaultConnections = 64

// accepting is the result for a system that only stores webhooks.
type accepting struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // for 100,000 webhooks
	memory    int64         // the most so far, in bytes
	storage
}

// storage tells whether all accepted webhooks were stored.
type storage struct {
	// stateless: this system stores nothing.
	stateless     bool
	lost, doubled int
}

func (k storage) String() string {
	if k.stateless {
		return unknown
	}
	return fmt.Sprintf("%d / %d", k.lost, k.doubled)
}

// accept measures how many webhooks are accepted per second, and checks that they
// were stored.
func (b *bench) accept(ctx context.Context, s system, sync string) (got accepting, err error) {
	err = b.withSystem(ctx, s, job{sync: sync, storeOnly: true, api: unusedAPI}, func(r *running) (err error) {
		if err := r.warm(ctx); err != nil {
			return err
		}
		done := b.profile(r, "accept-"+sync)
		got, err = b.acceptLoad(ctx, r, load{connections: defaultConnections})
		if done(); err != nil {
			return err
		}
		got.storage, err = r.checkStored(ctx)
		return err
	})
	return got, err
}

// acceptLoad runs a closed loop for the time of the benchmark.
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

// checkStored looks for every accepted webhook in the system's stream.
func (r *running) checkStored(ctx context.Context) (k storage, err error) {
	if r.nats == "" {
		return storage{stateless: true}, nil
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

// calling is the result for a system that places a call for each webhook.
type calling struct {
	accepted, calls float64       // per second
	cpu             time.Duration // for 100,000 calls
	memory          int64         // the most, in bytes
	tally
}

// call sends webhooks as fast as they are accepted, and waits until each has led
// to its call and its result. The rate of calls is measured from the first webhook
// to the last result.
func (b *bench) call(ctx context.Context, s system, sync string) (got calling, err error) {
	err = b.calls(ctx, s, sync, func(r *running, a *api) error {
		done := b.profile(r, "call-"+sync)
		cpu, began := r.cpu(), time.Now()
		seen, err := r.send(ctx, load{connections: defaultConnections, duration: b.time})
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

// calls starts a system with an API that answers immediately.
func (b *bench) calls(ctx context.Context, s system, sync string, use func(*running, *api) error) error {
	a, err := startAPI()
	if err != nil {
		return err
	}
	defer a.close()
	return b.withSystem(ctx, s, job{sync: sync, api: a.url}, func(r *running) error {
		if err := r.warm(ctx); err != nil {
			return err
		}
		if _, err := r.drain(ctx); err != nil {
			return err
		}
		return use(r, a)
	})
}

// steady is the result at a constant rate.
type steady struct {
	// answer is measured from the scheduled time of a webhook to its answer,
	// call from then to the call's first byte at the API.
	answer50, answer99, call50, call99 time.Duration
	memory                             int64 // the most, in bytes
	tally
}

// steadyRate is in webhooks per second.
const steadyRate = 1000

// steadily returns the open loop at that rate.
func (b *bench) steadily() load {
	return load{connections: defaultConnections, duration: 2 * b.time, rate: steadyRate}
}

// answerSteadily is callSteadily for a system that places no calls.
func (b *bench) answerSteadily(ctx context.Context, s system, sync string) (got steady, err error) {
	err = b.withSystem(ctx, s, job{sync: sync, storeOnly: true, api: unusedAPI}, func(r *running) error {
		if err := r.warm(ctx); err != nil {
			return err
		}
		seen, err := r.send(ctx, b.steadily())
		got = steady{answer50: quantile(seen.latencies, .5), answer99: quantile(seen.latencies, .99), memory: r.peak()}
		return err
	})
	return got, err
}

// callSteadily sends webhooks at a constant rate in an open loop.
func (b *bench) callSteadily(ctx context.Context, s system, sync string) (got steady, err error) {
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
				calls = append(calls, a.began.Add(p.first).Sub(seen.scheduled(n)))
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

// killed is the result of kill -9 under load.
type killed struct {
	sent int
	// silence is the time from the kill to the next call; 0 if there was none.
	silence time.Duration
	tally
}

// kill kills the process that receives webhooks while they arrive at the rate (0:
// as fast as they are accepted), and restarts it immediately. The API has latency.
func (b *bench) kill(ctx context.Context, s system, rate float64, latency time.Duration) (got killed, err error) {
	a, err := startSimulator(latency)
	if err != nil {
		return got, err
	}
	defer a.close()
	err = b.withSystem(ctx, s, job{sync: syncInterval, api: a.url}, func(r *running) error {
		sent := make(chan error)
		go func() {
			_, err := r.send(ctx, load{connections: defaultConnections, duration: 2 * b.time, rate: rate, retryFor: time.Minute})
			sent <- err
		}()
		going := sleepUntil(ctx, time.Now().Add(b.time))
		r.intake.kill()
		died := time.Now()
		if going {
			err = r.restart(ctx)
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

// inFlight is how long calls of the killed process may still arrive.
const inFlight = 20 * time.Millisecond

// silence returns the time until the next call after since.
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

// profile saves profiles of callbridge's processor time and allocations, for go
// tool pprof.
func (b *bench) profile(r *running, name string) (done func()) {
	if b.profiles == "" || r.admin == "" {
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.save(r, name+".cpu", fmt.Sprintf("profile?seconds=%d", max(1, int(b.time.Seconds())-1)))
	}()
	return func() {
		<-ended
		b.save(r, name+".allocs", "allocs")
	}
}

func (b *bench) save(r *running, name, what string) {
	resp, err := http.Get("http://" + r.admin + "/debug/pprof/" + what)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: profile:", err)
		return
	}
	defer resp.Body.Close()
	file, err := os.Create(filepath.Join(b.profiles, name))
	if err == nil {
		_, err = io.Copy(file, resp.Body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: profile:", err)
	}
	_ = file.Close()
}
