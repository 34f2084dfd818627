// Package bus is the step between intake and dialling: it stores events in NATS
// JetStream, embedded or remote, until they are done. It has one stream each for
// requests, the ledger (the state of each call), results, and reservations (rate
// tokens and concurrency slots, in the stream "limits"). handlers and lookup publish
// to it, lookup and dispatch consume from it, and other services subscribe to its
// results. Package stream defines the streams and the bounds of their size and age,
// docs/decisions gives the reasons. Of this module it imports only event and the
// packages below bus.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus/connect"
	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/bus/embedded"
	"callbridge/bus/loss"
	"callbridge/bus/people"
	"callbridge/bus/role"
	"callbridge/bus/stream"
)

// Auth holds the credentials for a remote server.
type Auth = connect.Auth

// ErrUnreachable: no server answers at the URL. The caller adds where the URL came from.
var ErrUnreachable = connect.ErrUnreachable

// Embedded configures the server in this process.
type Embedded = embedded.Config

// Config selects the NATS server and the limits of the streams.
type Config struct {
	// URL of a remote NATS, several separated by commas. Empty selects the embedded
	// server.
	URL string
	// Auth holds the credentials for a remote server.
	Auth Auth
	// Embedded configures the server in this process.
	Embedded Embedded
	// Domain of JetStream at a remote server; empty selects the server's own.
	Domain string
	// CheckOnly makes nothing at a remote server: streams and consumers that are
	// missing or different are an error.
	CheckOnly bool
	// Prefix of every subject and, in upper case, of every stream name.
	Prefix string
	// Replicas of each stream: 1, or 3 or 5 in a cluster.
	Replicas int
	// Retention of requests and results. The ledger is kept twice as long.
	Retention time.Duration
	// AckWait is the time after which a delivered message is delivered again unless
	// its worker has extended it.
	AckWait time.Duration
	// Wait is how long Open waits for a remote server that is not ready: it cannot be
	// reached, refuses the credentials, or is a cluster without a leader. 0: Open tries
	// once. Waiting, if set, gets the reason after each attempt.
	Wait    time.Duration
	Waiting func(error)
	// PersonKeyFile has the key of the do-not-call list. Empty selects a file beside the
	// store of the embedded server, which is made at the first start, and none for a
	// remote one.
	PersonKeyFile string
	// Memory configures what is remembered of the streams.
	Memory Memory
	// Log receives connection events and the log lines of the embedded server.
	Log *slog.Logger
	// Registry receives the metrics; nil disables them.
	Registry prometheus.Registerer
}

// Bus is the connection to JetStream and, if it is embedded, its server.
type Bus struct {
	config    Config
	conn      *nats.Conn
	js        jetstream.JetStream
	link      *connect.State
	publisher *publisher
	// server is the embedded server; nil at a remote one.
	server *embedded.Server
	// endUse remembers that the store was in use until now.
	endUse func()
	// Streams are bound by name: they stay valid when a stream is made again.
	requests, ledger, results, limits, control, dnc, called jetstream.Stream

	// dncList is the do-not-call list.
	dncList *dnc.List
	// memory is when each person was called.
	memory *people.Memory

	loss    *loss.Keeper
	stopped control.Known // what this process has last read of stops
	metrics *metrics
	// opening ends Open with the server's refusal of a permission, which would
	// otherwise show only as a timeout.
	opening atomic.Pointer[context.CancelCauseFunc]
}

// Open starts or connects to NATS, refuses a server that is too old, and
// declares the streams and the consumers. Its errors are one line that says what to
// do.
func Open(ctx context.Context, config Config) (*Bus, error) {
	b := &Bus{config: config, metrics: newMetrics()}
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	b.opening.Store(&refuse)
	defer b.opening.Store(nil)
	if err := b.open(ctx); err != nil {
		b.Close()
		if cause := context.Cause(ctx); cause != ctx.Err() {
			return nil, cause
		}
		return nil, err
	}
	b.register(config.Registry)
	return b, nil
}

func (c Config) remote() connect.Config {
	return connect.Config{URL: c.URL, Prefix: c.Prefix, Auth: c.Auth, Log: c.Log}
}

func (b *Bus) open(ctx context.Context) error {
	if err := loss.Check(b.config.epochFile()); err != nil {
		return err
	}
	wait := func(try func(context.Context) error) error { return try(ctx) }
	var err error
	if b.config.URL == "" {
		b.link = connect.NewState(nil, b.config.Log)
		b.conn, err = b.connectEmbedded(b.link.Options(b.asyncError))
	} else {
		deadline := time.Now().Add(b.config.Wait)
		wait = func(try func(context.Context) error) error {
			return b.link.Wait(ctx, deadline, b.config.Waiting, try)
		}
		err = b.connectRemote(wait)
	}
	if err != nil {
		return err
	}
	if err := b.bind(); err != nil {
		return err
	}
	if err := wait(b.Declare); err != nil {
		return err
	}
	if err := b.startFlushers(); err != nil {
		return err
	}
	if err := wait(b.openStreams); err != nil {
		return err
	}
	if b.server != nil {
		b.endUse = b.server.RememberUse(b.undone)
	}
	return nil
}

