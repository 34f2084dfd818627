package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

// members are the options of three servers that form a cluster.
func members(t *testing.T) []*server.Options {
	t.Helper()
	ports := []int{bustest.Port(t), bustest.Port(t), bustest.Port(t)}
	var routes []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprint("nats://127.0.0.1:", port))
	}
	var all []*server.Options
	for i, port := range ports {
		all = append(all, &server.Options{
			ServerName: fmt.Sprint("n", i), Port: bustest.Port(t), StoreDir: t.TempDir(), JetStream: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes:  server.RoutesFromStr(strings.Join(routes, ",")),
		})
	}
	return all
}

// cluster starts three servers. It returns a configuration that waits until they have
// elected a leader.
func cluster(t *testing.T) bus.Config {
	t.Helper()
	all := members(t)
	for _, o := range all {
		bustest.Server(t, o)
	}
	return clustered(t, all)
}

func clustered(t *testing.T, all []*server.Options) bus.Config {
	t.Helper()
	var urls []string
	for _, o := range all {
		urls = append(urls, fmt.Sprint("nats://127.0.0.1:", o.Port))
	}
	config := embedded(t)
	config.URL, config.Replicas, config.Wait = strings.Join(urls, ","), 3, 2*time.Minute
	return config
}

// TestSeveralProcessesStartOnAnEmptyCluster: while one makes a stream, no server
// answers another's question about it.
func TestSeveralProcessesStartOnAnEmptyCluster(t *testing.T) {
	t.Parallel()
	config := cluster(t)
	for _, err := range openAll(t, config, 4) {
		if err := testkit.Next(t, err); err != nil {
			t.Errorf("open: %v", err)
		}
	}
}

// openAll opens a bus several times at once.
func openAll(t *testing.T, config bus.Config, n int) (all []chan error) {
	t.Helper()
	for range n {
		ended := make(chan error, 1)
		all = append(all, ended)
		go func() {
			b, err := bus.Open(t.Context(), config)
			if err == nil {
				b.Close()
			}
			ended <- err
		}()
	}
	return all
}

// TestColdClusterIsWaitedFor: the processes start before the servers, as after a power
// cut. One server alone has no leader; then the streams have to be loaded, as at the
// second start.
func TestColdClusterIsWaitedFor(t *testing.T) {
	t.Parallel()
	all := members(t)
	config := clustered(t, all)
	var log testkit.Log
	config.Log = log.Logger()
	for _, start := range []string{"empty", "with streams"} {
		opened := openAll(t, config, 2)
		var running []*server.Server
		for i, o := range all {
			running = append(running, bustest.Member(t, o.Clone()))
			if i > 0 {
				continue
			}
			once := config
			once.Wait = 0
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if b, err := bus.Open(ctx, once); err == nil {
				b.Close()
				t.Errorf("%s: opened without a leader", start)
			}
			cancel()
		}
		for _, ended := range opened {
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("%s: %v", start, err)
				}
			case <-time.After(config.Wait):
				t.Fatalf("%s: not open within %s", start, config.Wait)
			}
		}
		for _, s := range running {
			s.Shutdown()
			s.WaitForShutdown()
		}
	}
	if text := log.String(); !strings.Contains(text, "nats.waiting") || !strings.Contains(text, "nats.connected") {
		t.Errorf("the wait is not logged:\n%s", text)
	}
}

// TestLimitsHoldInACluster: tokens and slots are shared by two processes
// through three servers.
func TestLimitsHoldInACluster(t *testing.T) {
	t.Parallel()
	config := cluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	first, second := open(t, config), open(t, config)
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
