package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// listener is an HTTP server and its socket.
type listener struct {
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

func listen(variable, address string, server *http.Server) (*listener, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be used: %w; stop what uses it, or set %s to another address", variable, address, err, variable)
	}
	l := &listener{socket: socket, server: server, secure: server.TLSConfig != nil, ended: make(chan error, 1)}
	l.handle(server.Handler)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*l.handler.Load()).ServeHTTP(w, r) })
	return l, nil
}

// handle replaces what answers the requests.
func (l *listener) handle(h http.Handler) {
	if l != nil {
		l.handler.Store(&h)
	}
}

// start serves until the listener is shut down or closed.
func (l *listener) start() { go func() { l.ended <- l.serve() }() }

func (l *listener) url() string { return scheme(l.secure) + l.socket.Addr().String() }

func scheme(secure bool) string {
	if secure {
		return "https://"
	}
	return "http://"
}

func (l *listener) serve() error {
	serve := l.server.Serve
	if l.secure {
		serve = func(socket net.Listener) error { return l.server.ServeTLS(socket, "", "") }
	}
	if err := serve(l.socket); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

func (l *listener) shutdown() {
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_ = l.server.Shutdown(ctx)
}

func (l *listener) close() {
	if l != nil {
		_ = l.server.Close()
		_ = l.socket.Close()
	}
}

// certificateEvery is the shortest time between two checks of the files. A renewed
// certificate is in use within this time, without a restart.
const certificateEvery = time.Second

// certificate is the TLS certificate of the public listener. It is loaded again when its
// files change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	checked time.Time
	loaded  [2]fileState
}

// fileState changes when a file is written or replaced.
type fileState struct {
	modified time.Time
	size     int64
}

func stateOf(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size()}
}

// publicTLS returns the TLS configuration of the public listener, nil for plain HTTP.
func publicTLS(s settings, log *slog.Logger) (*tls.Config, error) {
	if s.HTTPTLSCert == "" {
		return nil, nil
	}
	c := &certificate{certFile: s.HTTPTLSCert, keyFile: s.HTTPTLSKey, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("HTTP_TLS_CERT and HTTP_TLS_KEY cannot be used: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

func (c *certificate) load() error {
	c.checked, c.loaded = time.Now(), [2]fileState{stateOf(c.certFile), stateOf(c.keyFile)}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current = &pair
	return nil
}

// get returns the newest certificate. While the files cannot be used, for example because
// only one of the two has been replaced, it returns the one that was loaded before.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < certificateEvery {
		return c.current, nil
	}
	c.checked = time.Now()
	if c.loaded == [2]fileState{stateOf(c.certFile), stateOf(c.keyFile)} {
		return c.current, nil
	}
	if err := c.load(); err != nil {
		c.log.Error("tls.reload_refused", "error", err, "hint", "the previous certificate stays in use")
		return c.current, nil
	}
	c.log.Info("tls.reloaded", "not_after", c.current.Leaf.NotAfter)
	return c.current, nil
}
