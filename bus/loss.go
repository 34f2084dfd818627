package bus

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/loss"
	"callbridge/bus/role"
	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

// Memory configures what is remembered of the streams outside NATS.
type Memory struct {
	// File remembers what the streams held; empty selects epoch.json in the directory of
	// the embedded server, and none for a remote one.
	File string
	// RestoredFrom is the time of the copy from which the streams were restored; zero
	// for none. Each time counts once.
	RestoredFrom time.Time
	// Version of callbridge.
	Version string
}

// epochFile is Memory.File, or its default.
func (c Config) epochFile() string {
	if c.Memory.File == "" && c.URL == "" {
		return filepath.Join(c.Embedded.Dir, loss.FileName)
	}
	return c.Memory.File
}

// lossConfig is what package loss needs to know of the streams.
func (c Config) lossConfig(js jetstream.JetStream) loss.Config {
	names := c.settings()
	return loss.Config{
		JS: js, Log: c.Log, Forbids: c.forbids(),
		Requests: names.Name(stream.Requests), Ledger: names.Name(stream.Ledger), Results: names.Name(stream.Results),
		State: names.Name(stream.State), Subject: c.Prefix + ".state.streams", Acknowledged: c.Prefix + ".state.acknowledged",
		File: c.epochFile(), RestoredFrom: c.Memory.RestoredFrom, Version: cmp.Or(c.Memory.Version, "unknown"),
	}
}

// acknowledgeTimeout bounds AcknowledgeLoss.
const acknowledgeTimeout = 10 * time.Second

// AcknowledgeLoss stores that a person knows of the losses that are open, and returns
// them. It connects to config.URL, or to the embedded server of a process on this
// machine, and needs the role operator. The error is loss.ErrNothing if there is none,
// and ErrUnreachable if no server answers.
func AcknowledgeLoss(ctx context.Context, config Config, by, why string) ([]loss.Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, acknowledgeTimeout)
	defer cancel()
	config, err := config.localAs(role.Operator)
	if err != nil {
		return nil, err
	}
	var problems []loss.Problem
	err = client(ctx, config, "callbridge streams acknowledge", role.Operator, func(ctx context.Context, js jetstream.JetStream) (err error) {
		problems, err = loss.Acknowledge(ctx, config.lossConfig(js), by, why)
		return err
	})
	return problems, err
}

// startLoss reads what is remembered of an earlier process. The flushers do not run yet:
// what was stored is flushed at the start.
func (b *Bus) startLoss() (err error) {
	config := b.config.lossConfig(b.js)
	if b.Embedded() {
		config.StoreDir, config.Alone = b.config.Embedded.JetStreamDir(), true
	}
	config.Flush = b.flushStreams
	b.loss, err = loss.New(config)
	return err
}

// checkLoss finds out what the streams have lost, and waits until that is confirmed.
func (b *Bus) checkLoss(ctx context.Context) error {
	if b.loss == nil {
		if err := b.startLoss(); err != nil {
			return err
		}
	}
	for {
		err := b.loss.Check(ctx)
		if !errors.Is(err, loss.ErrUnconfirmed) {
			return err
		}
		if wait.For(ctx, time.Second) != nil {
			return err
		}
	}
}

// flushStreams returns when everything that the streams have acknowledged is on the
// disk.
func (b *Bus) flushStreams(ctx context.Context) error {
	for _, name := range flushed {
		if err := b.server.Flush(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Losses returns what the streams have lost. An error means that this is not known now,
// and that nothing may be dialled.
func (b *Bus) Losses(ctx context.Context) (loss.Record, error) { return b.loss.Record(ctx) }

// Intact returns what the streams have lost as an error, until it is acknowledged.
func (b *Bus) Intact(context.Context) error {
	if text := b.Degraded(); text != "" {
		return errors.New(text)
	}
	return nil
}

// Degraded says what the streams have lost, until it is acknowledged; then it is
// empty.
func (b *Bus) Degraded() string { return b.loss.Known().Text() }
