package handlers

import (
	"sync"
	"time"
)

var (
	// refusedLines limits the log lines of one source about requests that are
	// not verified, from all addresses together.
	refusedLines = limit{100, 100 * time.Millisecond}
	// limitedLines limits those about a 429, and about a 503 without memory.
	limitedLines = limit{1, 10 * time.Second}
)

// sampler decides which lines about unverified requests are written. Its map has one
// entry for each source and kind of line: names that are not configured share one.
type sampler struct {
	mu    sync.Mutex
	kinds map[lineKind]*sample
}

type lineKind struct {
	source  string
	limited bool
}

type sample struct {
	full    time.Time
	leftOut int
}

// keep reports whether to write a line, and how many of its kind were left out
// before it.
func (s *sampler) keep(k lineKind, now time.Time) (keep bool, leftOut int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, ok := s.kinds[k]
	if !ok {
		seen = &sample{}
		s.kinds[k] = seen
	}
	l := refusedLines
	if k.limited {
		l = limitedLines
	}
	if l.wait(seen.full, now) > 0 {
		seen.leftOut++
		return false, 0
	}
	seen.full = l.take(seen.full, now)
	leftOut, seen.leftOut = seen.leftOut, 0
	return true, leftOut
}
