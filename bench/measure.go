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
	// dir is where every system gets a folder of its own.
	dir string
	// profiles is where profiles of callbridge go; empty for none.
	profiles string
	// time is how long a load lasts.
	time  time.Duration
	lives int
}

// connections is how many a load uses where nothing else is said.
const connections = 64

// live starts a system with files of its own, uses it, and stops it.
func (b *bench) live(s system, j job, use func(*running) error) error {
	b.lives++
	j.dir = filepath.Join(b.dir, fmt.Sprintf("%03d-%s", b.lives, s.name))
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	r, err := s.start(j)
	if r != nil {
		defer func() { r.stop(); _ = os.RemoveAll(filepath.Join(j.dir, "store")) }()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	return use(r)
}

// warmth is how many webhooks are sent before anything is measured.
const warmth = 500

func warm(r *running) {
	load{address: r.address, path: r.path, connections: 8, count: warmth}.run(context.Background())
}

// accepting is what a system that only keeps webhooks can take.
type accepting struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // for 100,000 webhooks
	memory    int64
	// lost were accepted and are not in its stream, if it keeps any.
	keeps bool
	lost  int
}

// accept measures how many webhooks a second are answered, and that what was
// answered is kept.
func (b *bench) accept(s system, sync string) (got accepting, err error) {
	err = b.live(s, job{sync: sync, keepOnly: true, api: nowhere}, func(r *running) (err error) {
		warm(r)
		got, err = b.acceptLoad(r, load{connections: connections, first: warmth})
		return err
	})
	return got, err
}

// acceptLoad sends a closed loop for the time of the benchmark.
func (b *bench) acceptLoad(r *running, l load) (got accepting, err error) {
	l.address, l.duration = r.address, b.time
	if l.path == "" {
		l.path = r.path
	}
	before, err := r.kept()
	if err != nil {
		return got, err
	}
	done := b.profile(r, "accept")
	cpu := r.cpu()
	seen := l.run(context.Background())
	cpu = r.cpu() - cpu
	done()
	contacts := max(1, l.contacts)
	got = accepting{
		perSecond: seen.perSecond(contacts), p50: quantile(seen.latencies, .5), p99: quantile(seen.latencies, .99),
		cpu: cpu * 100_000 / time.Duration(max(1, len(seen.accepted))), memory: r.peak(),
	}
	if seen.errors > 0 {
		return got, fmt.Errorf("%d of %d webhooks were not accepted", seen.errors, seen.errors+len(seen.accepted))
	}
	after, err := r.kept()
	if got.keeps = r.nats != ""; got.keeps {
		got.lost = len(seen.accepted)*contacts - (after - before)
	}
	return got, err
}

// kept counts the requests in a system's stream.
func (r *running) kept() (int, error) {
	if r.nats == "" {
		return 0, nil
	}
	return r.stored(context.Background(), r.requests)
}

// calling is what a system does that has to call everybody.
type calling struct {
	accepted, calls float64       // per second
	cpu             time.Duration // for 100,000 calls
	memory          int64
	tally
}

// drainTimeout is how long the last calls may take. A process that was killed
// leaves claims that are looked for in Callab's list after a minute.
const drainTimeout = 4 * time.Minute

// call sends webhooks as fast as they are taken, and waits until every one has
// led to its call and its result. Calls a second are counted from the first
// webhook to the last result.
func (b *bench) call(s system, sync string) (got calling, err error) {
	a, err := startAPI()
	if err != nil {
		return got, err
	}
	defer a.close()
	err = b.live(s, job{sync: sync, api: a.url()}, func(r *running) error {
		warm(r)
		if err := drained(r, a, warmth); err != nil {
			return err
		}
		done := b.profile(r, "call")
		cpu, began := r.cpu(), time.Now()
		seen := load{address: r.address, path: r.path, connections: connections, first: warmth, duration: b.time}.run(context.Background())
		if err := drained(r, a, warmth+len(seen.accepted)); err != nil {
			return err
		}
		took, n := time.Since(began), len(seen.accepted)
		cpu = r.cpu() - cpu
		done()
		t, err := r.tally(a, seen.accepted)
		got = calling{
			accepted: seen.perSecond(1), calls: float64(n) / took.Seconds(),
			cpu: cpu * 100_000 / time.Duration(max(1, n)), memory: r.peak(), tally: t,
		}
		return err
	})
	return got, err
}

// drained waits until so many calls and results are there, or nothing more
// comes.
func drained(r *running, a *api, n int) error {
	for end := time.Now().Add(drainTimeout); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		stored, err := r.stored(context.Background(), r.results)
		if err != nil || stored >= n && int(a.received.Load()) >= n {
			return err
		}
	}
	return nil // the tally tells what is missing
}

// steady is what a system does at a rate that it can hold.
type steady struct {
	// answer is from the moment a webhook was to be sent to its answer, call
	// from that moment to the call's first byte at the API.
	answer50, answer99, call50, call99 time.Duration
	memory                             int64
	tally
}

// steadyRate is in webhooks a second.
const steadyRate = 1000

// hold sends webhooks at a steady rate in an open loop.
func (b *bench) hold(s system, sync string) (got steady, err error) {
	a, err := startAPI()
	if err != nil {
		return got, err
	}
	defer a.close()
	err = b.live(s, job{sync: sync, api: a.url()}, func(r *running) error {
		warm(r)
		if err := drained(r, a, warmth); err != nil {
			return err
		}
		seen := load{address: r.address, path: r.path, connections: connections, first: warmth, duration: 2 * b.time, rate: steadyRate}.run(context.Background())
		if err := drained(r, a, warmth+len(seen.accepted)); err != nil {
			return err
		}
		var calls []time.Duration
		for _, n := range seen.accepted {
			if at := a.first[n].Load(); at > 0 {
				calls = append(calls, a.began.Add(time.Duration(at)).Sub(seen.meant(n)))
			}
		}
		t, err := r.tally(a, seen.accepted)
		got = steady{
			answer50: quantile(seen.latencies, .5), answer99: quantile(seen.latencies, .99),
			call50: quantile(calls, .5), call99: quantile(calls, .99), memory: r.peak(), tally: t,
		}
		return err
	})
	return got, err
}

// profile takes a profile of callbridge's processor time and of what it
// allocates, for go tool pprof.
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
