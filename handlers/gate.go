package handlers

import (
	"context"
	"time"
)

const (
	// gateUnit is the part of a body for which one unit of the gate is taken. Most
	// webhooks are smaller and take none.
	gateUnit = 4 << 10
	// gateBytes is how much of larger bodies is decoded and stored at once: a decoded
	// body needs up to forty times its size. Decoding uses the processor only, so that
	// more at once would not be faster.
	gateBytes = maxBodyBytes + 64<<10
	// gateTime is how long a webhook waits for it.
	gateTime = 5 * time.Second
)

// gate bounds the memory of decoded bodies. units is full when nothing more may be
// decoded. Only the webhook in turn takes units, so that two never wait for each other.
type gate struct{ turn, units chan struct{} }

func newGate() *gate {
	return &gate{make(chan struct{}, 1), make(chan struct{}, gateBytes/gateUnit)}
}

// enter waits until a body of this size may be decoded, and reports whether it may. The
// units are given back by leave.
func (g *gate) enter(ctx context.Context, size int) (units int, ok bool) {
	want := size / gateUnit
	if want == 0 {
		return 0, true
	}
	ctx, cancel := context.WithTimeout(ctx, gateTime)
	defer cancel()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return 0, false
	}
	for units < want {
		select {
		case g.units <- struct{}{}:
			units++
		case <-ctx.Done():
			g.leave(units)
			return 0, false
		}
	}
	return units, true
}

func (g *gate) leave(units int) {
	for range units {
		<-g.units
	}
}
