package bus_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/event"
)

// consumerOf reads what the server knows of the consumer of requests.
func consumerOf(t *testing.T, b *bus.Bus) *jetstream.ConsumerInfo {
	t.Helper()
	js, err := jetstream.New(b.Conn())
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	return c.CachedInfo()
}

// until asks again until it holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("%s did not come to be in 30 s", what)
		}
	}
}

// keepRequests stores so many requests.
func keepRequests(t *testing.T, b *bus.Bus, n int) {
	t.Helper()
	for i := range n {
		r := request(fmt.Sprint("lead-", i))
		if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServerHasOnePullRequestAndSendsNoMoreThanThereAreHands(t *testing.T) {
	t.Parallel()
	const workers, requests = 16, 40
	b := open(t, embedded(t))
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	var working, most, done atomic.Int32
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		b.ConsumeRequests(ctx, workers, bus.Worker{
			Alive: func() {}, Log: quiet(),
			Handle: func(context.Context, bus.Delivery) bus.Disposition {
				n := working.Add(1)
				defer working.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				<-release
				done.Add(1)
				return bus.Acknowledge()
			},
		})
	}()
	until(t, "a pull request", func() bool { return consumerOf(t, b).NumWaiting > 0 })
	if got := consumerOf(t, b).NumWaiting; got != 1 {
		t.Errorf("the server has %d pull requests of idle workers, want 1", got)
	}
	keepRequests(t, b, requests)
	until(t, "work for all", func() bool { return working.Load() == workers })
	until(t, "a count of what waits", func() bool { return consumerOf(t, b).NumPending == requests-workers })
	if got := consumerOf(t, b).NumAckPending; got != workers {
		t.Errorf("%d are delivered to %d workers", got, workers)
	}
	close(release)
	until(t, "the end of all", func() bool { return done.Load() == requests })
	if most.Load() != workers {
		t.Errorf("%d were worked on at once, want %d", most.Load(), workers)
	}
	cancel()
	<-worked
}

func TestHeldWorkIsGivenBack(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	ctx, cancel := context.WithCancel(t.Context())
	var held atomic.Bool
	resumed, worked := make(chan struct{}), make(chan struct{})
	handled := make(chan string, 10)
	go func() {
		defer close(worked)
		b.ConsumeRequests(ctx, 2, bus.Worker{
			Paused: held.Load,
			Alive:  func() {}, Log: quiet(),
			WaitResume: func(ctx context.Context) error {
				select {
				case <-resumed:
					held.Store(false)
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
			Handle: func(_ context.Context, d bus.Delivery) bus.Disposition {
				held.Store(true)
				handled <- d.ID
				return bus.Acknowledge()
			},
		})
	}()
	keepRequests(t, b, 1)
	<-handled
	until(t, "an empty list of pull requests", func() bool { return consumerOf(t, b).NumWaiting == 0 })
	keepRequests(t, b, 2) // one of which was there
	until(t, "a count of what waits", func() bool { return consumerOf(t, b).NumPending == 1 })
	if len(handled) != 0 {
		t.Error("a request was delivered while work is held")
	}
	close(resumed)
	<-handled
	cancel()
	<-worked
}
