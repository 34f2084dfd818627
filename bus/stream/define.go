// Package stream defines the streams and consumers of callbridge, makes those that are
// missing, and checks those that are there.
package stream

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/difference"
)

// The streams, without the prefix of their names. Their order is that of Definitions.
const (
	Requests = "requests"
	Ledger   = "ledger"
	Results  = "results"
	Limits   = "limits"
	State    = "state"
	Control  = "control"
	DNC      = "dnc"
	People   = "people"
	Audit    = "audit"
)

// Names of the durable consumers of the stream of requests, from which every process
// pulls.
const (
	Dispatch = "dispatch"
	Lookup   = "lookup"
)

// Settings are what the definitions depend on.
type Settings struct {
	// Prefix of every subject and, in upper case, of every stream name.
	Prefix string
	// Replicas of each stream: 1, or 3 or 5 in a cluster.
	Replicas int
	// Retention of requests and results. The ledger is kept twice as long.
	Retention time.Duration
	// AckWait is the time after which a delivered message is delivered again unless
	// its worker has extended it.
	AckWait time.Duration
}

// Name is the full name of a stream.
func (s Settings) Name(stream string) string {
	return strings.ToUpper(strings.ReplaceAll(s.Prefix, ".", "_") + "_" + stream)
}

const (
	// stateMessages bounds the stream of states. Each process writes one in 30 s, and
	// takes over an acknowledgement within seconds.
	stateMessages = 10_000
	// controlMessages bounds the stream of stops. Each is the act of a person.
	controlMessages = 100_000
	// auditAge is how long acts are kept.
	auditAge = 400 * 24 * time.Hour
	// peopleAge is how long calls to people are remembered: longer than any cool-down.
	peopleAge = 400 * 24 * time.Hour
	// shortestWindow is the shortest duplicate window that nats-server accepts.
	shortestWindow = 100 * time.Millisecond
)

// Streams returns the definitions of the streams, with their limits.
func (s Settings) Streams() []jetstream.StreamConfig {
	return append([]jetstream.StreamConfig{
		{
			Name:        s.Name(Requests),
			Description: "calls to make, with the events they came from, and events that wait for a lookup",
			Subjects:    []string{s.Prefix + ".request.>", s.Prefix + ".lookup.>"},
			// Limited by age only. A limit by number or size would drop the oldest
			// messages, and with them the knowledge that a request is a duplicate.
			MaxAge: s.Retention, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			// Other services publish here. Message schedules and rollups stay off:
			// their headers would let one service redirect and wipe the requests of
			// all others. The window for Nats-Msg-Id is the shortest one: within it, a
			// message with the id of another service's message makes that one vanish.
			Duplicates: shortestWindow,
			Storage:    jetstream.FileStorage, Replicas: s.Replicas,
		},
		{
			Name:        s.Name(Ledger),
			Description: "the state of every call; every change is a compare-and-set",
			Subjects:    []string{s.Prefix + ".ledger.*"},
			// The ledger is the last protection against a second call: it is kept
			// longer than the request, refuses new records when it is full, and
			// allows no deletion.
			MaxAge: 2 * s.Retention, Discard: jetstream.DiscardNew,
			// No limit per subject: nats-server rewrites a block of which much is deleted,
			// and renames it without a flush, so that a power cut could empty it.
			MaxMsgsPerSubject: difference.UnlimitedPerSubject, DenyDelete: true, DenyPurge: true,
			Storage: jetstream.FileStorage, Replicas: s.Replicas,
		},
		{
			Name:        s.Name(Results),
			Description: "the result of every event (CloudEvents)",
			Subjects:    []string{s.Prefix + ".result.>"},
			MaxAge:      s.Retention, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			AllowDirect: true, DenyPurge: true,
			Storage: jetstream.FileStorage, Replicas: s.Replicas,
		},
		{
			Name:        s.Name(Limits),
			Description: "tokens of the dial rate and slots of the dial concurrency; they expire within minutes",
			Subjects:    []string{s.Prefix + ".limit.>"},
			// Each message has its own time to live, so that what a killed process
			// holds becomes free.
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, AllowMsgTTL: true,
			Storage: jetstream.MemoryStorage, Replicas: s.Replicas,
		},
		{
			Name:        s.Name(State),
			Description: "when each stream was made and its last sequence, losses, and their acknowledgements",
			Subjects:    []string{s.Prefix + ".state.*"},
			// The newest message of each subject counts.
			MaxMsgs: stateMessages, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			Discard: jetstream.DiscardOld, DenyDelete: true, DenyPurge: true,
			Storage: jetstream.FileStorage, Replicas: s.Replicas,
		},
	}, append(s.Forbidding(), s.acts())...)
}

