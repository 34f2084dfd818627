package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// tally is what became of webhooks that were accepted.
type tally struct {
	// lost were not called, and nobody is told that they may have been.
	lost int
	// doubled were called more than once.
	doubled int
	// left were not called, and have the result "unknown": a person decides.
	left int
	// silent were called and have no result.
	silent int
}

func (t tally) String() string {
	text := fmt.Sprintf("%d / %d", t.lost, t.doubled)
	if t.left > 0 {
		text += fmt.Sprintf(" (%d left to a person)", t.left)
	}
	if t.silent > 0 {
		text += fmt.Sprintf(" (%d without a result)", t.silent)
	}
	return text
}

func (t tally) plus(o tally) tally {
	return tally{t.lost + o.lost, t.doubled + o.doubled, t.left + o.left, t.silent + o.silent}
}

// judge counts calls at the API against results on the bus: those of results are
// told, and true where the result is "unknown". A result "accepted" that no call
// belongs to is a lost one.
func judge(accepted []int, a *api, results map[int]bool) (t tally) {
	for _, n := range accepted {
		calls := a.calls(n).times
		unknown, told := results[n]
		switch {
		case calls > 1:
			t.doubled++
		case calls == 0 && unknown:
			t.left++
		case calls == 0:
			t.lost++
		case !told:
			t.silent++
		}
	}
	return t
}

// tally judges all that was accepted.
func (r *running) tally(ctx context.Context, a *api) (t tally, err error) {
	s, err := r.streams()
	if err != nil {
		return t, err
	}
	defer s.close()
	results := map[int]bool{}
	err = s.read(ctx, r.results, func(subject string, data []byte) {
		if n, ok := numberIn(data); ok {
			results[n] = results[n] || strings.Contains(subject, ".unknown.")
		}
	})
	return judge(r.accepted, a, results), err
}

// drainQuiet is how long nothing may happen before what is missing counts as
// lost. callbridge takes up a request of a process that was killed after two
// minutes, and waits another for Callab's list.
const drainQuiet = 5 * time.Minute

// drain waits until every webhook that was accepted has its result, which comes
// after its call, or nothing happens any more. last is when the last one came.
func (r *running) drain(ctx context.Context) (last time.Time, err error) {
	s, err := r.streams()
	if err != nil {
		return last, err
	}
	defer s.close()
	last = time.Now()
	for results := 0; results < len(r.accepted) && time.Since(last) < drainQuiet; {
		now, err := s.stored(ctx, r.results)
		if err != nil {
			return last, err
		}
		if now > results {
			results, last = now, time.Now()
		}
		if !sleepUntil(ctx, time.Now().Add(10*time.Millisecond)) {
			return last, ctx.Err()
		}
	}
	return last, nil
}

// streams is a connection to where a system keeps things.
type streams struct {
	conn *nats.Conn
	js   jetstream.JetStream
}

func (r *running) streams() (*streams, error) {
	conn, err := nats.Connect(r.nats)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", r.nats, err)
	}
	js, err := jetstream.New(conn)
	return &streams{conn, js}, err
}

func (s *streams) close() { s.conn.Close() }

// stored counts the messages of a stream.
func (s *streams) stored(ctx context.Context, stream string) (int, error) {
	found, err := s.js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return int(found.CachedInfo().State.Msgs), nil
}

// readTimeout bounds the reading of a whole stream.
const readTimeout = 5 * time.Minute

// read shows every message of a stream.
func (s *streams) read(ctx context.Context, stream string, show func(subject string, data []byte)) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	consumer, err := s.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	defer messages.Stop()
	for left := consumer.CachedInfo().NumPending; left > 0; left-- {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		show(msg.Subject(), msg.Data())
	}
	return nil
}
