package callab

import (
	"errors"
	"time"
)

// ErrWindowClosed is why a call was not sent: its write window was over before
// its first byte could leave.
var ErrWindowClosed = errors.New("write window is over")

// clockSkew is by how much the wall clock may fall behind the monotonic one,
// as it does when it is being slewed, before neither is believed.
const clockSkew = time.Second

// Window is the time in which the first byte of a call may leave. Who reserved
// the call gives it the moment just before the reservation; nobody else may
// take the call over before the window, and what follows it, has passed. The
// zero Window is closed.
type Window struct {
	Start  time.Time
	Length time.Duration
}

// Open reports whether the first byte may leave now. Both clocks must say so:
// a suspended machine stops the monotonic clock, and a step of the wall clock
// moves only that one. A Start without a monotonic reading has one clock.
func (w Window) Open(now time.Time) bool {
	return w.allows(now.Round(0).Sub(w.Start.Round(0)), now.Sub(w.Start))
}

// allows decides by what each clock says has passed since Start.
func (w Window) allows(wall, monotonic time.Duration) bool {
	if wall < -clockSkew || monotonic-wall > clockSkew {
		return false
	}
	return max(wall, monotonic) < w.Length
}
