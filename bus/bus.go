// Package bus is what keeps events until they are done: NATS JetStream, in the
// same process or a remote one, with one stream each for requests, the ledger,
// results and limits. Handlers publish into it, dispatch works from it, and the rest
// of the company subscribes to its results. Measured facts behind the settings
// stand in docs/decisions.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// MinServer is the oldest nats-server that callbridge runs on: message
// schedules came with 2.12.
const MinServer = "2.12"

// Config says which NATS to use and how to keep things there.
type Config struct {
	// URL of a remote NATS, several divided by commas. Empty: the embedded
	// server.
	URL string
	// Auth is what a remote server asks for.
	Auth Auth
	// Embedded is how the server in this process runs.
	Embedded Embedded
	// Domain of JetStream at a remote server; empty: the server's own.
	Domain string
	// CheckOnly makes nothing at a remote server: streams and consumers that
	// are missing or different are an error.
	CheckOnly bool
	// Prefix of every subject, and upper-cased of every stream.
	Prefix string
	// Replicas of each stream: 1, or 3 or 5 in a cluster.
	Replicas int
	// Retention of requests and results. The ledger is kept twice as long.
	Retention time.Duration
	// AckWait is how long a delivered request may stay without a sign of
	// life before it is delivered again.
	AckWait time.Duration
	// Log gets the embedded server's lines and what happens to the
	// connection.
	Log *slog.Logger
	// Registry gets the metrics; nil for none.
	Registry prometheus.Registerer
}

// Bus is the connection to JetStream and, where it is embedded, the server
// itself.
type Bus struct {
	config Config
	conn   *nats.Conn
	js     jetstream.JetStream
	// small is where the ledger and the limits are written, large where requests
	// and results are.
	small, large outlet
	server       *server.Server
	lock         *storeLock
	// The streams by name: they stay good when the stream is re-made.
	requests, ledger, results, limits jetstream.Stream
	durable                           durable
	metrics                           *metrics
	// opening ends Open with the server's refusal, which would otherwise only
	// show as silence.
	opening atomic.Pointer[context.CancelCauseFunc]
}

// Open starts or connects to NATS, refuses a server that is too old, and
// declares the streams and the consumers. Its errors are one sentence that says
// what to do.
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

func (b *Bus) open(ctx context.Context) error {
	if err := b.connect(); err != nil {
		return err
	}
	if err := b.Declare(ctx); err != nil {
		return err
	}
	if err := b.makeDurable(); err != nil {
		return err
	}
	return b.bind(ctx)
}

func (b *Bus) connect() (err error) {
	options := []nats.Option{
		nats.Name("callbridge"),
		nats.Timeout(5 * time.Second),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		// A publish that fails must stay failed: with a buffer it would be
		// stored after the reconnect, when its answer is long given.
		nats.ReconnectBufSize(-1),
		nats.ReconnectHandler(b.logReconnect),
		nats.ErrorHandler(b.logAsyncError),
	}
	if b.config.URL == "" {
		b.conn, err = b.startEmbedded(options)
	} else {
		b.conn, err = connectRemote(b.config, options)
		if errors.Is(err, ErrUnreachable) {
			err = fmt.Errorf("NATS_URL %w; start the server, or leave NATS_URL empty for the embedded one", err)
		}
	}
	if err != nil {
		return err
	}
	if version := b.conn.ConnectedServerVersion(); !atLeast(version, MinServer) {
		return fmt.Errorf("nats-server %s is too old: callbridge needs %s or newer", version, MinServer)
	}
	if err = b.openOutlets(options); err != nil {
		return err
	}
	if b.config.URL != "" && b.config.Domain != "" {
		b.js, err = jetstream.NewWithDomain(b.conn, b.config.Domain)
		return err
	}
	b.js, err = jetstream.New(b.conn)
	return err
}

// Embedded reports whether the server runs in this process. Then no other
// process shares it: the store directory is locked.
func (b *Bus) Embedded() bool { return b.server != nil }

// ClientURL is where others connect; empty if the embedded server does not
// listen.
func (b *Bus) ClientURL() string {
	if b.server == nil {
		return b.conn.ConnectedUrlRedacted()
	}
	if b.config.Embedded.Listen == "" {
		return ""
	}
	return "nats://" + b.server.Addr().String()
}

// Conn is the connection, for subscribing to results.
func (b *Bus) Conn() *nats.Conn { return b.conn }

// Ready says why the bus cannot take or give messages just now, or nil: the
// connection, the streams and the consumers are asked for.
func (b *Bus) Ready(ctx context.Context) error {
	if !b.connected() {
		return errors.New("nats: not connected")
	}
	if err := b.durable.err(); err != nil {
		return fmt.Errorf("%w; look at the disk, and start again", err)
	}
	for _, s := range b.streams() {
		if _, err := b.js.Stream(ctx, s.Name); err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
	}
	for _, c := range b.consumers() {
		if _, err := b.js.Consumer(ctx, b.stream("requests"), c.Durable); err != nil {
			return fmt.Errorf("consumer %s: %w", c.Durable, err)
		}
	}
	return nil
}

// Close ends the connection after what was published has left, and then the
// embedded server. It may be called on a Bus that is only half open.
func (b *Bus) Close() {
	b.large.close()
	outlet{conn: b.conn}.close()
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	for _, f := range b.durable {
		f.stop()
	}
	b.lock.release()
}

func (b *Bus) logReconnect(c *nats.Conn) {
	b.config.Log.Info("nats.reconnected", "server", c.ConnectedServerName())
}

func (b *Bus) logAsyncError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if refuse := b.opening.Load(); refuse != nil && errors.Is(err, nats.ErrPermissionViolation) {
		(*refuse)(refusal(err))
		return
	}
	b.config.Log.Warn("nats.error", "error", err)
}

// atLeast compares the first two numbers of versions such as 2.15.2.
func atLeast(version, least string) bool {
	var major, minor, needMajor, needMinor int
	if _, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &major, &minor); err != nil {
		return false
	}
	_, _ = fmt.Sscanf(least, "%d.%d", &needMajor, &needMinor)
	return major > needMajor || major == needMajor && minor >= needMinor
}
