// Package waiting knows when requests that wait are taken up again. It keeps nothing: the
// ledger does, and a process that dies loses only its reminders.
package waiting

import (
	"container/heap"
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Set holds requests by when they are due, by the monotonic clock. The zero Set is not
// usable.
type Set struct {
	begun time.Time
	// changed is signalled when something may be due earlier than before.
	changed chan struct{}

	mu sync.Mutex
	// due has the turn of each request that counts; queue and ready may have outdated ones as
	// well. Ready are those that are due, in the order in which they came: they are read
	// from NATS in the order of its blocks, which then need not all be in memory.
	due   map[uuid.UUID]turn
	queue queue
	ready queue
	added int64
}

// turn is when a request is due.
type turn struct {
	// at is the time since Set.begun.
	at time.Duration
	// order is that of requests that are due at the same time.
	order int64
	// early: the request may be due before that (Wake).
	early bool
}

// New returns an empty set.
func New() *Set {
	return &Set{begun: time.Now(), changed: make(chan struct{}, 1), due: map[uuid.UUID]turn{}}
}

// Add has a request due after a time, whenever it was due before. With early, Wake has it
// due at once.
func (s *Set) Add(id uuid.UUID, after time.Duration, early bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added++
	s.addNew(id, turn{time.Since(s.begun) + after, s.added, early})
}

// AddLast is Add for a request of another process: it comes after all others that are due,
// the last one first. That process takes them in their order, and both meet only once.
func (s *Set) AddLast(id uuid.UUID, after time.Duration, early bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added++
	s.addNew(id, turn{time.Since(s.begun) + after, math.MaxInt64 - s.added, early})
}

// addNew keeps the place of a request that is there already. It needs mu.
func (s *Set) addNew(id uuid.UUID, t turn) {
	if before, known := s.due[id]; known {
		t.order = before.order
	}
	s.add(id, t)
}

// add needs mu.
func (s *Set) add(id uuid.UUID, t turn) {
	if s.due[id] == t {
		return
	}
	s.due[id] = t
	heap.Push(&s.queue, entry{int64(t.at), id})
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Remove forgets a request.
func (s *Set) Remove(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.due, id)
}

// Len is the number of requests.
func (s *Set) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.due)
}

// wakeSpread is the time over which Wake spreads what it wakes: two processes that wake the
// same requests do so in different orders, and seldom work on the same one.
const wakeSpread = time.Second

// Wake has all requests that were added with early due within wakeSpread.
func (s *Set) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.begun)
	for id, t := range s.due {
		if at := now + rand.N(wakeSpread); t.early && at < t.at {
			s.add(id, turn{at, t.order, true})
		}
	}
}

// Next waits until a request is due, and returns it without keeping it. The error is that
// of ctx.
func (s *Set) Next(ctx context.Context) (uuid.UUID, error) {
	for {
		id, pause, is := s.pop()
		if is {
			return id, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return uuid.Nil, ctx.Err()
		case <-timer.C:
		case <-s.changed:
			timer.Stop()
		}
	}
}

// longestPause is how long Next sleeps at most.
const longestPause = time.Hour

// pop removes a request that is due, or returns how long none is.
func (s *Set) pop() (id uuid.UUID, pause time.Duration, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.begun)
	pause = longestPause
	for len(s.queue) > 0 {
		first := s.queue[0]
		t, known := s.due[first.id]
		counts := known && int64(t.at) == first.key
		if counts && t.at > now {
			pause = min(t.at-now, pause)
			break
		}
		heap.Pop(&s.queue)
		if counts {
			heap.Push(&s.ready, entry{t.order, first.id})
		}
	}
	for len(s.ready) > 0 {
		first := heap.Pop(&s.ready).(entry)
		if t, known := s.due[first.id]; known && t.order == first.key && t.at <= now {
			delete(s.due, first.id)
			return first.id, 0, true
		}
	}
	return uuid.Nil, pause, false
}

// entry is a request and its place in a queue.
type entry struct {
	key int64
	id  uuid.UUID
}

// queue is a heap with the least key first.
type queue []entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].key < q[j].key }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(entry)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}
