package handlers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/internal/testkit"
)

// limited serves a handler behind limited connections.
func limited(t *testing.T, handler http.HandlerFunc, trusted ...string) (*Connections, string) {
	t.Helper()
	all := NewConnections(trusted, prometheus.NewRegistry())
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(all.handler(handler), slog.New(slog.DiscardHandler))
	server.ConnContext = all.Context
	server.ReadHeaderTimeout = 0 // a test that waits for a slow machine loses no connection
	var ended sync.WaitGroup
	ended.Go(func() { _ = server.Serve(all.Listener(socket)) })
	t.Cleanup(func() { _ = server.Close(); ended.Wait() })
	return all, socket.Addr().String()
}

func connect(t *testing.T, from, to string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// open reports whether the server keeps a connection open: it has nothing to say.
func open(t *testing.T, conn net.Conn) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// exchange sends a request and returns the status.
func exchange(t *testing.T, conn net.Conn) int {
	t.Helper()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// TestIdleConnectionsMakeRoom: whoever holds many connections closes its own oldest ones,
// not those of others.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	all, address := limited(t, func(http.ResponseWriter, *http.Request) {})
	other := connect(t, "127.0.2.1", address)
	exchange(t, other)
	const more = 3
	held := make([]net.Conn, maxNetworkConnections+more)
	for i := range held {
		held[i] = connect(t, "127.0.2.2", address)
	}
	if got := exchange(t, held[len(held)-1]); got != http.StatusOK {
		t.Errorf("the newest connection is answered %d", got)
	}
	for i := range more {
		if open(t, held[i]) {
			t.Errorf("connection %d stays open beyond the limit", i)
		}
	}
	if got := exchange(t, other); got != http.StatusOK {
		t.Errorf("the connection of another network is answered %d", got)
	}
	if got := closedBy(t, all, closedForNumber); got != more {
		t.Errorf("the metric counts %v, want %d", got, more)
	}
}

func closedBy(t *testing.T, all *Connections, limit string) float64 {
	t.Helper()
	metric := prometheus.NewRegistry()
	metric.MustRegister(all.closed)
	families, err := metric.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		if m.GetLabel()[0].GetValue() == limit {
			return m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric for %s", limit)
	return 0
}

// heldBy is what all webhooks and headers hold.
func heldBy(b *bodyBudget) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// TestAHeaderHasABudget: header bytes count until the request begins.
func TestAHeaderHasABudget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted []string
		want    int
	}{
		"of a network": {nil, maxNetwork}, "of a trusted proxy": {[]string{"127.0.0.0/8"}, maxUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, address := limited(t, func(http.ResponseWriter, *http.Request) {}, c.trusted...)
			const size = 15 << 10
			text := "GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", size)
			for range c.want/(size*headerFactor) + 1 {
				if _, err := io.WriteString(connect(t, "127.0.2.3", address), text); err != nil {
					t.Fatal(err)
				}
			}
			testkit.Eventually(t, "a connection is closed", func() bool { return closedBy(t, all, closedForHeaders) > 0 })
			if held := heldBy(all.bodies); held > c.want || held < c.want/2 {
				t.Errorf("%d bytes are held, want up to %d", held, c.want)
			}
		})
	}
}

// TestAbortedRequestsGiveTheirMemoryBack aborts requests at each place: in the header, in
// the body, while they are answered, and by a panic.
func TestAbortedRequestsGiveTheirMemoryBack(t *testing.T) {
	t.Parallel()
	all, address := limited(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	aborted := []string{
		"", "POST / HT", "POST / HTTP/1.1\r\nHost: x\r\nX-Long: aaaa", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nbody",
		"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n", "no HTTP\r\n\r\n",
	}
	for i := range 3000 {
		conn := connect(t, fmt.Sprintf("127.0.3.%d", 1+i%50), address)
		_, _ = io.WriteString(conn, aborted[i%len(aborted)])
		_ = conn.Close()
	}
	testkit.Eventually(t, "everything is given back", func() bool {
		all.mu.Lock()
		defer all.mu.Unlock()
		return len(all.open) == 0 && len(all.networks) == 0 && heldBy(all.bodies) == 0
	})
}

func TestHeaderBytes(t *testing.T) {
	t.Parallel()
	usual := http.Header{"Content-Type": {"application/json"}, "X-Signature": {strings.Repeat("a", 64)}}
	if got := headerBytes(usual); got != 0 {
		t.Errorf("a usual header holds %d bytes more", got)
	}
	many := http.Header{}
	for i := range 5000 {
		many[fmt.Sprint(i)] = []string{""}
	}
	if got := headerBytes(many); got < 500_000 {
		t.Errorf("5,000 fields hold %d bytes", got)
	}
}
