//go:build unix

package crash_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

// results is what the stream of results holds: for each request, what stands
// there.
type results struct {
	t  *testing.T
	js jetstream.JetStream

	mu  sync.Mutex
	are map[uuid.UUID][]result
}

// result is what an account needs of an event.Result.
type result struct {
	outcome event.Outcome
	reason  event.Reason
}

func newResults(t *testing.T) *results {
	return &results{t: t, are: map[uuid.UUID][]result{}}
}

// follow reads the stream from its beginning until the test is over. It reads
// what JetStream keeps, not what passes by.
func (r *results) follow(url string) {
	r.t.Helper()
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(conn.Close)
	if r.js, err = jetstream.New(conn); err != nil {
		r.t.Fatal(err)
	}
	consumer, err := r.js.OrderedConsumer(r.t.Context(), "CALLBRIDGE_RESULTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		r.t.Fatal(err)
	}
	reading, err := consumer.Consume(r.keep)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(reading.Stop)
}

func (r *results) keep(msg jetstream.Msg) {
	var got event.Result
	if err := json.Unmarshal(msg.Data(), &got); err != nil {
		r.t.Errorf("result on %s: %v", msg.Subject(), err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.are[got.RequestID] = append(r.are[got.RequestID], result{got.Outcome, got.Reason})
}

func (r *results) all() map[uuid.UUID][]result {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := maps.Clone(r.are)
	for id, several := range all {
		all[id] = slices.Clone(several)
	}
	return all
}

// complete reports whether each of the requests has a result and nothing is
// waiting or being worked on.
func (r *results) complete(requests map[uuid.UUID]string) bool {
	all := r.all()
	for id := range requests {
		if len(all[id]) == 0 {
			return false
		}
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	consumer, err := r.js.Consumer(ctx, "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		return false
	}
	info := consumer.CachedInfo()
	return info.NumPending == 0 && info.NumAckPending == 0
}
