package watch

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/follow"
	"callbridge/follow/outcome"
)

// call is one call that is followed.
type call struct {
	// accepted is its accepted result.
	accepted event.Result
	state    follow.State
	// object is the call as the last look that counts saw it.
	object []byte
	// ended is the class with which its end was published, "" before that.
	ended outcome.Class
	// listed is set once an opt-out is on the do-not-call list.
	listed bool
	// unlisted: there is no list, since there is no person key.
	unlisted bool
	due      time.Time
	// since is when it was accepted, and over that its end is published. They belong to the
	// queue: the rest of a call to whoever has taken it out.
	since time.Time
	over  bool
}

// unwritten reports whether something is to be published before the next look.
func (c *call) unwritten() bool { return c.state.Ended != "" && c.ended == "" || c.state.Analysed }

// queue holds the calls that are followed. It is safe for concurrent use.
type queue struct {
	mu sync.Mutex
	// calls are all of them; due those that are not being looked at.
	calls   map[uuid.UUID]*call
	due     dueCalls
	started bool
	changed chan struct{}
	// past counts the calls that were too old when they were read.
	past int
	// pausedUntil is when Callab takes requests again.
	pausedUntil time.Time
}

func newQueue() *queue { return &queue{calls: map[uuid.UUID]*call{}, changed: make(chan struct{}, 1)} }

// start lets looks begin: the results that are stored have been read.
func (q *queue) start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.started = true
	for _, c := range q.calls {
		heap.Push(&q.due, c)
	}
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// note takes a result of the stream.
func (q *queue) note(r event.Result, stored time.Time, config Config) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, known := q.calls[r.RequestID]
	switch {
	case r.Outcome == event.Accepted && !known:
		at := r.Time
		if at.IsZero() {
			at = stored
		}
		r.Event.Data, r.Gates = nil, nil // not kept in memory; the stream has it
		c = &call{accepted: r, state: follow.Begin(at), since: at}
		now := config.Now()
		c.due = config.Pace.Next(c.state, now)
		if now.Sub(at) > config.Pace.GiveUp {
			// After an update or an outage, calls of the past take half of the rate.
			q.past++
			c.due = now.Add(time.Duration(2 * float64(q.past) / config.Rate * float64(time.Second)))
		}
		q.calls[r.RequestID] = c
		if q.started {
			heap.Push(&q.due, c)
			q.wake()
		}
	case r.Outcome == event.Analysed, r.Outcome == event.Ended && r.Reason == event.ReasonUnresolved:
		delete(q.calls, r.RequestID)
	case r.Outcome == event.Ended && known && !q.started:
		c.ended = outcome.Class(r.Reason)
		c.state.Ended, c.over = c.ended, true
	}
}

// next takes out the call that is due first, or returns how long none is.
func (q *queue) next(now time.Time) (*call, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if pause := q.pausedUntil.Sub(now); pause > 0 {
		return nil, pause
	}
	for q.due.Len() > 0 {
		c := q.due[0]
		if q.calls[c.accepted.RequestID] == nil {
			heap.Pop(&q.due) // it has ended meanwhile
			continue
		}
		if pause := c.due.Sub(now); pause > 0 {
			return nil, pause
		}
		return heap.Pop(&q.due).(*call), 0
	}
	return nil, time.Hour
}

// put has a call looked at again, or forgets it.
func (q *queue) put(c *call, due time.Time, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if done {
		delete(q.calls, c.accepted.RequestID)
		return
	}
	c.due, c.over = due, c.ended != ""
	heap.Push(&q.due, c)
	q.wake()
}

// pause has no call looked at before a time.
func (q *queue) pause(until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if until.After(q.pausedUntil) {
		q.pausedUntil = until
	}
}

// wait returns after a pause, or earlier if a call is added.
func (q *queue) wait(ctx context.Context, pause time.Duration, wait func(context.Context, time.Duration) error) {
	ctx, cancel := context.WithCancel(ctx)
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		defer cancel()
		select {
		case <-q.changed:
		case <-ctx.Done():
		}
	}()
	_ = wait(ctx, min(pause, maxPause))
	cancel()
	<-woken // it must not take a later signal
}

// maxPause is how often the metrics are set at least.
const maxPause = 15 * time.Second

// count returns the number of calls that have not ended, and the age of the oldest one.
func (q *queue) count(now time.Time) (open int, oldest time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.started {
		return 0, 0
	}
	for _, c := range q.calls {
		if !c.over {
			open++
			oldest = max(oldest, now.Sub(c.since))
		}
	}
	return open, oldest
}

// dueCalls is a heap by due time.
type dueCalls []*call

func (d dueCalls) Len() int { return len(d) }

func (d dueCalls) Less(i, j int) bool { return d[i].due.Before(d[j].due) }

func (d dueCalls) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

func (d *dueCalls) Push(x any) { *d = append(*d, x.(*call)) }

func (d *dueCalls) Pop() any {
	last := len(*d) - 1
	c := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return c
}
