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
	"github.com/nats-io/nats.go"

	"callbridge/bus"
	"callbridge/bus/bustest"
)

// cluster is three servers, and their addresses.
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

// TestTwoProcessesStartOnAnEmptyCluster: while one makes a stream, no server
// answers the other's question about it.
func TestTwoProcessesStartOnAnEmptyCluster(t *testing.T) {
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
				// The cluster itself may not be there yet.
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

// TestLimitsHoldInACluster: tokens and places are the same for two processes
// where three servers have to agree on them.
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
	// The first and the last may be half a window away from theirs.
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
		t.Errorf("a place that is held: %v, want %v", err, context.DeadlineExceeded)
	}
	held.Release()
	if _, err := second.Slots(1, 10*time.Second).Acquire(ctx); err != nil {
		t.Errorf("a place that was left: %v", err)
	}
}

// formed opens a bus as soon as the cluster is there.
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

// forming reports whether an error comes of servers that have not all met yet.
func forming(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	return slices.ContainsFunc([]string{"unavailable", "no responders"}, func(text string) bool {
		return strings.Contains(err.Error(), text)
	})
}

// TestNoServerAnswers: somebody takes the question, as in a cluster without a
// leader, and nobody answers it.
func TestNoServerAnswers(t *testing.T) {
	t.Parallel()
	s := bustest.Server(t, &server.Options{Port: server.RANDOM_PORT})
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if _, err := conn.SubscribeSync("$JS.API.>"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
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
