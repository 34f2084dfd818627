package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// StoredRequest reads a request back from the stream, by id alone. ErrGone says
// that it is not kept any more.
func (b *Bus) StoredRequest(ctx context.Context, id uuid.UUID) (Delivery, error) {
	msg, err := b.requests.GetLastMsgForSubject(ctx, b.config.Prefix+".request.*."+id.String()+".ready")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Delivery{}, ErrGone
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("read request %s: %w", id, err)
	}
	d := Delivery{Data: msg.Data, Trace: msg.Header.Get(TraceHeader), Stored: msg.Time}
	d.Source, d.ID = b.named(msg.Subject)
	return d, nil
}

// ErrGone: the stream does not keep the request any more.
var ErrGone = errors.New("request is gone")

// AckWait is how long a delivery may stay without a sign of life.
func (b *Bus) AckWait() time.Duration { return b.config.AckWait }

// reconcileEvery is how often ReconcileStreams looks after the streams.
const reconcileEvery = 2 * time.Second

// ReconcileStreams keeps the streams in place until ctx ends: a NATS that comes back empty
// gets them again, and the log says so. What was stored there before is gone;
// that, too, is said. Where Config.CheckOnly is set that is the administrator's:
// Ready says what is missing.
func (b *Bus) ReconcileStreams(ctx context.Context) {
	if b.config.CheckOnly {
		return
	}
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !b.connected() || b.ready(ctx) == nil {
			continue
		}
		if err := b.Declare(ctx); err != nil {
			b.config.Log.Error("nats.declare_failed", "error", err)
			continue
		}
		b.config.Log.Warn("nats.streams_remade", "hint", "NATS had lost a stream or a consumer; events accepted before may be gone")
	}
}

func (b *Bus) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reconcileEvery)
	defer cancel()
	return b.Ready(ctx)
}
