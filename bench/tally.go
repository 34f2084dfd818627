package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/role"
)

// tally counts the accepted webhooks that did not lead to one call and one result.
type tally struct {
	// lost: not called, and no result "unknown" reports it.
	lost int
	// doubled: called more than once.
	doubled int
	// undecided: not called, with the result "unknown"; a person decides.
	undecided int
	// noResult: called, without a result.
	noResult int
}

func (t tally) String() string {
	text := fmt.Sprintf("%d / %d", t.lost, t.doubled)
	if t.undecided > 0 {
		text += fmt.Sprintf(" (%d left to a person)", t.undecided)
	}
	if t.noResult > 0 {
		text += fmt.Sprintf(" (%d without a result)", t.noResult)
	}
	return text
}

func (t tally) add(o tally) tally {
	return tally{t.lost + o.lost, t.doubled + o.doubled, t.undecided + o.undecided, t.noResult + o.noResult}
}

// countOutcomes compares the calls at the API with the results on the bus. The
// value in results is true if the result is "unknown". A result "accepted" without
// a call is a lost webhook.
func countOutcomes(accepted []int, a *api, results map[int]bool) (t tally) {
	for _, n := range accepted {
		calls := a.calls(n).times
		unknown, told := results[n]
		switch {
		case calls > 1:
			t.doubled++
		case calls == 0 && unknown:
			t.undecided++
		case calls == 0:
			t.lost++
		case !told:
			t.noResult++
		}
	}
	return t
}

// tally counts the outcomes of all accepted webhooks.
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
	return countOutcomes(r.accepted, a, results), err
}

// drainQuiet is how long drain waits without a new result. callbridge resumes a
// request of a killed process after two minutes, and waits one more minute for
// Callab's list.
const drainQuiet = 5 * time.Minute

// drain waits until every accepted webhook has its result, which comes after its
// call, or no more results come. It returns the time of the last one.
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

// streams is a connection to the NATS of a system.
type streams struct {
	conn *nats.Conn
	js   jetstream.JetStream
	// operator says that the connection has the rights of an operator of callbridge.
	operator bool
}

func (r *running) streams() (*streams, error) {
	url := r.nats
	if r.store != "" {
		users, err := role.Read(r.store)
		if err != nil {
			return nil, err
		}
		url = users.URL(role.Operator, r.nats)
	}
	conn, err := nats.Connect(url, nats.CustomInboxPrefix(role.Inbox(role.Operator)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", r.nats, err)
	}
	js, err := jetstream.New(conn)
	return &streams{conn, js, r.store != ""}, err
}

func (s *streams) close() { s.conn.Close() }

// stored returns the number of messages in a stream.
func (s *streams) stored(ctx context.Context, stream string) (int, error) {
	found, err := s.js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return int(found.CachedInfo().State.Msgs), nil
}

// readTimeout bounds the time to read a whole stream.
const readTimeout = 5 * time.Minute

// readers is the number of messages that readEach asks for at the same time.
const readers = 64

// readEach passes every message of a stream to show, one question for each: an operator
// of callbridge may not make a consumer of requests.
func (s *streams) readEach(ctx context.Context, stream string, show func(subject string, data []byte)) error {
	found, err := s.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	last := found.CachedInfo().State.LastSeq
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var mu sync.Mutex
	var next atomic.Uint64
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for seq := next.Add(1); seq <= last && ctx.Err() == nil; seq = next.Add(1) {
				msg, err := found.GetMsg(ctx, seq)
				if err != nil {
					fail(fmt.Errorf("read message %d of %s: %w", seq, stream, err))
					return
				}
				mu.Lock()
				show(msg.Subject, msg.Data)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// read passes every message of a stream to show.
func (s *streams) read(ctx context.Context, stream string, show func(subject string, data []byte)) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if s.operator && stream == "CALLBRIDGE_REQUESTS" {
		return s.readEach(ctx, stream, show)
	}
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
