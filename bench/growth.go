package main

import (
	"context"
	"fmt"
	"time"
)

// growth measures how accepting depends on the number of routes (of which one
// matches), of connections, and of stored requests.
func (c comparison) growth(ctx context.Context, t *table) error {
	for _, routes := range []int{1, 10, 100, 1000} {
		if err := c.measureGrowth(ctx, t, routes, defaultConnections); err != nil {
			return err
		}
	}
	for _, connections := range []int{1, 8, 256, 1000} {
		if err := c.measureGrowth(ctx, t, 1, connections); err != nil {
			return err
		}
	}
	return c.measureFilled(ctx, t, 100_000, 1_000_000)
}

func (c comparison) measureGrowth(ctx context.Context, t *table, routes, connections int) error {
	return c.withSystem(ctx, c.callbridge, job{sync: syncInterval, storeOnly: true, api: unusedAPI, routes: routes}, func(r *running) error {
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

// idle is the time between the start of a process and the measurement of its
// heap: nats-server drops the index of a block after two minutes without use.
const idle = 150 * time.Second

// measureFilled fills the stream step by step. For each step it measures accepting,
// the heap for each stored request, and the time of the next start.
func (c comparison) measureFilled(ctx context.Context, t *table, steps ...int) error {
	return c.withSystem(ctx, c.callbridge, job{sync: syncInterval, storeOnly: true, api: unusedAPI}, func(r *running) error {
		if err := r.warm(ctx); err != nil {
			return err
		}
		empty, err := r.heap()
		if err != nil {
			return err
		}
		for _, kept := range steps {
			if missing := kept - r.next; missing > 0 {
				fill := load{path: r.listPath, connections: 8, contacts: list, count: (missing + list - 1) / list}
				if _, err := r.send(ctx, fill); err != nil {
					return fmt.Errorf("fill up: %w", err)
				}
			}
			got, err := c.acceptLoad(ctx, r, load{connections: defaultConnections})
			if err != nil {
				return err
			}
			r.intake.kill()
			began := time.Now()
			if err := r.restart(ctx); err != nil {
				return err
			}
			start := time.Since(began)
			if !sleepUntil(ctx, time.Now().Add(c.idle)) {
				return ctx.Err()
			}
			resting, err := r.heap()
			if err != nil {
				return err
			}
			each := fmt.Sprintf("%d B", (resting-empty)/int64(r.next))
			addGrowth(t, 1, defaultConnections, kept, got, each, seconds(start))
		}
		return nil
	})
}

// list is the number of contacts in a list.
const list = 100

// lists compares a list of contacts with a single contact, on one connection.
func (c comparison) lists(ctx context.Context, t *table) error {
	for _, sync := range []string{syncInterval, syncAlways} {
		err := c.withSystem(ctx, c.callbridge, job{sync: sync, storeOnly: true, api: unusedAPI}, func(r *running) error {
			if err := r.warm(ctx); err != nil {
				return err
			}
			one, err := c.acceptLoad(ctx, r, load{connections: 1})
			if err != nil {
				return err
			}
			many, err := c.acceptLoad(ctx, r, load{connections: 1, path: r.listPath, contacts: list})
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
