package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// What NATS_SYNC may be.
const (
	syncInterval = "interval"
	syncAlways   = "always"
)

// job is what a system is to do.
type job struct {
	// dir is for its files.
	dir string
	// sync is when writes reach the disk.
	sync string
	// api is where calls go.
	api string
	// keepOnly: webhooks are kept, and next to no calls are placed.
	keepOnly bool
	// routes of callbridge; 1 if zero.
	routes int
}

// system is one way to do the job.
type system struct {
	name string
	// start fills in what runs as it comes, so that it is stopped also where
	// the rest did not start.
	start func(context.Context, job, *running) error
}

// running is a system at work.
type running struct {
	// address and path are where it takes webhooks; lists is where callbridge
	// takes many contacts in one.
	address, path, lists string
	// admin is where callbridge shows its metrics.
	admin string
	// taker is the process that takes the webhooks, keeper the NATS beside it
	// where that is one of its own.
	taker, keeper *child
	// again starts the taker once more, after it was killed.
	again func(context.Context) error
	// nats is where its streams are; empty if it keeps nothing.
	nats string
	// requests and results are its streams.
	requests, results string
	// next is the number of the contact that is sent next; accepted are the
	// webhooks that it has taken so far.
	next     int
	accepted []int
}

// live starts a system with files of its own, uses it, and ends it.
func (b *bench) live(ctx context.Context, s system, j job, use func(*running) error) error {
	b.lives++
	j.dir = filepath.Join(b.dir, fmt.Sprintf("%03d", b.lives))
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return fmt.Errorf("make a folder for %s: %w", s.name, err)
	}
	defer func() { _ = os.RemoveAll(j.dir) }()
	r := &running{path: "/webhooks/bench"}
	defer r.kill()
	if err := s.start(ctx, j, r); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	return use(r)
}

func (r *running) processes() (all []*child) {
	for _, c := range []*child{r.taker, r.keeper} {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

func (r *running) kill() {
	for _, c := range r.processes() {
		c.kill()
	}
}

func (r *running) cpu() (sum time.Duration) {
	for _, c := range r.processes() {
		sum += cpu(c.cmd.Process.Pid)
	}
	return sum
}

// peak adds up the most memory that each process has had.
func (r *running) peak() (sum int64) {
	for _, c := range r.processes() {
		sum += c.peak()
	}
	return sum
}

// send runs a load with numbers that were not sent before. That a webhook is
// not accepted is an error: nothing here asks for more than it is worth.
func (r *running) send(ctx context.Context, l load) (report, error) {
	l.address, l.contacts, l.first = r.address, max(1, l.contacts), r.next
	if l.path == "" {
		l.path = r.path
	}
	seen := l.run(ctx)
	r.next, r.accepted = seen.next, append(r.accepted, seen.accepted...)
	if seen.errors > 0 && ctx.Err() == nil {
		return seen, fmt.Errorf("%d of %d webhooks were not accepted", seen.errors, seen.errors+len(seen.accepted))
	}
	return seen, ctx.Err()
}

// warm sends some webhooks before anything is measured.
func (r *running) warm(ctx context.Context) error {
	_, err := r.send(ctx, load{connections: 8, count: 500})
	return err
}
