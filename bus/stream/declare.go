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
)

// Declarer makes and checks the streams and consumers of one server.
type Declarer struct {
	Settings
	JS jetstream.JetStream
	// Follow changes existing streams to their definitions: those of the embedded
	// server, which nobody else manages.
	Follow bool
	// CheckOnly makes nothing: what is missing or different is an error.
	CheckOnly bool
	Log       *slog.Logger
}

// Declare makes the streams and consumers that are missing, within 30 s. A stream
// that differs from its definition is an error that names the setting: callbridge
// does not change a stream that may be managed by its owner. Only in the embedded
// server, retention and other settings follow the configuration and the version. With
// CheckOnly nothing is made, and everything missing or different is an
// error.
func (d *Declarer) Declare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if d.CheckOnly {
		return d.check(ctx)
	}
	for _, want := range d.Streams() {
		if err := d.declareStream(ctx, want); err != nil {
			return err
		}
	}
	// AckWait, which only delays redelivery, follows the process that started last.
	for _, want := range d.Consumers() {
		if _, err := d.JS.CreateOrUpdateConsumer(ctx, d.Name(Requests), want); err != nil {
			return fmt.Errorf("declare consumer %s: %w", want.Durable, err)
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
		err = d.makeStream(ctx, want)
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
	return difference.Stream(want, found.CachedInfo().Config)
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
		if sleep(ctx, answerTimeout/2) != nil {
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

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
