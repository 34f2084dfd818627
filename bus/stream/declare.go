package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/difference"
	"callbridge/internal/wait"
)

// Declarer makes and checks the streams and consumers of one server.
type Declarer struct {
	Settings
	JS jetstream.JetStream
	// Follow changes existing streams to their definitions: those of the embedded
	// server, which are not managed by others.
	Follow bool
	// CheckOnly makes nothing: what is missing or different is an error.
	CheckOnly bool
	Log       *slog.Logger
}

// declareTimeout bounds Declare.
const declareTimeout = 30 * time.Second

// Declare makes the streams and consumers that are missing, within 30 s. A stream
// that differs from its definition is an error that names the setting: callbridge
// does not change a stream that may be managed by its owner. Only in the embedded
// server, retention and other settings follow the configuration and the version. With
// CheckOnly nothing is made, and everything missing or different is an
// error. between is called when all streams are there and before the consumers are
// made, because the first message may be delivered then.
func (d *Declarer) Declare(ctx context.Context, between func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, declareTimeout)
	defer cancel()
	if d.CheckOnly {
		if err := d.check(ctx); err != nil {
			return err
		}
		return between(ctx)
	}
	for _, want := range d.Streams() {
		if err := d.declareStream(ctx, want); err != nil {
			return err
		}
	}
	if err := between(ctx); err != nil {
		return err
	}
	// AckWait, which only delays redelivery, follows the process that started last.
	for _, want := range d.Consumers() {
		if err := d.declareConsumer(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// declareConsumer keeps the pause of a consumer: it is the decision of a person.
func (d *Declarer) declareConsumer(ctx context.Context, want jetstream.ConsumerConfig) error {
	if have, err := d.JS.Consumer(ctx, d.Name(Requests), want.Durable); err == nil {
		want.PauseUntil = have.CachedInfo().Config.PauseUntil
	}
	if _, err := d.JS.CreateOrUpdateConsumer(ctx, d.Name(Requests), want); err != nil {
		return fmt.Errorf("declare consumer %s: %w", want.Durable, err)
	}
	return nil
}

// Compare returns the first stream or consumer that is missing or that may lose or
// hold back messages, or nil. It asks one question about each.
func (d *Declarer) Compare(ctx context.Context) error {
	for _, want := range d.Streams() {
		have, err := d.JS.Stream(ctx, want.Name)
		if err != nil {
			return fmt.Errorf("stream %s: %w", want.Name, err)
		}
		// A stream that was limited may drop a request that was answered 202.
		if err := difference.Stream(want, have.CachedInfo().Config); err != nil {
			return err
		}
	}
	for _, want := range d.Consumers() {
		have, err := d.JS.Consumer(ctx, d.Name(Requests), want.Durable)
		if err != nil {
			return fmt.Errorf("consumer %s: %w", want.Durable, err)
		}
		if all := difference.Delivery(want, have.CachedInfo().Config); len(all) > 0 {
			return errors.New(all[0])
		}
	}
	return nil
}

// Paused returns which consumer a person has paused, or nil. Messages are stored
// meanwhile, and nothing is delivered.
func (d *Declarer) Paused(ctx context.Context) error {
	for _, c := range d.Consumers() {
		have, err := d.JS.Consumer(ctx, d.Name(Requests), c.Durable)
		if err != nil {
			return fmt.Errorf("consumer %s: %w", c.Durable, err)
		}
		if info := have.CachedInfo(); info.Paused {
			return fmt.Errorf("consumer %s is paused for %s: nothing is taken from it until then; `nats consumer resume %s %s` ends that",
				c.Durable, info.PauseRemaining.Round(time.Second), d.Name(Requests), c.Durable)
		}
	}
	return nil
}

// answerTimeout bounds one question about a stream.
const answerTimeout = time.Second

// Open asks for a stream until a server answers or ctx ends. In a cluster no
// server answers while the leader of the stream is being elected, for example while
// another process makes the stream.
func (d *Declarer) Open(ctx context.Context, name string) (jetstream.Stream, error) {
	for {
		asking, cancel := context.WithTimeout(ctx, answerTimeout)
		found, err := d.JS.Stream(asking, name)
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

func (d *Declarer) declareStream(ctx context.Context, want jetstream.StreamConfig) error {
	found, err := d.Open(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = d.makeStream(ctx, d.definition(want))
		if err == nil {
			d.Log.Info("nats.stream_made", "stream", want.Name)
			return nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("make stream %s: %w", want.Name, err)
		}
		found, err = d.Open(ctx, want.Name)
	}
	if err != nil {
		return fmt.Errorf("read stream %s: %w", want.Name, err)
	}
	if d.Follow {
		return d.updateStream(ctx, want, found.CachedInfo().Config)
	}
	have := found.CachedInfo().Config
	if difference.Migrated(want, have).MaxMsgsPerSubject != have.MaxMsgsPerSubject {
		d.Log.Warn("nats.ledger_limited", "stream", want.Name, "max_msgs_per_subject", have.MaxMsgsPerSubject,
			"hint", "when every callbridge has this version, remove the limit: docs/nats.md (\"A stream that differs\")")
	}
	return difference.Stream(want, have)
}

// definition returns the settings with which a stream is created. Streams of the embedded
// server stay without deny_purge: no role there may purge, and an earlier version refuses
// to open a store with the setting.
func (d *Declarer) definition(want jetstream.StreamConfig) jetstream.StreamConfig {
	if d.Follow {
		return want
	}
	return denyPurge(want)
}

// errCodeNoPeers is the answer of a cluster that has too few servers for a stream
// (nats-server, server/errors.json; nats.go has no name for it).
const errCodeNoPeers jetstream.ErrorCode = 10005

// makeStream waits until a cluster that is starting has enough servers.
func (d *Declarer) makeStream(ctx context.Context, want jetstream.StreamConfig) error {
	for logged := false; ; logged = true {
		_, err := d.JS.CreateStream(ctx, want)
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != errCodeNoPeers {
			return err
		}
		if !logged {
			d.Log.Info("nats.waiting_for_servers", "stream", want.Name, "error", err)
		}
		if wait.For(ctx, answerTimeout/2) != nil {
			return err
		}
	}
}

// updateStream applies RETENTION, and what a newer version defines differently, to a
// stream of the embedded server. All other settings must be equal. Message schedules,
// which the server does not switch off, package streamfile has switched off.
func (d *Declarer) updateStream(ctx context.Context, want, have jetstream.StreamConfig) error {
	next := have
	next.MaxAge, next.Subjects, next.MaxMsgsPerSubject = want.MaxAge, want.Subjects, want.MaxMsgsPerSubject
	next.AllowRollup, next.MaxMsgs, next.DenyPurge = want.AllowRollup, want.MaxMsgs, want.DenyPurge || have.DenyPurge
	if want.Duplicates != 0 {
		next.Duplicates = want.Duplicates
	}
	if err := difference.Stream(want, next); err != nil {
		return err
	}
	if reflect.DeepEqual(next, have) {
		return nil
	}
	if _, err := d.JS.UpdateStream(ctx, next); err != nil {
		return fmt.Errorf("change stream %s: %w", want.Name, err)
	}
	if have.MaxAge != want.MaxAge {
		d.Log.Warn("nats.retention_changed", "stream", want.Name, "from", have.MaxAge, "to", want.MaxAge)
	}
	return nil
}

// check reports everything that is missing or different, in one line.
func (d *Declarer) check(ctx context.Context) error {
	var problems []string
	for _, want := range d.Streams() {
		have, err := d.Open(ctx, want.Name)
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
	for _, want := range d.Consumers() {
		have, err := d.JS.Consumer(ctx, d.Name(Requests), want.Durable)
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
