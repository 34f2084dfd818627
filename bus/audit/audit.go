// Package audit keeps the acts of operators with their reasons in the stream AUDIT, to which messages are
// only added. It has no number: a person is named as in the do-not-call list.
package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"callbridge/bus/stream"

	"github.com/nats-io/nats.go/jetstream"
)

// Verbs are what is done. Each is the end of a subject.
const (
	Stop      = "stop"
	Resume    = "resume"
	DNCAdd    = "dnc-add"
	DNCRemove = "dnc-remove"
)

// Verbs returns all verbs.
func Verbs() []string { return []string{Stop, Resume, DNCAdd, DNCRemove} }

// Entry is one act.
type Entry struct {
	At   time.Time `json:"at"`
	Verb string    `json:"verb"`
	// By is the name that the operator has given, Why the reason; both may be empty.
	By  string `json:"by"`
	Why string `json:"why"`
	// What was done it to, in words, such as "source crm".
	What string `json:"what"`
	// Persons are those for whom it has changed something, by the keyed hash of the number,
	// and Asked how many were named.
	Persons []string `json:"persons,omitempty"`
	Asked   int      `json:"asked,omitempty"`
}

// Log writes entries.
type Log struct {
	JS jetstream.JetStream
	// Prefix of the subjects, such as "callbridge.audit".
	Prefix string
}

// Write adds an entry. What it is about was done before: the error says so.
func (l Log) Write(ctx context.Context, e Entry) error {
	data, err := json.Marshal(e)
	if err == nil {
		_, err = l.JS.Publish(ctx, l.Prefix+"."+e.Verb, data)
	}
	if err != nil {
		return fmt.Errorf("it was done, but who did it could not be written to %s.%s: %w", l.Prefix, e.Verb, err)
	}
	return nil
}

const (
	// batch is the number of entries of one pull request.
	batch = 500
	// fetchWait bounds the wait for a batch of entries that are stored.
	fetchWait = 10 * time.Second
)

// Read calls fn with the entries of a verb, or of all if it is empty, that were stored since
// a time, the oldest first, and stops at its error. A message that is no entry has only a
// time and What.
func Read(ctx context.Context, from jetstream.Stream, prefix, verb string, since time.Time, fn func(Entry) error) error {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{prefix + "." + cmp.Or(verb, "*")}}
	if !since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	consumer, err := from.OrderedConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("read who did what: %w", err)
	}
	stored := stream.Stored{Consumer: consumer, What: "who did what", Batch: batch, Wait: jetstream.FetchMaxWait(fetchWait)}
	return stored.Each(ctx, func(m jetstream.Msg) error { return fn(entryOf(m)) })
}

func entryOf(m jetstream.Msg) (e Entry) {
	if json.Unmarshal(m.Data(), &e) == nil && !e.At.IsZero() {
		return e
	}
	e = Entry{What: "a message on " + m.Subject() + " that is no entry"}
	if meta, err := m.Metadata(); err == nil {
		e.At = meta.Timestamp
	}
	return e
}
