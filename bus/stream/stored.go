package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Stored reads the messages that a consumer has when it begins.
type Stored struct {
	Consumer jetstream.Consumer
	// What is read, for errors: "ledger".
	What string
	// Batch is the number of messages of one pull request.
	Batch uint64
	// Wait bounds one pull request: jetstream.FetchContext or jetstream.FetchMaxWait.
	Wait jetstream.FetchOpt
}

// errNoMessages: a pull request brought nothing, although messages are left.
var errNoMessages = errors.New("no answer")

// Each calls fn with each message, and stops at its error, which it returns as it is.
func (s Stored) Each(ctx context.Context, fn func(jetstream.Msg) error) error {
	for left := s.Consumer.CachedInfo().NumPending; left > 0; {
		batch, err := s.Consumer.Fetch(int(min(left, s.Batch)), s.Wait)
		if err != nil {
			return fmt.Errorf("read %s: %w", s.What, err)
		}
		read := uint64(0)
		for msg := range batch.Messages() {
			read++
			if err := fn(msg); err != nil {
				return err
			}
		}
		if batch.Error() != nil || read == 0 {
			return fmt.Errorf("read %s: %w", s.What, cmp.Or(errors.Join(batch.Error(), ctx.Err()), errNoMessages))
		}
		left -= min(left, read)
	}
	return nil
}