func (b *Bus) connectRemote(wait func(func(context.Context) error) error) error {
	dialer, err := connect.NewDialer(b.config.remote())
	if err != nil {
		return err
	}
	b.link = connect.NewState(dialer, b.config.Log)
	return wait(func(context.Context) (err error) {
		b.conn, err = dialer.Dial(b.link.Options(b.asyncError)...)
		if errors.Is(err, ErrUnreachable) {
			return fmt.Errorf("NATS_URL %w; start the server, or leave NATS_URL empty for the embedded one", err)
		}
		return err
	})
}

// bind prepares the connection for publishing and for JetStream.
func (b *Bus) bind() (err error) {
	if err := connect.CheckVersion(b.conn); err != nil {
		return err
	}
	if b.publisher, err = newPublisher(b.conn, maxPending); err != nil {
		return err
	}
	b.js, err = jetStream(b.conn, b.config)
	return err
}

// localAs completes the address and the credentials of a client on the machine of an
// embedded server: without a URL it connects to where that server listens, and there
// without a user as the role, if the directory of the store has its password.
func (c Config) localAs(name string) (Config, error) {
	listen := "nats://" + c.Embedded.Listen
	if c.Embedded.CertFile != "" {
		listen = "tls://" + c.Embedded.Listen
	}
	if c.URL == "" {
		c.URL = listen
	}
	if c.URL != listen || c.Auth != (Auth{CAFile: c.Auth.CAFile, CertFile: c.Auth.CertFile, KeyFile: c.Auth.KeyFile}) {
		return c, nil
	}
	passwords, err := role.Read(c.Embedded.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil // the server says whether it needs one
	}
	if err == nil {
		c.Auth.User, c.Auth.Password = name, passwords[name]
	}
	return c, err
}

func (b *Bus) connectEmbedded(options []nats.Option) (conn *nats.Conn, err error) {
	config := b.config.Embedded
	config.Retention = b.config.Retention
	if b.server, err = embedded.Start(config, b.config.Prefix, b.streamName(stream.Requests), b.config.Log); err != nil {
		return nil, err
	}
	return b.server.Connect(options)
}

// flushed are the streams that callers depend on: what they have acknowledged has to be
// on the disk.
var flushed = []string{stream.Requests, stream.Ledger, stream.Results, stream.Control, stream.DNC, stream.People, stream.Audit}

// startFlushers lets the embedded server flush what callers depend on, and watch its
// store.
func (b *Bus) startFlushers() error {
	if b.server == nil {
		return nil
	}
	streams := map[string]string{}
	for _, name := range flushed {
		streams[name] = b.streamName(name)
	}
	if err := b.server.StartFlushers(streams); err != nil {
		return err
	}
	return b.server.StartMonitor()
}

// StoreFailed returns why the process has to end so that the embedded server can be
// started again, or nil when ctx ends.
func (b *Bus) StoreFailed(ctx context.Context) error { return b.server.Failed(ctx) }

// Embedded reports whether the server runs in this process. Then no other process
// uses its store: the directory is locked.
func (b *Bus) Embedded() bool { return b.server != nil }

// AckWait is Config.AckWait.
func (b *Bus) AckWait() time.Duration { return b.config.AckWait }

// ClientURL is the address for other clients, without credentials. It is empty if
// the embedded server does not listen.
func (b *Bus) ClientURL() string {
	if b.server == nil {
		return connect.WithoutUser(b.conn.ConnectedUrl())
	}
	return b.server.ClientURL()
}

// UserURL is ClientURL with the name and the password of a role of the embedded server
// (package role), or ClientURL at a remote one. It is a secret.
func (b *Bus) UserURL(name string) string {
	if b.server == nil {
		return b.ClientURL()
	}
	return b.server.UserURL(name)
}

// Conn is the connection, for subscriptions to results.
func (b *Bus) Conn() *nats.Conn { return b.conn }

// Watch returns when ctx ends or, with an error, when the client has closed the
// connection for good. Only a new process connects again.
func (b *Bus) Watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-b.link.Closed():
		return b.link.Err()
	}
}

// finishTimeout bounds the last write of what is remembered of the streams.
const finishTimeout = 2 * time.Second

// Close sends what is buffered, closes the connection, and stops the embedded
// server. It may be called on a Bus that is only partly open.
func (b *Bus) Close() {
	if b.endUse != nil {
		b.endUse()
		b.endUse = nil
	}
	if b.loss != nil {
		finishing, cancel := context.WithTimeout(context.Background(), finishTimeout)
		_ = b.loss.Finish(finishing)
		cancel()
	}
	if b.conn != nil {
		b.link.Close()
		_ = b.conn.FlushTimeout(2 * time.Second)
		b.conn.Close()
	}
	b.server.Close()
}

// asyncError handles an error of the connection that no call returns.
func (b *Bus) asyncError(err error) {
	if refuse := b.opening.Load(); refuse != nil && errors.Is(err, nats.ErrPermissionViolation) {
		(*refuse)(connect.PermissionError(err))
		return
	}
	b.config.Log.Warn("nats.error", "error", err)
}
