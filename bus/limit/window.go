package limit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// Window counts events over all processes: at most n within a time. Each event has a
// subject of its own, which expires by itself.
type Window struct {
	store  Store
	prefix string
	n      int64
	// next is the subject to try first.
	next atomic.Int64
}

// Window returns a count of at most n events; processes that use the same name share it. If
// they use different n, the largest applies.
func (s Store) Window(name string, n int) *Window {
	return &Window{store: s, prefix: s.Prefix + "." + name + ".", n: int64(n)}
}

// Take counts one event for a time, rounded up to seconds, or reports that there are n
// already. After an error it is not known whether the event is counted.
func (w *Window) Take(ctx context.Context, counts time.Duration) (ok bool, err error) {
	for range w.n {
		subject := w.prefix + strconv.FormatInt(w.next.Add(1)%w.n, 10)
		_, err := w.store.reserve(ctx, subject, counts, 0)
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, errTaken):
			return false, fmt.Errorf("count an event: %w", err)
		}
	}
	return false, nil
}
