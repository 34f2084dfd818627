package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/stream"
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
// stream.Declarer.
func (b *Bus) Declare(ctx context.Context) error { return b.declarer().Declare(ctx) }

// openStreams opens the streams for reading.
func (b *Bus) openStreams(ctx context.Context) (err error) {
	for name, into := range map[string]*jetstream.Stream{
		stream.Requests: &b.requests, stream.Ledger: &b.ledger, stream.Results: &b.results, stream.Limits: &b.limits,
	} {
		if *into, err = b.declarer().Open(ctx, b.streamName(name)); err != nil {
			return fmt.Errorf("read stream %s: %w", b.streamName(name), err)
		}
	}
	return nil
}
