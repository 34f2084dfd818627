package connect

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// retryPause is the pause between two attempts.
	retryPause = 500 * time.Millisecond
	// attemptTimeout bounds one attempt of several: a cluster that is electing its
	// leader drops questions, which have to be asked again. onlyTimeout bounds the
	// only attempt.
	attemptTimeout = 5 * time.Second
	onlyTimeout    = 30 * time.Second
)

// Wait repeats try while NATS is not ready, until the deadline, and returns its last
// error. It tries at least once. waiting, if set, gets each error before the next
// attempt. Errors of the settings are returned at once.
func (s *State) Wait(ctx context.Context, deadline time.Time, waiting func(error), try func(context.Context) error) error {
	s.setStarting(true)
	defer s.setStarting(false)
	for {
		err := attempt(ctx, deadline, try)
		if err == nil {
			s.restored("")
			return nil
		}
		left := time.Until(deadline)
		if ctx.Err() != nil || left <= 0 || !temporary(err) {
			return err
		}
		s.failed(err)
		if waiting != nil {
			waiting(err)
		}
		pause := time.NewTimer(min(retryPause, left))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// attempt bounds try, by a second at least.
func attempt(ctx context.Context, deadline time.Time, try func(context.Context) error) error {
	limit := onlyTimeout
	if left := time.Until(deadline); left > 0 {
		limit = max(min(attemptTimeout, left), time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return try(ctx)
}

// Answers of a cluster that is starting, for which nats.go has no names
// (nats-server, server/errors.json).
var startingCodes = []jetstream.ErrorCode{
	10005, // no suitable peers for placement
	10007, // JetStream cluster not assigned to this server
	10009, // JetStream cluster can not handle request
	10118, // stream is offline
	10119, // consumer is offline
}

// temporary reports whether an error may end without another setting: a server that
// cannot be reached or refuses us, and the answers of a cluster without a leader.
func temporary(err error) bool {
	if errors.As(err, new(unavailable)) {
		return true
	}
	if api := (*jetstream.APIError)(nil); errors.As(err, &api) {
		const unavailableNow = 503
		return api.Code == unavailableNow || slices.Contains(startingCodes, api.ErrorCode) ||
			// Declared a moment ago, on a server that does not know it yet.
			errors.Is(err, jetstream.ErrStreamNotFound)
	}
	return slices.ContainsFunc([]error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrNoServers,
	}, func(target error) bool { return errors.Is(err, target) })
}
