package limit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Clock is the clock of the NATS server. It asks the server once a minute, and adds the
// monotonic time since: the local clock may be wrong, and may be set at any time.
type Clock struct {
	stream jetstream.Stream

	mu sync.Mutex
	// server is the server's time at the local time read.
	server, read time.Time
}

// Clock returns a clock. The first reading asks the server.
func (s Store) Clock() *Clock { return &Clock{stream: s.Stream} }

const (
	// clockInterval is how often the server is asked.
	clockInterval = time.Minute
	// clockJump is by how much the local clock may differ from the monotonic clock
	// before the server is asked again: a machine that was suspended has stopped the
	// monotonic clock, or the local clock was set.
	clockJump = time.Second
)

// Now returns the server's time, which may be wrong by the time of one request.
func (c *Clock) Now(ctx context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	elapsed := now.Sub(c.read)
	if c.read.IsZero() || outdated(now.Round(0).Sub(c.read.Round(0)), elapsed) {
		if err := c.ask(ctx); err != nil {
			return time.Time{}, err
		}
		elapsed = time.Since(c.read)
	}
	return c.server.Add(elapsed), nil
}

// outdated decides by the time since the last reading on each of the two clocks.
func outdated(wall, monotonic time.Duration) bool {
	return monotonic >= clockInterval || (wall-monotonic).Abs() > clockJump
}

// ask needs mu.
func (c *Clock) ask(ctx context.Context) error {
	before := time.Now()
	info, err := c.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	now := time.Now()
	c.server, c.read = info.TimeStamp.Add(now.Sub(before)/2), now
	return nil
}
