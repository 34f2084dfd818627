package bus_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// consumerInfo reads the state of the consumer of requests.
func consumerInfo(t *testing.T, b *bus.Bus) *jetstream.ConsumerInfo {
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

func TestOnePullRequestAsksForAsManyMessagesAsWorkersAreIdle(t *testing.T) {
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
	testkit.Eventually(t, "the server has a pull request", func() bool { return consumerInfo(t, b).NumWaiting > 0 })
	if got := consumerInfo(t, b).NumWaiting; got != 1 {
		t.Errorf("the server has %d pull requests of idle workers, want 1", got)
	}
	storeRequests(t, b, requests)
	testkit.Eventually(t, "all workers have a message", func() bool { return working.Load() == workers })
	testkit.Eventually(t, "the other requests are pending", func() bool { return consumerInfo(t, b).NumPending == requests-workers })
	if got := consumerInfo(t, b).NumAckPending; got != workers {
		t.Errorf("%d are delivered to %d workers", got, workers)
	}
	close(release)
	testkit.Eventually(t, "all requests are handled", func() bool { return done.Load() == requests })
	if most.Load() != workers {
		t.Errorf("%d were worked on at once, want %d", most.Load(), workers)
	}
	cancel()
	<-worked
}

func TestAPausedConsumerReturnsItsMessages(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	ctx, cancel := context.WithCancel(t.Context())
	var paused atomic.Bool
	resumed, worked := make(chan struct{}), make(chan struct{})
	handled := make(chan string, 10)
	go func() {
		defer close(worked)
		b.ConsumeRequests(ctx, 2, bus.Worker{
			Paused: paused.Load,
			Alive:  func() {}, Log: quiet(),
			WaitResume: func(ctx context.Context) error {
				select {
				case <-resumed:
					paused.Store(false)
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
			Handle: func(_ context.Context, d bus.Delivery) bus.Disposition {
				paused.Store(true)
				handled <- d.ID
				return bus.Acknowledge()
			},
		})
	}()
	storeRequests(t, b, 1)
	<-handled
	testkit.Eventually(t, "the pull request is withdrawn", func() bool { return consumerInfo(t, b).NumWaiting == 0 })
	storeRequests(t, b, 2) // the first of which is a duplicate
	testkit.Eventually(t, "the second request is pending", func() bool { return consumerInfo(t, b).NumPending == 1 })
	if len(handled) != 0 {
		t.Error("a request was delivered during the pause")
	}
	close(resumed)
	<-handled
	cancel()
	<-worked
}

func TestAMessageIsRedeliveredUntilItIsAcknowledged(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	e := request("lead-1").Event
	if _, err := b.Store(t.Context(), "", event.Item{Pending: &event.Pending{Event: e}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var at []time.Time
	alive := 0
	b.ConsumeLookups(ctx, 1, bus.Worker{
		Alive: func() { alive++ }, Log: quiet(),
		Handle: func(_ context.Context, d bus.Delivery) bus.Disposition {
			if d.Source != "website" || d.ID != e.ID.String() || d.Stored.IsZero() {
				t.Errorf("delivered %+v", d)
			}
			if at = append(at, time.Now()); len(at) == 3 {
				cancel()
			}
			return bus.Disposition{Ack: len(at) == 3, Redeliver: 100 * time.Millisecond}
		},
	})
	if len(at) != 3 || at[2].Sub(at[0]) < 200*time.Millisecond || alive == 0 {
		t.Errorf("delivered at %v with %d signs of life", at, alive)
	}
}

// signalledMsg counts the signals that extend its AckWait.
type signalledMsg struct {
	jetstream.Msg
	signals int
	then    func()
}

func (b *signalledMsg) InProgress() error {
	b.signals++
	b.then()
	return nil
}

// TestKeepAliveStopsDuringASignal: a message that is acknowledged
// while its AckWait is being extended must not be extended again.
func TestKeepAliveStopsDuringASignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan func(), 1)
		msg := &signalledMsg{then: func() { (<-stop)() }}
		stop <- bus.KeepAlive(msg, time.Second, func() {})
		<-time.After(time.Minute)
		synctest.Wait() // the count is read after the goroutine has ended
		if msg.signals != 1 {
			t.Errorf("%d signals, want 1", msg.signals)
		}
	})
}
