package handlers

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxConnections is how many connections the public listener has at once, and
	// maxNetworkConnections how many of one network that is no trusted proxy. Beyond it
	// the connection that has been without a request for the longest time is closed.
	maxConnections        = 2048
	maxNetworkConnections = 1024
	// headerFactor is the memory of one byte of a header: a field of four bytes costs
	// an entry in a map, a string and a slice.
	headerFactor = 16
	// usualHeader is the memory of a header that is part of firstBytes.
	usualHeader = 4 << 10
	// fieldBytes and valueBytes are about what a field of a header and each of its
	// values need.
	fieldBytes, valueBytes = 80, 32
)

// Reasons for which a connection is closed early; labels of the metric.
const (
	closedForHeaders = "headers"
	closedForNumber  = "connections"
)

// errHeaderMemory ends a connection whose header has no room in the budget.
var errHeaderMemory = errors.New("too much is held of headers that are not complete")

// Connections are the open connections of the public listener. It limits their number,
// and the memory of headers that have not arrived whole: net/http keeps them for
// ReadHeaderTimeout before a handler can refuse them.
type Connections struct {
	bodies  *bodyBudget
	proxies proxies
	closed  *prometheus.CounterVec
	// proved reports whether a network has proved itself lately; nil for none.
	proved func(netip.Prefix, time.Time) bool

	mu       sync.Mutex
	open     map[*connection]struct{}
	networks map[netip.Prefix]int
}

// NewConnections returns no connections. trustedProxies are those of Intake.
func NewConnections(trustedProxies []string, registry prometheus.Registerer) *Connections {
	a := &Connections{
		bodies: newBodyBudget(), proxies: newProxies(trustedProxies, ""),
		open: map[*connection]struct{}{}, networks: map[netip.Prefix]int{},
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_connections_closed_total",
			Help: "Connections closed before a request, because of the memory of headers or the number of connections.",
		}, []string{"limit"}),
	}
	for _, limit := range []string{closedForHeaders, closedForNumber} {
		a.closed.WithLabelValues(limit)
	}
	registry.MustRegister(a.closed)
	return a
}

// Listener returns a listener whose connections are limited.
func (a *Connections) Listener(l net.Listener) net.Listener { return limitedListener{l, a} }

type limitedListener struct {
	net.Listener
	all *Connections
}

func (l limitedListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	tcp, ok := accepted.(*net.TCPConn)
	if err != nil || !ok {
		return accepted, err
	}
	return l.all.add(tcp), nil
}

// connectionKey is the key of the connection in the context of a request.
type connectionKey struct{}

// Context is http.Server.ConnContext: the requests of a connection find it.
func (a *Connections) Context(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// handler ends the hold of a header when its request begins.
func (a *Connections) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			c.begin()
			defer c.end()
		}
		next.ServeHTTP(w, r)
	})
}

// connection is one connection of the public listener.
type connection struct {
	*net.TCPConn
	all     *Connections
	network netip.Prefix
	trusted bool
	// requests is the number of requests that are being handled, idle the instant since
	// which there is none.
	requests, idle atomic.Int64

	mu     sync.Mutex
	header held
	closed bool
}

// add counts a connection and closes another one if there are too many.
func (a *Connections) add(tcp *net.TCPConn) *connection {
	c := &connection{TCPConn: tcp, all: a}
	c.idle.Store(time.Now().UnixNano())
	if peer, ok := tcp.RemoteAddr().(*net.TCPAddr); ok {
		ip := peer.AddrPort().Addr().Unmap().WithZone("")
		c.network, c.trusted = networkOf(ip), a.proxies.trusts(ip)
	}
	c.header = a.bodies.hold(c.network, c.trusted)
	if c.trusted {
		c.header.mostNetwork = maxUnverified
	}
	a.mu.Lock()
	victim := a.victim(c)
	a.open[c] = struct{}{}
	a.networks[c.network]++
	a.mu.Unlock()
	if victim != nil {
		a.closed.WithLabelValues(closedForNumber).Inc()
		_ = victim.Close()
	}
	return c
}

// victim returns the connection to close for a new one: nil if there is room, the new
// one if all others have requests.
func (a *Connections) victim(next *connection) *connection {
	ofNetwork := !next.trusted && a.networks[next.network] >= maxNetworkConnections
	if !ofNetwork && len(a.open) < maxConnections {
		return nil
	}
	oldest, since := next, next.idle.Load()
	for c := range a.open {
		if idle := c.idle.Load(); c.requests.Load() == 0 && idle < since && (!ofNetwork || c.network == next.network) {
			oldest, since = c, idle
		}
	}
	return oldest
}

// Read counts what arrives while no request is handled as part of a header. The bytes of
// a TLS handshake count as well: its state is larger.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 && c.requests.Load() == 0 && !c.hold(n*headerFactor) {
		c.all.closed.WithLabelValues(closedForHeaders).Inc()
		_ = c.Close()
		return 0, errHeaderMemory
	}
	return n, err
}

func (c *connection) hold(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return false
	case c.header.take(n) == nil:
		return true
	case c.all.proved == nil || !c.all.proved(c.network, time.Now()):
		return false
	}
	// The network has proved itself since the connection began.
	c.header.most = maxUnverified
	return c.header.take(n) == nil
}

// begin is called when the header of a request is complete: from now on the webhook
// itself holds memory.
func (c *connection) begin() {
	c.requests.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header.release()
}

func (c *connection) end() {
	c.idle.Store(time.Now().UnixNano())
	c.requests.Add(-1)
}

// Close closes the connection once.
func (c *connection) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.header.release()
	c.mu.Unlock()
	if again {
		return net.ErrClosed
	}
	c.all.remove(c)
	return c.TCPConn.Close()
}

func (a *Connections) remove(c *connection) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, c)
	if a.networks[c.network]--; a.networks[c.network] <= 0 {
		delete(a.networks, c.network)
	}
}

// headerBytes is about how much memory a header needs beyond the usual one.
func headerBytes(h http.Header) int {
	total := 0
	for name, values := range h {
		total += fieldBytes + len(name) + valueBytes*len(values)
		for _, v := range values {
			total += len(v)
		}
	}
	return max(0, total-usualHeader)
}
