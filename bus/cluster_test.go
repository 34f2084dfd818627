package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

// cluster starts three servers and returns their addresses.
func cluster(t *testing.T) string {
	t.Helper()
	ports := []int{bustest.Port(t), bustest.Port(t), bustest.Port(t)}
	var routes, urls []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprint("nats://127.0.0.1:", port))
	}
	for i, port := range ports {
		s := bustest.Server(t, &server.Options{
			ServerName: fmt.Sprint("n", i), Port: server.RANDOM_PORT, StoreDir: t.TempDir(), JetStream: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes:  server.RoutesFromStr(strings.Join(routes, ",")),
		})
		urls = append(urls, s.ClientURL())
	}
	return strings.Join(urls, ",")
}

// TestSeveralProcessesStartOnAnEmptyCluster: while one makes a stream, no server
// answers another's question about it.
func TestSeveralProcessesStartOnAnEmptyCluster(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.URL, config.Replicas = cluster(t), 3
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const processes = 4
	errs := make(chan error, processes)
	for range processes {
		go func() {
			for {
				b, err := bus.Open(ctx, config)
				if err == nil {
					b.Close()
				}
				// The cluster itself may not be ready yet.
				if err == nil || ctx.Err() != nil || !forming(err) {
					errs <- err
					return
				}
			}
		}()
	}
	for range processes {
		if err := <-errs; err != nil {
			t.Errorf("open: %v", err)
		}
	}
}

// TestLimitsHoldInACluster: tokens and slots are shared by two processes
// through three servers.
func TestLimitsHoldInACluster(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.URL, config.Replicas = cluster(t), 3
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	first, second := formed(t, ctx, config), formed(t, ctx, config)
	const rate, each = 20, 10
	began := time.Now()
	var all sync.WaitGroup
	for _, b := range []*bus.Bus{first, second} {
		all.Go(func() {
			limit := b.Limiter(rate)
			for range each {
				if err := limit.Wait(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	// The clock offset may be wrong by half a window at either end.
	if took, least := time.Since(began), time.Second*(2*each-2)/rate; took < least {
		t.Errorf("%d tokens within %s, want at least %s", 2*each, took, least)
	}
	held, err := first.Slots(1, 10*time.Second).Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	defer stop()
	if _, err := second.Slots(1, 10*time.Second).Acquire(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slot that is in use: %v, want %v", err, context.DeadlineExceeded)
	}
	held.Release()
	if _, err := second.Slots(1, 10*time.Second).Acquire(ctx); err != nil {
		t.Errorf("a slot that was released: %v", err)
	}
}

// formed opens a bus as soon as the cluster is ready.
func formed(t *testing.T, ctx context.Context, config bus.Config) *bus.Bus {
	t.Helper()
	for {
		b, err := bus.Open(ctx, config)
		if err == nil {
			t.Cleanup(b.Close)
			return b
		}
		if ctx.Err() != nil || !forming(err) {
			t.Fatal(err)
		}
	}
}

// forming reports whether an error comes from a cluster that is not ready yet.
func forming(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	return slices.ContainsFunc([]string{"unavailable", "no responders"}, func(text string) bool {
		return strings.Contains(err.Error(), text)
	})
}

// TestOpenFailsIfNoServerAnswers: the question is received and not answered, as in a
// cluster without a leader.
func TestOpenFailsIfNoServerAnswers(t *testing.T) {
	t.Parallel()
	s := bustest.Server(t, &server.Options{Port: server.RANDOM_PORT})
	testkit.Subscribe(t, testkit.Connect(t, s.ClientURL()), "$JS.API.>")
	config := embedded(t)
	config.URL = s.ClientURL()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	b, err := bus.Open(ctx, config)
	if err == nil {
		b.Close()
		t.Fatal("opened")
	}
	if !strings.Contains(err.Error(), "no server answers") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %q; want that no server answers", err)
	}
}
