package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/result"
	"callbridge/bus/stream"
)

// Range selects results by their subject and by the time at which they were stored.
type Range struct {
	// Outcome and Source are exact values; empty selects all.
	Outcome, Source string
	// Since is the earliest time, and Until the end, without it. Zero is no bound.
	Since, Until time.Time
	// Before selects results with a smaller sequence; 0 selects all.
	Before uint64
}

// firstBlock and lastBlock are how many sequences are read at a time: few at first, because
// the newest result of a block is the last one that is read.
const firstBlock, lastBlock = 1000, 32_000

// errEnd ends the reading of a block.
var errEnd = errors.New("end of the block")

// Newest calls fn with the results of a range, the newest first, and stops at its error.
// It needs the right to make consumers on the stream of results (role reader).
func (a Archive) Newest(ctx context.Context, r Range, fn func(Message) error) error {
	s, err := a.stream(ctx, stream.Results)
	if err != nil {
		return err
	}
	first, end := uint64(1), s.CachedInfo().State.LastSeq+1
	if r.Before > 0 {
		end = min(end, r.Before)
	}
	if !r.Since.IsZero() {
		if first, err = a.begin(ctx, s, r); err != nil {
			return err
		}
	}
	for size := uint64(firstBlock); end > max(first, s.CachedInfo().State.FirstSeq); size = min(2*size, lastBlock) {
		begin := max(first, end-min(end, size))
		messages, err := a.block(ctx, s, r, begin, end)
		if err != nil {
			return err
		}
		for _, m := range slices.Backward(messages) {
			if !r.Until.IsZero() && !m.At.Before(r.Until) {
				continue
			}
			if err := fn(m); err != nil {
				return err
			}
		}
		end = begin
	}
	return nil
}

func (a Archive) consumer(ctx context.Context, s jetstream.Stream, r Range, config jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	config.FilterSubjects = result.Filters(a.settings.Prefix, r.Outcome, r.Source)
	consumer, err := s.OrderedConsumer(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return consumer, nil
}

// begin is the sequence of the first result of a range.
func (a Archive) begin(ctx context.Context, s jetstream.Stream, r Range) (uint64, error) {
	consumer, err := a.consumer(ctx, s, r, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &r.Since})
	if err != nil {
		return 0, err
	}
	return consumer.CachedInfo().Delivered.Stream + 1, nil
}

// block returns the results of a range with sequences from begin up to end, without end.
func (a Archive) block(ctx context.Context, s jetstream.Stream, r Range, begin, end uint64) (messages []Message, err error) {
	consumer, err := a.consumer(ctx, s, r, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: begin})
	if err != nil {
		return nil, err
	}
	stored := stream.Stored{Consumer: consumer, What: "results", Batch: end - begin, Wait: jetstream.FetchMaxWait(fetchWait)}
	err = stored.Each(ctx, func(raw jetstream.Msg) error {
		m, inside, err := delivered(raw, end)
		if err != nil {
			return err
		}
		if !inside {
			return errEnd
		}
		messages = append(messages, m)
		return nil
	})
	if err != nil && !errors.Is(err, errEnd) {
		return nil, err
	}
	return messages, nil
}

// fetchWait bounds the wait for a batch of messages that are stored.
const fetchWait = 10 * time.Second

// delivered reads a message, and reports whether its sequence is below end.
func delivered(raw jetstream.Msg, end uint64) (Message, bool, error) {
	meta, err := raw.Metadata()
	if err != nil {
		return Message{}, false, fmt.Errorf("read results: %w", err)
	}
	return Message{
		Subject: raw.Subject(), Data: raw.Data(), Trace: raw.Headers().Get(TraceHeader), Sequence: meta.Sequence.Stream, At: meta.Timestamp,
	}, meta.Sequence.Stream < end, nil
}
