package main

import (
	"context"
	"fmt"
	"time"
)

// growth measures how accepting depends on the number of routes, of which one
// wants the webhook, of connections, and of requests that are kept.
func (c comparison) growth(ctx context.Context, t *table) error {
	for _, routes := range []int{1, 10, 100, 1000} {
		if err := c.grown(ctx, t, routes, usual); err != nil {
			return err
		}
	}
	for _, connections := range []int{1, 8, 256, 1000} {
		if err := c.grown(ctx, t, 1, connections); err != nil {
			return err
		}
	}
	return c.filled(ctx, t, 100_000, 1_000_000)
}

func (c comparison) grown(ctx context.Context, t *table, routes, connections int) error {
	return c.live(ctx, c.callbridge, job{sync: syncInterval, keepOnly: true, api: nowhere, routes: routes}, func(r *running) error {
		if err := r.warm(ctx); err != nil {
			return err
		}
		got, err := c.acceptLoad(ctx, r, load{connections: connections})
		addGrowth(t, routes, connections, 0, got, unknown, unknown)
		return err
	})
}

func addGrowth(t *table, routes, connections, kept int, got accepting, heap, start string) {
	t.add(thousands(routes), thousands(connections), thousands(kept), perSecond(got.perSecond),
		milliseconds(got.p50), milliseconds(got.p99), megabytes(got.memory), heap, start)
}

// rest is how long after its start a process is looked at: nats-server forgets
// the index of a block that has not been used for two minutes.
const rest = 150 * time.Second

// filled fills the stream up step by step, and measures accepting, the heap that
// each request costs, and how long the next start takes.
func (c comparison) filled(ctx context.Context, t *table, steps ...int) error {
	return c.live(ctx, c.callbridge, job{sync: syncInterval, keepOnly: true, api: nowhere}, func(r *running) error {
		if err := r.warm(ctx); err != nil {
			return err
		}
		empty, err := r.heap()
		if err != nil {
			return err
		}
		for _, kept := range steps {
			if missing := kept - r.next; missing > 0 {
				fill := load{path: r.lists, connections: 8, contacts: list, count: (missing + list - 1) / list}
				if _, err := r.send(ctx, fill); err != nil {
					return fmt.Errorf("fill up: %w", err)
				}
			}
			got, err := c.acceptLoad(ctx, r, load{connections: usual})
			if err != nil {
				return err
			}
			r.taker.kill()
			began := time.Now()
			if err := r.again(ctx); err != nil {
				return err
			}
			start := time.Since(began)
			if !sleepUntil(ctx, time.Now().Add(c.rest)) {
				return ctx.Err()
			}
			resting, err := r.heap()
			if err != nil {
				return err
			}
			each := fmt.Sprintf("%d B", (resting-empty)/int64(r.next))
			addGrowth(t, 1, usual, kept, got, each, seconds(start))
		}
		return nil
	})
}

// list is how many contacts a list holds.
const list = 100

// lists compares a list of contacts with a single one, on one connection.
func (c comparison) lists(ctx context.Context, t *table) error {
	for _, sync := range []string{syncInterval, syncAlways} {
		err := c.live(ctx, c.callbridge, job{sync: sync, keepOnly: true, api: nowhere}, func(r *running) error {
			if err := r.warm(ctx); err != nil {
				return err
			}
			one, err := c.acceptLoad(ctx, r, load{connections: 1})
			if err != nil {
				return err
			}
			many, err := c.acceptLoad(ctx, r, load{connections: 1, path: r.lists, contacts: list})
			t.add(sync, milliseconds(one.p50), milliseconds(many.p50), ratio(many.p50, one.p50),
				processor(one.cpu/100_000, microseconds), processor(many.cpu/100_000, microseconds), ratio(many.cpu, one.cpu))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
