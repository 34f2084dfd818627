package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"callbridge/bus/calls"
	"callbridge/bus/result"
	"callbridge/bus/stream"
	"callbridge/event"
)

// PublishResult publishes the result of a request at most once. ErrExists says that
// it was published before; after any other error it is not known to be.
func (b *Bus) PublishResult(ctx context.Context, r event.Result) error {
	m, err := b.resultMessage(&r)
	if err != nil {
		return err
	}
	return b.publish(ctx, m)[0]
}

// deferTries is how often PublishDeferred begins anew because of another result.
const deferTries = 3

// PublishDeferred publishes that a request waits. ErrExists says that its newest result is
// the same, or that the request has ended; after any other error it is not known whether
// it is published.
func (b *Bus) PublishDeferred(ctx context.Context, r event.Result) error {
	m, err := b.resultMessage(&r)
	if err != nil {
		return err
	}
	m.filter = b.resultSubject("*", r.Event.Source, r.RequestID)
	for range deferTries {
		// Read first: a subscriber without JetStream receives a refused message as well.
		last, err := b.storedResults().Last(ctx, "*", r.Event.Source, r.RequestID)
		if err != nil {
			return err
		}
		if last != nil {
			var earlier event.Result
			if result.OutcomeOf(last) != event.Deferred || event.Unmarshal(last.Data, &earlier) == nil && earlier.ID() == r.ID() {
				return ErrExists
			}
			m.revision = last.Sequence
		}
		if err = b.publish(ctx, m)[0]; !errors.Is(err, ErrExists) {
			return err
		}
	}
	return fmt.Errorf("publish to %s: another result is published each time", m.subject)
}

// ResultOf returns the outcome with which a request has ended, or "". A deferred result is
// no end. After an error it is not known whether there is one.
func (b *Bus) ResultOf(ctx context.Context, source string, id uuid.UUID) (event.Outcome, error) {
	return b.storedResults().End(ctx, source, id)
}

// Calls reads the calls that were accepted, and their ends.
func (b *Bus) Calls() calls.Reader { return calls.Reader{Stream: b.results, Prefix: b.config.Prefix} }

func (b *Bus) storedResults() result.Reader {
	return result.Reader{Stream: b.results, Subject: b.resultSubject, Flush: func(ctx context.Context) error { return b.server.Flush(ctx, stream.Results) }}
}