// acts returns the definition of the stream of the acts of operators. No call depends on it.
func (s Settings) acts() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        s.Name(Audit),
		Description: "who did what, when and why; messages are only added",
		Subjects:    []string{s.Prefix + ".audit.*"},
		MaxAge:      auditAge, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
		Discard: jetstream.DiscardNew, DenyDelete: true, DenyPurge: true,
		Duplicates: shortestWindow,
		Storage:    jetstream.FileStorage, Replicas: s.Replicas,
	}
}

// Forbidding returns the definitions of the streams that forbid calls. Stops and the
// do-not-call list have no age: they do not end because they are old.
func (s Settings) Forbidding() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name:        s.Name(Control),
			Description: "what is stopped, by whom and why; the newest message counts",
			Subjects:    []string{s.Prefix + ".control"},
			MaxMsgs:     controlMessages, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			Discard: jetstream.DiscardOld, DenyDelete: true, DenyPurge: true,
			Storage: jetstream.FileStorage, Replicas: s.Replicas,
		},
		{
			Name:        s.Name(DNC),
			Description: "who must not be called, by a keyed hash of the number; the newest message of each counts",
			Subjects:    []string{s.Prefix + ".dnc.person.*", s.Prefix + ".dnc.key"},
			// Without any limit: each would drop a person.
			MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			Discard:           jetstream.DiscardNew, DenyDelete: true, DenyPurge: true,
			// At its start the server reads each message of the window.
			Duplicates: shortestWindow,
			Storage:    jetstream.FileStorage, Replicas: s.Replicas,
		},
		{
			Name:        s.Name(People),
			Description: "when each person was called, by a keyed hash of the number; the newest message of each counts",
			Subjects:    []string{s.Prefix + ".person.*"},
			MaxAge:      peopleAge, MaxMsgsPerSubject: difference.UnlimitedPerSubject,
			Discard: jetstream.DiscardNew, DenyDelete: true, DenyPurge: true,
			Duplicates: shortestWindow,
			Storage:    jetstream.FileStorage, Replicas: s.Replicas,
		},
	}
}

// maxAckPending bounds the delivered and unacknowledged messages of a consumer,
// over all processes. It counts requests that wait for Callab's list of calls, and
// events that wait for the rate limit or the credentials of a CRM.
var maxAckPending = map[string]int{Dispatch: 4096, Lookup: 65536}

// Consumers returns the definitions of the consumers of the stream of requests.
func (s Settings) Consumers() []jetstream.ConsumerConfig {
	return []jetstream.ConsumerConfig{
		s.consumer(Dispatch, "one request to one of the processes at a time", ".request.*.*.ready"),
		s.consumer(Lookup, "one event to one of the processes at a time", ".lookup.*.*"),
	}
}

func (s Settings) consumer(name, description, filter string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       name,
		Description:   description,
		FilterSubject: s.Prefix + filter,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       s.AckWait,
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

// denyPurge adds deny_purge to the definition of a stream on disk, because a purge of
// requests would lose accepted events. A stream of requests of an earlier version may lack
// the setting; there the permissions have to prevent a purge.
func denyPurge(c jetstream.StreamConfig) jetstream.StreamConfig {
	c.DenyPurge = c.Storage == jetstream.FileStorage
	return c
}

// Define returns all definitions, without asking a server.
func (s Settings) Define() Definitions {
	d := Definitions{Streams: s.Streams()}
	for i := range d.Streams {
		d.Streams[i] = denyPurge(d.Streams[i])
	}
	for _, c := range s.Consumers() {
		d.Consumers = append(d.Consumers, ConsumerDefinition{s.Name(Requests), c})
	}
	return d
}
