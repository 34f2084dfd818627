package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/embedded"
	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

// settings are what the definitions of streams and consumers depend on.
func (c Config) settings() stream.Settings {
	return stream.Settings{Prefix: c.Prefix, Replicas: c.Replicas, Retention: c.Retention, AckWait: c.AckWait}
}

// streamName is the full name of a stream.
func (b *Bus) streamName(name string) string { return b.config.settings().Name(name) }

func (b *Bus) declarer() *stream.Declarer {
	return &stream.Declarer{
		Settings: b.config.settings(), JS: b.js, Log: b.config.Log,
		Follow: b.Embedded(), CheckOnly: b.config.CheckOnly,
	}
}

// Define returns what Open would make, without asking a server: for an administrator
// to create it (NATS_MANAGE=false).
func Define(config Config) stream.Definitions { return config.settings().Define() }

// Declare makes the streams and consumers that are missing, within 30 s: see
// stream.Declarer. Before messages can be delivered, it finds out what the streams have
// lost.
func (b *Bus) Declare(ctx context.Context) error {
	return b.declarer().Declare(ctx, b.checkLoss)
}

// openStreams opens the streams for reading.
func (b *Bus) openStreams(ctx context.Context) (err error) {
	for name, into := range map[string]*jetstream.Stream{
		stream.Requests: &b.requests, stream.Ledger: &b.ledger, stream.Results: &b.results, stream.Limits: &b.limits,
		stream.Control: &b.control, stream.DNC: &b.dnc, stream.People: &b.called,
	} {
		if *into, err = b.declarer().Open(ctx, b.streamName(name)); err != nil {
			return fmt.Errorf("read stream %s: %w", b.streamName(name), err)
		}
	}
	return b.openPersons(ctx)
}

// Ready asks for the connection, the streams and the consumers, and returns why the
// bus cannot store, keep or deliver messages, or nil.
func (b *Bus) Ready(ctx context.Context) error {
	if !b.conn.IsConnected() {
		return cmp.Or(b.link.Err(), errors.New("no connection to NATS"))
	}
	if err := b.server.Ready(); err != nil {
		return err
	}
	return b.declarer().Compare(ctx)
}

// Paused returns which consumer a person has paused, or nil. Webhooks are stored
// meanwhile.
func (b *Bus) Paused(ctx context.Context) error { return b.declarer().Paused(ctx) }

// reconcileInterval is how often ReconcileStreams checks the streams.
const reconcileInterval = 2 * time.Second

// ReconcileStreams compares the streams with what is remembered of them until ctx
// ends, and declares streams and consumers again that the server has lost. With
// Config.CheckOnly it makes nothing: Ready reports what is missing.
func (b *Bus) ReconcileStreams(ctx context.Context) {
	for wait.For(ctx, reconcileInterval) == nil {
		if !b.conn.IsConnected() {
			b.loss.Doubt()
			continue
		}
		b.reconcile(ctx)
	}
}

func (b *Bus) reconcile(ctx context.Context) {
	// A full disk loses no stream, and neither a check nor a declaration could be
	// written.
	if b.server.Writable() != nil {
		return
	}
	checking, cancel := context.WithTimeout(ctx, reconcileInterval)
	defer cancel()
	err := b.declarer().Compare(checking)
	if err == nil || b.config.CheckOnly {
		if err := b.loss.Check(checking); err != nil && checking.Err() == nil {
			b.config.Log.Warn("nats.streams_unchecked", "error", err)
		}
		return
	}
	b.loss.Doubt()
	if err := b.Declare(ctx); err != nil && ctx.Err() == nil {
		b.config.Log.Error("nats.declare_failed", "error", err)
	}
}

// undone reads what the consumers have not finished.
func (b *Bus) undone(ctx context.Context) (all embedded.Undone, err error) {
	for _, c := range b.config.settings().Consumers() {
		consumer, err := b.js.Consumer(ctx, b.streamName(stream.Requests), c.Durable)
		if err != nil {
			return all, fmt.Errorf("read consumer %s: %w", c.Durable, err)
		}
		info := consumer.CachedInfo()
		waited, err := stream.Waited(ctx, b.requests, info)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return all, fmt.Errorf("read the oldest message of consumer %s: %w", c.Durable, err)
		}
		all.Messages += info.NumPending + uint64(info.NumAckPending)
		if stored := info.TimeStamp.Add(-waited); all.Oldest.IsZero() || stored.Before(all.Oldest) {
			all.Oldest = stored
		}
	}
	return all, nil
}
