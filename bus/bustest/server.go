// Package bustest is no step of a webhook's way: tests start their NATS servers
// with it.
package bustest

import (
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server starts a server on loopback that takes connections when it returns,
// clients' and those of its cluster, and that ends with the test.
func Server(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoSigs, o.NoLog = "127.0.0.1", true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatalf("NATS does not listen on port %d, cluster port %d, within 10 s: is one taken?", o.Port, o.Cluster.Port)
	}
	return s
}

// ports counts the ports that were looked at, so that no two tests of a process
// get the same one.
var ports atomic.Int32

// Port returns a port that is still free when it is listened on a little later,
// or again after a restart. One that the system chose (":0") need not be: as
// soon as it is closed, the next who asks may get it, or a connection that goes
// out. This one is below those (ip_local_port_range: 32768 and up, IANA: 49152).
func Port(t testing.TB) int {
	t.Helper()
	const first, most, each = 10000, 20000, 64
	for range 100 {
		candidate := first + (os.Getpid()*each+int(ports.Add(1)))%most
		if socket, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(candidate))); err == nil {
			_ = socket.Close()
			return candidate
		}
	}
	t.Fatal("no port is free")
	return 0
}
