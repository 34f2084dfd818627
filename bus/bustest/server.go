package bustest

import (
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Server starts a server on loopback, waits until it accepts connections of clients
// and of its cluster, and stops it when the test ends.
func Server(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s := Member(t, o)
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatalf("NATS does not listen on port %d, cluster port %d, within 10 s: is one taken?", o.Port, o.Cluster.Port)
	}
	return s
}

// Member starts a server like Server, without waiting for the others of its cluster.
func Member(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoSigs, o.NoLog = "127.0.0.1", true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	s.Start()
	return s
}

// ports counts the ports that were tried, so that two tests of one process get
// different ones.
var ports atomic.Int32

// Port returns a port that stays free until the test listens on it, and while its
// server restarts. A port chosen by the system (":0") may be given to another listener
// or connection as soon as it is closed. This one is below the range of such ports
// (ip_local_port_range: from 32768, IANA: from 49152).
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

// Store starts a plain server on the store of an embedded one, which must be closed, for
// as long as a test changes it in a way that callbridge does not.
func Store(t testing.TB, dir string) (js jetstream.JetStream, stop func()) {
	t.Helper()
	s := Server(t, &server.Options{JetStream: true, StoreDir: dir, Port: server.RANDOM_PORT})
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	if js, err = jetstream.New(conn); err != nil {
		t.Fatal(err)
	}
	return js, func() { conn.Close(); s.Shutdown(); s.WaitForShutdown() }
}
