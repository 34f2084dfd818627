package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// ResultQuery is which results to read.
type ResultQuery struct {
	// Since is how far back to begin.
	Since time.Time
	// Outcome and Source narrow the results down; empty for all.
	Outcome, Source string
	// Follow goes on with results to come, until ctx ends.
	Follow bool
}

// ReadResults calls fn with each stored result, oldest first, as any service of
// the company could read them: it connects to URL, and needs no more than to
// read the stream of results. ErrUnreachable says that there is no NATS.
func ReadResults(ctx context.Context, config Config, w ResultQuery, fn func(event.Result) error) error {
	conn, err := connectRemote(config, []nats.Option{nats.Name("callbridge results"), nats.Timeout(5 * time.Second)})
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	b := Bus{config: config}
	consumer, err := js.OrderedConsumer(ctx, b.stream("results"), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{config.Prefix + ".result." + cmp.Or(w.Outcome, "*") + "." + cmp.Or(w.Source, "*") + ".*"},
		DeliverPolicy:  jetstream.DeliverByStartTimePolicy, OptStartTime: &w.Since,
	})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", b.stream("results"), err)
	}
	stored := consumer.CachedInfo().NumPending
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", b.stream("results"), err)
	}
	defer messages.Stop()
	for n := uint64(0); n < stored || w.Follow; n++ {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read results: %w", err)
		}
		var r event.Result
		if err := event.Unmarshal(msg.Data(), &r); err != nil {
			return fmt.Errorf("read %s: %w", msg.Subject(), err)
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
