package handlers

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

func TestGateBoundsWhatIsDecodedAtOnce(t *testing.T) {
	t.Parallel()
	g := newGate()
	var all sync.WaitGroup
	var now, most atomic.Int64
	for i := range 200 {
		size := []int{maxBodyBytes, 100 << 10, gateUnit, 500 << 10}[i%4]
		all.Go(func() {
			units, ok := g.enter(t.Context(), size)
			if !ok {
				t.Error("not let in")
				return
			}
			if sum := now.Add(int64(size)); sum > most.Load() {
				most.Store(sum)
			}
			now.Add(-int64(size))
			g.leave(units)
		})
	}
	all.Wait()
	if most.Load() > gateBytes || len(g.units) != 0 || len(g.turn) != 0 {
		t.Errorf("%d bytes at once, %d units left", most.Load(), len(g.units))
	}
	if units, ok := g.enter(t.Context(), gateUnit-1); units != 0 || !ok {
		t.Error("a usual webhook takes units")
	}
}

func TestGateGivesUp(t *testing.T) {
	t.Parallel()
	g := newGate()
	first, _ := g.enter(t.Context(), maxBodyBytes)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := g.enter(ctx, maxBodyBytes); ok {
		t.Error("let in beyond the limit")
	}
	g.leave(first)
	if units, ok := g.enter(t.Context(), maxBodyBytes); !ok || units != first {
		t.Errorf("%d units are free, want %d", units, first)
	}
}
