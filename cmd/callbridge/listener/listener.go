// Package listener serves HTTP on a socket of the process, with or without TLS.
package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Listener is an HTTP server and its socket.
type Listener struct {
	socket net.Listener
	server *http.Server
	secure bool
	// handler answers the requests; it may be replaced while the listener serves.
	handler atomic.Pointer[http.Handler]
	// ended has the error of the server after it has stopped.
	ended chan error
}

// stopTimeout is how long a stop waits for requests that are being answered.
const stopTimeout = 5 * time.Second

// Open opens the socket. Its error names the variable that has the address.
func Open(variable, address string, server *http.Server) (*Listener, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be used: %w; stop what uses it, or set %s to another address", variable, address, err, variable)
	}
	l := &Listener{socket: socket, server: server, secure: server.TLSConfig != nil, ended: make(chan error, 1)}
	l.Handle(server.Handler)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*l.handler.Load()).ServeHTTP(w, r) })
	return l, nil
}

// Handle replaces what answers the requests.
func (l *Listener) Handle(h http.Handler) {
	if l != nil {
		l.handler.Store(&h)
	}
}

// Addr is the address of the socket.
func (l *Listener) Addr() net.Addr { return l.socket.Addr() }

// Wrap replaces the socket by one that watches its connections. It must be called before
// Start.
func (l *Listener) Wrap(wrap func(net.Listener) net.Listener) { l.socket = wrap(l.socket) }

// Ended has the error of the server after it has stopped.
func (l *Listener) Ended() <-chan error { return l.ended }

// Start serves in a goroutine until the listener is shut down or closed.
func (l *Listener) Start() { go func() { l.ended <- l.Serve() }() }

// URL is where clients reach the listener.
func (l *Listener) URL() string { return Scheme(l.secure) + l.socket.Addr().String() }

// Scheme is the beginning of a URL.
func Scheme(secure bool) string {
	if secure {
		return "https://"
	}
	return "http://"
}

// Serve serves until the listener is shut down or closed.
func (l *Listener) Serve() error {
	serve := l.server.Serve
	if l.secure {
		serve = func(socket net.Listener) error { return l.server.ServeTLS(socket, "", "") }
	}
	if err := serve(l.socket); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Shutdown accepts no new request, and waits a while for those that are being answered.
func (l *Listener) Shutdown() {
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_ = l.server.Shutdown(ctx)
}

// Close ends the listener and its connections at once.
func (l *Listener) Close() {
	if l != nil {
		_ = l.server.Close()
		_ = l.socket.Close()
	}
}
