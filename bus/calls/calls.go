// Package calls reads the calls that were accepted, and their ends, from the stream of
// results: an accepted result without an ended one is a call to follow
// (docs/decisions/0032-following.md).
package calls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// Reader reads the stream of results.
type Reader struct {
	Stream jetstream.Stream
	// Prefix of the subjects, such as "callbridge".
	Prefix string
}

const (
	// unread is how long the server keeps a consumer that is not read.
	unread = time.Minute
	// eachBatch is the number of results of one pull request, fetchWait its longest
	// duration, and heartbeat how often the server says meanwhile that it is there.
	eachBatch = 500
	fetchWait = 10 * time.Second
	heartbeat = 2 * time.Second
)

// errGap: messages were lost on their way, such as when the connection was lost.
var errGap = errors.New("results were missed")

// Each calls fn with the accepted, ended and analysed results that are stored, the oldest
// first, then ready, and then fn with the new ones until ctx ends. Stored is when the server
// stored the result. After an error, also of the connection, nothing is known of later
// results: read again from the beginning.
func (r Reader) Each(ctx context.Context, ready func(), fn func(result event.Result, stored time.Time)) error {
	consumer, err := r.Stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubjects: []string{
			r.Prefix + ".result." + string(event.Accepted) + ".*.*", r.Prefix + ".result." + string(event.Ended) + ".*.*.*",
			r.Prefix + ".result." + string(event.Analysed) + ".*.*",
		},
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, InactiveThreshold: unread,
	})
	if err != nil {
		return fmt.Errorf("read calls: %w", err)
	}
	feed := feed{ready: ready, fn: fn, stored: consumer.CachedInfo().NumPending}
	if feed.stored == 0 {
		ready()
	}
	for {
		batch, err := consumer.Fetch(eachBatch, jetstream.FetchMaxWait(fetchWait), jetstream.FetchHeartbeat(heartbeat))
		if err != nil {
			return fmt.Errorf("read calls: %w", err)
		}
		if err := feed.take(ctx, batch); err != nil {
			return fmt.Errorf("read calls: %w", err)
		}
	}
}

// feed passes on what one consumer delivers.
type feed struct {
	ready func()
	fn    func(event.Result, time.Time)
	// read counts the messages, of which the first are stored.
	read, stored uint64
}

func (f *feed) take(ctx context.Context, batch jetstream.MessageBatch) error {
	for {
		select {
		case msg, more := <-batch.Messages():
			if !more {
				return batch.Error()
			}
			if err := f.one(msg); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *feed) one(msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if f.read++; meta.Sequence.Consumer != f.read {
		return errGap
	}
	var result event.Result
	if event.Unmarshal(msg.Data(), &result) == nil {
		f.fn(result, meta.Timestamp)
	}
	if f.read == f.stored {
		f.ready()
	}
	return nil
}

// Made is when the stream was made. A stream that was made again has lost its results.
func (r Reader) Made(ctx context.Context) (time.Time, error) {
	info, err := r.Stream.Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read calls: %w", err)
	}
	return info.Created, nil
}
