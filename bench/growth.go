package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// routes measures how accepting depends on the number of routes, of which one
// wants the webhook.
func (b *bench) routes(s system, t *table) error {
	for _, routes := range []int{1, 10, 100, 1000} {
		err := b.live(s, job{sync: syncInterval, keepOnly: true, api: nowhere, routes: routes}, func(r *running) error {
			warm(r)
			got, err := b.acceptLoad(r, load{connections: connections, first: warmth})
			t.add(fmt.Sprintf("%d routes", routes), perSecond(got.perSecond), milliseconds(got.p50), milliseconds(got.p99), megabytes(got.memory))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// connected measures how accepting depends on the number of connections.
func (b *bench) connected(s system, t *table) error {
	return b.live(s, job{sync: syncInterval, keepOnly: true, api: nowhere}, func(r *running) error {
		warm(r)
		first := warmth
		for _, n := range []int{1, 8, 64, 256, 1000} {
			got, err := b.acceptLoad(r, load{connections: n, first: first})
			if err != nil {
				return err
			}
			first += 1 << 19
			t.add(fmt.Sprintf("%d connections", n), perSecond(got.perSecond), milliseconds(got.p50), milliseconds(got.p99), megabytes(got.memory))
		}
		return nil
	})
}

// list is how many contacts a list holds.
const list = 100

// lists compares a list of contacts with a single one.
func (b *bench) lists(s system, sync string, t *table) error {
	return b.live(s, job{sync: sync, keepOnly: true, api: nowhere}, func(r *running) error {
		warm(r)
		one, err := b.acceptLoad(r, load{connections: 1, first: warmth})
		if err != nil {
			return err
		}
		many, err := b.acceptLoad(r, load{connections: 1, first: 1 << 20, path: r.batches, contacts: list})
		if err != nil {
			return err
		}
		t.add("NATS_SYNC="+sync, milliseconds(one.p50), milliseconds(many.p50), ratio(float64(many.p50)/float64(one.p50)),
			microseconds(one.cpu/100_000), microseconds(many.cpu/100_000), ratio(float64(many.cpu)/float64(one.cpu)))
		return nil
	})
}

func microseconds(d time.Duration) string { return fmt.Sprintf("%.0f µs", float64(d.Nanoseconds())/1000) }

// keeps fills the stream up step by step, and measures accepting, the heap that
// each request costs, and how long the next start takes.
func (b *bench) keeps(s system, t *table, steps ...int) error {
	return b.live(s, job{sync: syncInterval, keepOnly: true, api: nowhere}, func(r *running) error {
		warm(r)
		empty, err := r.heap()
		if err != nil {
			return err
		}
		kept, first := 0, warmth
		for _, step := range steps {
			fill := load{address: r.address, path: r.batches, connections: 8, contacts: list, first: first, count: (step - kept) / list}
			if seen := fill.run(context.Background()); seen.errors > 0 {
				return fmt.Errorf("fill up: %d webhooks were not accepted", seen.errors)
			}
			first += step - kept
			heap, err := r.heap()
			if err != nil {
				return err
			}
			got, err := b.acceptLoad(r, load{connections: connections, first: first})
			if err != nil {
				return err
			}
			first += 1 << 18
			if kept, err = r.kept(); err != nil {
				return err
			}
			r.children[0].kill()
			began := time.Now()
			if err := r.again(); err != nil {
				return err
			}
			each := "–"
			if step > 0 {
				each = fmt.Sprintf("%d B", (heap-empty)/int64(step))
			}
			t.add(thousands(step)+" requests kept", perSecond(got.perSecond), milliseconds(got.p50), milliseconds(got.p99), megabytes(got.memory), each, seconds(time.Since(began)))
		}
		return nil
	})
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// heap is what the process has on its heap after a collection, in bytes.
func (r *running) heap() (int64, error) {
	resp, err := http.Get("http://" + r.admin + "/debug/pprof/heap?gc=1")
	if err != nil {
		return 0, fmt.Errorf("collect garbage: %w", err)
	}
	_ = resp.Body.Close()
	if resp, err = http.Get("http://" + r.admin + "/metrics"); err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), "go_memstats_heap_alloc_bytes "); is {
			bytes, err := strconv.ParseFloat(text, 64)
			return int64(bytes), err
		}
	}
	return 0, fmt.Errorf("no go_memstats_heap_alloc_bytes in the metrics")
}
