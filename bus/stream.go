package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// The durable consumers that every process pulls from.
const (
	dispatchConsumer = "dispatch"
	lookupConsumer   = "lookup"
)

// maxInFlight bounds what is delivered and not yet done, by consumer and over
// all processes. Requests that wait for Callab's list stay delivered, and so do
// events that wait for their turn at a CRM or for new credentials there; past
// it, the others of the same consumer wait with them.
var maxInFlight = map[string]int{dispatchConsumer: 4096, lookupConsumer: 16384}

// recordsPerRequest is how many ledger records one request keeps: its history,
// for people. The newest one is what counts.
const recordsPerRequest = 16

// RequestSubject is where a call to make stands.
func (b *Bus) RequestSubject(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".ready"
}

// requestFilter covers every subject of one request, so that it is refused
// also while it is deferred and after it was cancelled. In a cluster all
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

// Results is the subject to subscribe to for every result.
func (b *Bus) Results() string { return b.config.Prefix + ".result.>" }

func (b *Bus) ledgerSubject(id uuid.UUID) string {
	return b.config.Prefix + ".ledger." + id.String()
}

func (b *Bus) stream(name string) string {
	return strings.ToUpper(strings.ReplaceAll(b.config.Prefix, ".", "_") + "_" + name)
}

// streams are the three, each with its own way of forgetting.
func (b *Bus) streams() []jetstream.StreamConfig {
	c := b.config
	return []jetstream.StreamConfig{
		{
			Name:        b.stream("requests"),
			Description: "calls to make, with the events they came from, and events that wait for a look-up",
			Subjects:    []string{c.Prefix + ".request.>", c.Prefix + ".lookup.>"},
			// By age only: a limit by number or size would drop the oldest,
			// and with it the memory that the request was seen.
			MaxAge: c.Retention, Discard: jetstream.DiscardOld,
			AllowMsgSchedules: true, AllowRollup: true,
			Storage: jetstream.FileStorage, Replicas: c.Replicas,
		},
		{
			Name:        b.stream("ledger"),
			Description: "the state of every call; every change is a compare-and-set",
			Subjects:    []string{c.Prefix + ".ledger.*"},
			// The last line against a second call: it outlives the request,
			// drops nothing to make room, and lets nobody delete.
			MaxAge: 2 * c.Retention, Discard: jetstream.DiscardNew,
			MaxMsgsPerSubject: recordsPerRequest, DenyDelete: true,
			Storage: jetstream.FileStorage, Replicas: c.Replicas,
		},
		{
			Name:        b.stream("results"),
			Description: "what became of every event (CloudEvents)",
			Subjects:    []string{c.Prefix + ".result.>"},
			MaxAge:      c.Retention, Discard: jetstream.DiscardOld, AllowDirect: true,
			Storage: jetstream.FileStorage, Replicas: c.Replicas,
		},
	}
}

// consumers work on the stream of requests.
func (b *Bus) consumers() []jetstream.ConsumerConfig {
	return []jetstream.ConsumerConfig{
		b.consumer(dispatchConsumer, "one request to one of the processes at a time", ".request.*.*.ready"),
		b.consumer(lookupConsumer, "one event to one of the processes at a time", ".lookup.*.*"),
	}
}

func (b *Bus) consumer(name, description, filter string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       name,
		Description:   description,
		FilterSubject: b.config.Prefix + filter,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       b.config.AckWait,
		// What was published decides, not the delivery count, which does not
		// survive a crash.
		MaxDeliver:    -1,
		MaxAckPending: maxInFlight[name],
	}
}

// Declare makes the streams and the consumers where they are missing. One that
// is there and contradicts ours is an error that names the difference: callbridge
// never changes a stream behind its owner's back. Only its own embedded streams
// follow: their retention the configuration, their subjects the code.
func (b *Bus) Declare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
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
	for name, into := range map[string]*jetstream.Stream{"requests": &b.requests, "ledger": &b.ledger, "results": &b.results} {
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
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return found, err
		}
	}
}

func (b *Bus) declareStream(ctx context.Context, want jetstream.StreamConfig) error {
	found, err := b.openStream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = b.js.CreateStream(ctx, want)
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
	if b.Embedded() && (have.MaxAge != want.MaxAge || !slices.Equal(have.Subjects, want.Subjects)) {
		return b.change(ctx, want, have)
	}
	return contradiction(want, have)
}

// change follows RETENTION, and the subjects of a newer callbridge, in the
// embedded server: nobody else could, since it runs only while we do. The log
// says so; all else must fit.
func (b *Bus) change(ctx context.Context, want, have jetstream.StreamConfig) error {
	was := have.MaxAge
	have.MaxAge, have.Subjects = want.MaxAge, want.Subjects
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

// contradiction names the first setting in which a stream differs from what
// the promises need. Description, placement and the like are the owner's.
func contradiction(want, have jetstream.StreamConfig) error {
	for _, s := range []struct {
		name       string
		want, have any
	}{
		{"subjects", strings.Join(want.Subjects, ","), strings.Join(have.Subjects, ",")},
		{"retention", want.Retention, have.Retention},
		{"storage", want.Storage, have.Storage},
		{"discard", want.Discard, have.Discard},
		{"max_age", want.MaxAge, have.MaxAge},
		{"num_replicas", max(1, want.Replicas), max(1, have.Replicas)},
		{"max_msgs_per_subject", max(0, want.MaxMsgsPerSubject), max(0, have.MaxMsgsPerSubject)},
		{"max_msgs", int64(0), max(0, have.MaxMsgs)},
		{"allow_msg_schedules", want.AllowMsgSchedules, have.AllowMsgSchedules},
		{"deny_delete", want.DenyDelete, have.DenyDelete},
		{"allow_direct", want.AllowDirect, have.AllowDirect},
	} {
		if s.want != s.have {
			return fmt.Errorf("stream %s is there with %s = %v, and callbridge needs %v: change it with `nats stream edit %s`, or set RETENTION, NATS_REPLICAS or NATS_SUBJECT_PREFIX to fit",
				want.Name, s.name, s.have, s.want, want.Name)
		}
	}
	return nil
}
