package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// RequestSubject is where a call to make stands.
func (b *Bus) RequestSubject(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".ready"
}

// closedSubject is where it stands that a request is not made any more.
func (b *Bus) closedSubject(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".closed"
}

// requestFilter covers every subject of one request, so that it is refused
// also while it is deferred and after it was closed. In a cluster all
// writers must use the very same filter.
func (b *Bus) requestFilter(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".>"
}

// LookupSubject is where an event waits for what its CRM's API can tell.
func (b *Bus) LookupSubject(source string, eventID uuid.UUID) string {
	return b.config.Prefix + ".lookup." + source + "." + eventID.String()
}

// ResultSubject is where the outcome of a request is published.
func (b *Bus) ResultSubject(outcome event.Outcome, source string, id uuid.UUID) string {
	return b.config.Prefix + ".result." + string(outcome) + "." + source + "." + id.String()
}

// ResultsSubject is the subject to subscribe to for every result.
func (b *Bus) ResultsSubject() string { return b.config.Prefix + ".result.>" }

func (b *Bus) ledgerSubject(id uuid.UUID) string {
	return b.config.Prefix + ".ledger." + id.String()
}

// Declare makes the streams and the consumers where they are missing. One that
// is there and contradicts ours is an error that names the difference: callbridge
// never changes a stream behind its owner's back. Only its own embedded streams
// follow: their retention the configuration, their subjects the code. Where
// Config.CheckOnly is set nothing is made, and all that is missing is an error.
func (b *Bus) Declare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if b.config.CheckOnly {
		return b.check(ctx)
	}
	for _, want := range b.streams() {
		if err := b.declareStream(ctx, want); err != nil {
			return err
		}
	}
	// AckWait follows the configuration of the newest process; it is a hint
	// for redelivery, the ledger is what keeps calls single.
	for _, want := range b.consumers() {
		if _, err := b.js.CreateOrUpdateConsumer(ctx, b.stream("requests"), want); err != nil {
			return fmt.Errorf("declare consumer %s: %w", want.Durable, err)
		}
	}
	return nil
}

// bind takes hold of the streams that are read.
func (b *Bus) bind(ctx context.Context) (err error) {
	for name, into := range map[string]*jetstream.Stream{
		"requests": &b.requests, "ledger": &b.ledger, "results": &b.results, "limits": &b.limits,
	} {
		if *into, err = b.openStream(ctx, b.stream(name)); err != nil {
			return fmt.Errorf("read stream %s: %w", b.stream(name), err)
		}
	}
	return nil
}

// silence is how long one question about a stream may stay without an answer.
const silence = time.Second

// openStream asks for a stream, and asks again if nobody answers: in a cluster no
// server does while the stream's leader is being elected, as it is when another
// process is making the stream just now.
func (b *Bus) openStream(ctx context.Context, name string) (jetstream.Stream, error) {
	for {
		asking, cancel := context.WithTimeout(ctx, silence)
		found, err := b.js.Stream(asking, name)
		cancel()
		if errors.Is(err, nats.ErrNoResponders) {
			return nil, fmt.Errorf("JetStream does not answer: %w; enable it at the server and in our account, or set NATS_DOMAIN to its domain", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return found, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no server answers: %w; a cluster does not before its servers have met and chosen a leader", ctx.Err())
		}
	}
}

func (b *Bus) declareStream(ctx context.Context, want jetstream.StreamConfig) error {
	found, err := b.openStream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = b.makeStream(ctx, want)
		if err == nil {
			b.config.Log.Info("nats.stream_made", "stream", want.Name)
			return nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("make stream %s: %w", want.Name, err)
		}
		found, err = b.openStream(ctx, want.Name)
	}
	if err != nil {
		return fmt.Errorf("read stream %s: %w", want.Name, err)
	}
	have := found.CachedInfo().Config
	if b.Embedded() && (have.MaxAge != want.MaxAge || have.MaxMsgsPerSubject != want.MaxMsgsPerSubject || !slices.Equal(have.Subjects, want.Subjects)) {
		return b.change(ctx, want, have)
	}
	return contradiction(want, have)
}

// errCodeNoPeers is how a cluster says that too few of its servers are there to
// keep a stream (nats-server, server/errors.json; nats.go has no name of it).
const errCodeNoPeers jetstream.ErrorCode = 10005

// makeStream waits for the servers of a cluster that is just starting, as all do
// together when somebody starts everything at once.
func (b *Bus) makeStream(ctx context.Context, want jetstream.StreamConfig) error {
	for said := false; ; said = true {
		_, err := b.js.CreateStream(ctx, want)
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != errCodeNoPeers {
			return err
		}
		if !said {
			b.config.Log.Info("nats.waiting_for_servers", "stream", want.Name, "error", err)
		}
		if sleep(ctx, silence/2) != nil {
			return err
		}
	}
}

// change follows RETENTION, and the subjects and blocks of a newer callbridge, in
// the embedded server: nobody else could, since it runs only while we do. The log
// says so; all else must fit.
func (b *Bus) change(ctx context.Context, want, have jetstream.StreamConfig) error {
	was := have.MaxAge
	have.MaxAge, have.Subjects, have.MaxMsgsPerSubject = want.MaxAge, want.Subjects, want.MaxMsgsPerSubject
	if err := contradiction(want, have); err != nil {
		return err
	}
	if _, err := b.js.UpdateStream(ctx, have); err != nil {
		return fmt.Errorf("change stream %s: %w", want.Name, err)
	}
	if was != want.MaxAge {
		b.config.Log.Warn("nats.retention_changed", "stream", want.Name, "from", was, "to", want.MaxAge)
	}
	return nil
}
