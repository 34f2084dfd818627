package bus_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus"
)

// cluster is three servers, and their addresses.
func cluster(t *testing.T) string {
	t.Helper()
	var routes, urls []string
	var ports []int
	for range 3 {
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, socket.Addr().(*net.TCPAddr).Port)
		routes = append(routes, "nats://"+socket.Addr().String())
		_ = socket.Close()
	}
	for i, port := range ports {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, StoreDir: t.TempDir(), JetStream: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes:  server.RoutesFromStr(strings.Join(routes, ",")), NoSigs: true, NoLog: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		s.Start()
		urls = append(urls, "nats://"+s.Addr().String())
	}
	return strings.Join(urls, ",")
}

// TestTwoProcessesStartOnAnEmptyCluster: while one makes a stream, no server
// answers the other's question about it.
func TestTwoProcessesStartOnAnEmptyCluster(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.URL, config.Replicas = cluster(t), 3
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
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

// forming reports whether an error comes of servers that have not all met yet.
func forming(err error) bool {
	return slices.ContainsFunc([]string{"unavailable", "no responders", "peer offline"}, func(text string) bool {
		return strings.Contains(err.Error(), text)
	})
}
