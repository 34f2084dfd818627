// Package result reads what the stream of results keeps: the end of a request, or all of
// a consumer.
package result

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// Reader reads the results of a request.
type Reader struct {
	Stream jetstream.Stream
	// Subject is the subject of a result.
	Subject func(outcome event.Outcome, source string, id uuid.UUID) string
	// Flush returns when what the stream holds is on the disk.
	Flush func(context.Context) error
}

// End returns the outcome with which a request has ended, or "". A deferred result is no
// end, and an analysed one belongs to the call that was accepted. After an error it is not known whether there is one.
func (r Reader) End(ctx context.Context, source string, id uuid.UUID) (event.Outcome, error) {
	msg, err := r.Last(ctx, "*", source, id)
	if err != nil || msg == nil {
		return "", err
	}
	if last := OutcomeOf(msg); slices.Contains(event.Final, last) {
		return last, nil
	}
	for _, outcome := range event.Final {
		if msg, err = r.Last(ctx, outcome, source, id); err != nil || msg != nil {
			return outcome, err
		}
	}
	return "", nil
}

// Last reads the newest result of a request, of an outcome or of any ("*"), when it is on
// the disk; nil if there is none.
func (r Reader) Last(ctx context.Context, outcome event.Outcome, source string, id uuid.UUID) (*jetstream.RawStreamMsg, error) {
	msg, err := r.Stream.GetLastMsgForSubject(ctx, r.Subject(outcome, source, id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err == nil {
		err = r.Flush(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("read result of %s: %w", id, err)
	}
	return msg, nil
}

// OutcomeOf is the outcome in the subject of a result:
// <prefix>.result.<outcome>.<source>.<request id>.
func OutcomeOf(msg *jetstream.RawStreamMsg) event.Outcome {
	tokens := strings.Split(msg.Subject, ".")
	return event.Outcome(tokens[len(tokens)-3])
}

// Filters are the subjects of the results of an outcome and a source; empty means any. The
// end of a call has its class as one more token.
func Filters(prefix, outcome, source string) (subjects []string) {
	rest := "." + cmp.Or(source, "*") + ".*"
	if outcome != string(event.Ended) {
		subjects = append(subjects, prefix+".result."+cmp.Or(outcome, "*")+rest)
	}
	if outcome == "" || outcome == string(event.Ended) {
		subjects = append(subjects, prefix+".result."+string(event.Ended)+rest+".*")
	}
	return subjects
}

// Each calls fn with the results of a consumer, and stops at its error. With follow it
// waits for new ones until ctx ends.
func Each(ctx context.Context, consumer jetstream.Consumer, follow bool, fn func(event.Result) error) error {
	stored := consumer.CachedInfo().NumPending
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	defer messages.Stop()
	for n := uint64(0); n < stored || follow; n++ {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if errors.Is(err, context.Canceled) && context.Cause(ctx) == ctx.Err() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read results: %w", err)
		}
		var r event.Result
		if err := event.Unmarshal(msg.Data(), &r); err != nil {
			return fmt.Errorf("read %s: %w", msg.Subject(), err)
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
