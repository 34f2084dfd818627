package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/difference"
	"callbridge/event"
)

// RequestSubject is the subject of a call to make.
func (b *Bus) RequestSubject(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".ready"
}

// closedSubject is the subject of the message that a request will not be made.
func (b *Bus) closedSubject(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".closed"
}

// requestFilter matches every subject of one request, so that it is refused after
// it was closed as well. All writers must use the same filter: a cluster tracks
// writes in progress by the text of their filter.
func (b *Bus) requestFilter(source string, id uuid.UUID) string {
	return b.config.Prefix + ".request." + source + "." + id.String() + ".>"
}

// lookupSubject is the subject of an event that waits for its lookup.
func (b *Bus) lookupSubject(source string, eventID uuid.UUID) string {
	return b.config.Prefix + ".lookup." + source + "." + eventID.String()
}

// resultSubject is the subject of the result of a request.
func (b *Bus) resultSubject(outcome event.Outcome, source string, id uuid.UUID) string {
	return b.config.Prefix + ".result." + string(outcome) + "." + source + "." + id.String()
}

func (b *Bus) ledgerSubject(id uuid.UUID) string {
	return b.config.Prefix + ".ledger." + id.String()
}

// streamName is the full name of the stream "requests", "ledger", "results" or
// "limits".
func (b *Bus) streamName(name string) string {
	return strings.ToUpper(strings.ReplaceAll(b.config.Prefix, ".", "_") + "_" + name)
}

const (
	// recordsPerRequest is how many ledger records of a request are kept. Only the
	// newest is used; the others are its history, for people.
	recordsPerRequest = 16
	// shortestWindow is the shortest duplicate window that nats-server accepts.
	shortestWindow = 100 * time.Millisecond
)

// streams returns the definitions of the four streams, with their limits.
func (b *Bus) streams() []jetstream.StreamConfig {
	c := b.config
	return []jetstream.StreamConfig{
		{
			Name:        b.streamName("requests"),
			Description: "calls to make, with the events they came from, and events that wait for a lookup",
			Subjects:    []string{c.Prefix + ".request.>", c.Prefix + ".lookup.>"},
			// Limited by age only. A limit by number or size would drop the oldest
			// messages, and with them the knowledge that a request is a duplicate.
			MaxAge: c.Retention, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			// Other services publish here. Message schedules and rollups stay off:
			// their headers would let one service redirect and wipe the requests of
			// all others. The window for Nats-Msg-Id is the shortest one: within it, a
			// message with the id of another service's message makes that one vanish.
			Duplicates: shortestWindow,
			Storage:    jetstream.FileStorage, Replicas: c.Replicas,
		},
		{
			Name:        b.streamName("ledger"),
			Description: "the state of every call; every change is a compare-and-set",
			Subjects:    []string{c.Prefix + ".ledger.*"},
			// The ledger is the last protection against a second call: it is kept
			// longer than the request, refuses new records when it is full, and
			// allows no deletion.
			MaxAge: 2 * c.Retention, Discard: jetstream.DiscardNew,
			MaxMsgsPerSubject: recordsPerRequest, DenyDelete: true, DenyPurge: true,
			Storage: jetstream.FileStorage, Replicas: c.Replicas,
		},
		{
			Name:        b.streamName("results"),
			Description: "the result of every event (CloudEvents)",
			Subjects:    []string{c.Prefix + ".result.>"},
			MaxAge:      c.Retention, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			AllowDirect: true, DenyPurge: true,
			Storage: jetstream.FileStorage, Replicas: c.Replicas,
		},
		{
			Name:        b.streamName("limits"),
			Description: "tokens of the dial rate and slots of the dial concurrency; they expire within minutes",
			Subjects:    []string{c.Prefix + ".limit.>"},
			// Each message has its own time to live, so that what a killed process
			// holds becomes free.
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, AllowMsgTTL: true,
			Storage: jetstream.MemoryStorage, Replicas: c.Replicas,
		},
	}
}

// Names of the durable consumers from which every process pulls.
const (
	dispatchConsumer = "dispatch"
	lookupConsumer   = "lookup"
)

// maxAckPending bounds the delivered and unacknowledged messages of a consumer,
// over all processes. It counts requests that wait for Callab's list of calls, and
// events that wait for the rate limit or the credentials of a CRM.
var maxAckPending = map[string]int{dispatchConsumer: 4096, lookupConsumer: 16384}

// consumers returns the definitions of the consumers of the stream of requests.
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
		// Unlimited: the ledger counts attempts. The server's delivery count does
		// not survive its crash.
		MaxDeliver:    -1,
		MaxAckPending: maxAckPending[name],
	}
}

// Definitions are the streams and consumers that callbridge uses, for an
// administrator to create them (NATS_MANAGE=false).
type Definitions struct {
	Streams   []jetstream.StreamConfig `json:"streams"`
	Consumers []ConsumerDefinition     `json:"consumers"`
}

// ConsumerDefinition is one consumer and the name of its stream.
type ConsumerDefinition struct {
	Stream string                   `json:"stream_name"`
	Config jetstream.ConsumerConfig `json:"config"`
}

