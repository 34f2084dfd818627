package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// errCodeWriteInFlight is how a cluster says that another write of the subject
// is under way (nats-server, server/errors.json; nats.go has no name of it).
const errCodeWriteInFlight jetstream.ErrorCode = 10164

// take writes what only one may hold: a token, or a place at the given
// revision. The server forgets it after about ttl. ErrConflict says that
// somebody else has it; after any other error nobody may count on it.
func (b *Bus) take(ctx context.Context, subject string, ttl time.Duration, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	msg := &nats.Msg{Subject: subject, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
		// The server takes whole seconds.
		jetstream.MsgTTLHeader: {strconv.Itoa(int(math.Ceil(ttl.Seconds()))) + "s"},
	}}
	stored, err := b.write(ctx, msg)
	var api *jetstream.APIError
	if isConflict(err) || errors.As(err, &api) && api.ErrorCode == errCodeWriteInFlight {
		return 0, ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("publish to %s: %w", subject, explain(err))
	}
	return stored, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
