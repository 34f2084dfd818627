package bus

import (
	"strings"

	"github.com/nats-io/nats.go/jetstream"
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

// plenty is more messages than a subject of requests or results ever has, so no
// limit. But nats-server keeps a stream that names one in blocks of 4 MB, not of 8
// (server/stream.go, autoTuneFileStorageBlockSize), and the block that is being
// written lies in memory: with each new one, everybody waits until it is clear.
const plenty = 1 << 20

// Definitions are the streams and consumers that callbridge works on, for an
// administrator who makes them beforehand (NATS_MANAGE=false).
type Definitions struct {
	Streams   []jetstream.StreamConfig `json:"streams"`
	Consumers []ConsumerDefinition     `json:"consumers"`
}

// ConsumerDefinition is one consumer and the stream that it belongs to.
type ConsumerDefinition struct {
	Stream string                   `json:"stream_name"`
	Config jetstream.ConsumerConfig `json:"config"`
}

// Define says what Open would make; it asks no server.
func Define(config Config) Definitions {
	b := &Bus{config: config}
	d := Definitions{Streams: b.streams()}
	for _, c := range b.consumers() {
		d.Consumers = append(d.Consumers, ConsumerDefinition{b.stream("requests"), c})
	}
	return d
}

func (b *Bus) stream(name string) string {
	return strings.ToUpper(strings.ReplaceAll(b.config.Prefix, ".", "_") + "_" + name)
}

// streams are the four, each with its own way of forgetting.
func (b *Bus) streams() []jetstream.StreamConfig {
	c := b.config
	return []jetstream.StreamConfig{
		{
			Name:        b.stream("requests"),
			Description: "calls to make, with the events they came from, and events that wait for a look-up",
			Subjects:    []string{c.Prefix + ".request.>", c.Prefix + ".lookup.>"},
			// By age only: a limit by number or size would drop the oldest,
			// and with it the memory that the request was seen.
			MaxAge: c.Retention, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: plenty,
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
			MaxAge:      c.Retention, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: plenty,
			AllowDirect: true,
			Storage:     jetstream.FileStorage, Replicas: c.Replicas,
		},
		{
			Name:        b.stream("limits"),
			Description: "who may dial just now: tokens of the rate, and places (forgotten within minutes)",
			Subjects:    []string{c.Prefix + ".limit.>"},
			// Each message says itself when it is forgotten: what a killed
			// process holds comes back.
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, AllowMsgTTL: true,
			Storage: jetstream.MemoryStorage, Replicas: c.Replicas,
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