// Define returns what Open would make, without asking a server.
func Define(config Config) Definitions {
	b := &Bus{config: config}
	d := Definitions{Streams: b.streams()}
	for _, c := range b.consumers() {
		d.Consumers = append(d.Consumers, ConsumerDefinition{b.streamName("requests"), c})
	}
	return d
}

// Declare makes the streams and consumers that are missing, within 30 s. A stream
// that differs from its definition is an error that names the setting: callbridge
// does not change a stream that may be managed by its owner. Only in the embedded
// server, retention and other settings follow the configuration and the version. With
// Config.CheckOnly nothing is made, and everything missing or different is an
// error.
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
	// AckWait, which only delays redelivery, follows the process that started last.
	for _, want := range b.consumers() {
		if _, err := b.js.CreateOrUpdateConsumer(ctx, b.streamName("requests"), want); err != nil {
			return fmt.Errorf("declare consumer %s: %w", want.Durable, err)
		}
	}
	return nil
}

// openStreams opens the streams for reading.
func (b *Bus) openStreams(ctx context.Context) (err error) {
	for name, into := range map[string]*jetstream.Stream{
		"requests": &b.requests, "ledger": &b.ledger, "results": &b.results, "limits": &b.limits,
	} {
		if *into, err = b.openStream(ctx, b.streamName(name)); err != nil {
			return fmt.Errorf("read stream %s: %w", b.streamName(name), err)
		}
	}
	return nil
}

// answerTimeout bounds one question about a stream.
const answerTimeout = time.Second

// openStream asks for a stream until a server answers or ctx ends. In a cluster no
// server answers while the leader of the stream is being elected, for example while
// another process makes the stream.
func (b *Bus) openStream(ctx context.Context, name string) (jetstream.Stream, error) {
	for {
		asking, cancel := context.WithTimeout(ctx, answerTimeout)
		found, err := b.js.Stream(asking, name)
		cancel()
		if errors.Is(err, nats.ErrNoResponders) {
			return nil, fmt.Errorf("JetStream does not answer: %w; enable it at the server and in our account, or set NATS_DOMAIN to its domain", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return found, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no server answers: %w; a cluster does not before its servers have connected and elected a leader", ctx.Err())
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
	if b.Embedded() {
		return b.updateStream(ctx, want, found.CachedInfo().Config)
	}
	return difference.Stream(want, found.CachedInfo().Config)
}

// errCodeNoPeers is the answer of a cluster that has too few servers for a stream
// (nats-server, server/errors.json; nats.go has no name for it).
const errCodeNoPeers jetstream.ErrorCode = 10005

// makeStream waits until a cluster that is starting has enough servers.
func (b *Bus) makeStream(ctx context.Context, want jetstream.StreamConfig) error {
	for logged := false; ; logged = true {
		_, err := b.js.CreateStream(ctx, want)
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != errCodeNoPeers {
			return err
		}
		if !logged {
			b.config.Log.Info("nats.waiting_for_servers", "stream", want.Name, "error", err)
		}
		if sleep(ctx, answerTimeout/2) != nil {
			return err
		}
	}
}

// updateStream applies RETENTION, and what a newer version defines differently, to a
// stream of the embedded server. All other settings must be equal. Message schedules,
// which the server does not switch off, are off since switchOffSchedules.
func (b *Bus) updateStream(ctx context.Context, want, have jetstream.StreamConfig) error {
	next := have
	next.MaxAge, next.Subjects, next.MaxMsgsPerSubject = want.MaxAge, want.Subjects, want.MaxMsgsPerSubject
	next.AllowRollup, next.DenyPurge = want.AllowRollup, want.DenyPurge
	if want.Duplicates != 0 {
		next.Duplicates = want.Duplicates
	}
	if err := difference.Stream(want, next); err != nil {
		return err
	}
	if reflect.DeepEqual(next, have) {
		return nil
	}
	if _, err := b.js.UpdateStream(ctx, next); err != nil {
		return fmt.Errorf("change stream %s: %w", want.Name, err)
	}
	if have.MaxAge != want.MaxAge {
		b.config.Log.Warn("nats.retention_changed", "stream", want.Name, "from", have.MaxAge, "to", want.MaxAge)
	}
	return nil
}

// check reports everything that is missing or different, in one line.
func (b *Bus) check(ctx context.Context) error {
	var problems []string
	for _, want := range b.streams() {
		have, err := b.openStream(ctx, want.Name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			problems = append(problems, "stream "+want.Name+" is missing")
			continue
		case err != nil:
			return fmt.Errorf("read stream %s: %w", want.Name, err)
		}
		if err := difference.Stream(want, have.CachedInfo().Config); err != nil {
			problems = append(problems, err.Error())
		}
	}
	for _, want := range b.consumers() {
		have, err := b.js.Consumer(ctx, b.streamName("requests"), want.Durable)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			problems = append(problems, "consumer "+want.Durable+" is missing")
		case err != nil:
			return fmt.Errorf("read consumer %s: %w", want.Durable, err)
		default:
			problems = append(problems, difference.Consumer(want, have.CachedInfo().Config)...)
		}
	}
	if problems == nil {
		return nil
	}
	return fmt.Errorf("NATS_MANAGE=false, and NATS is not ready for callbridge: %s; `callbridge streams` prints how to make what is missing", strings.Join(problems, "; "))
}
