package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Embedded is how the server in this process runs.
type Embedded struct {
	// Dir is where JetStream keeps its files. One process at a time.
	Dir string
	// Listen is the address for downstream services; empty: none.
	Listen string
	// User and Password are what others must give. Needed where Listen is
	// not loopback.
	User, Password string
	// SyncAlways flushes to the disk what is published and claimed here before
	// it counts, so that an answered webhook survives a power cut and not only
	// a crash. What others publish to this server is flushed within syncOthers.
	SyncAlways bool
	// MaxStoreBytes bounds the files. 0: three quarters of the free disk.
	// Past it publishing fails cleanly; a full disk would make it hang.
	MaxStoreBytes int64
}

// maxPayloadBytes lets the largest webhook through (1 MiB) with the request
// around it.
const maxPayloadBytes = 8 << 20

const startTimeout = 30 * time.Second

func (b *Bus) startEmbedded(options []nats.Option) (*nats.Conn, error) {
	e := b.config.Embedded
	host, port, err := e.address()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(e.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make NATS store directory: %w", err)
	}
	if b.lock, err = lockStore(e.Dir); err != nil {
		return nil, err
	}
	b.server, err = server.NewServer(&server.Options{
		ServerName: "callbridge", StoreDir: e.Dir,
		JetStream: true, JetStreamMaxStore: e.MaxStoreBytes, SyncInterval: e.syncInterval(),
		DontListen: e.Listen == "", Host: host, Port: port,
		Username: e.User, Password: e.Password,
		MaxPayload: maxPayloadBytes,
		NoSigs:     true, DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("set up embedded NATS: %w", err)
	}
	b.server.SetLoggerV2(natsLog{b.config.Log}, false, false, false)
	b.server.Start()
	if !b.server.ReadyForConnections(startTimeout) {
		return nil, fmt.Errorf("embedded NATS was not ready within %s: see the log lines before this one", startTimeout)
	}
	return b.connectEmbedded(options)
}

// connectEmbedded makes a connection within the process. Its writes have no
// deadline, which would be a timer for each: who reads them is the server here.
func (b *Bus) connectEmbedded(options []nats.Option) (*nats.Conn, error) {
	options = append(options, nats.InProcessServer(b.server), nats.FlusherTimeout(0))
	if e := b.config.Embedded; e.User != "" {
		options = append(options, nats.UserInfo(e.User, e.Password))
	}
	conn, err := nats.Connect("", options...)
	if err != nil {
		return nil, fmt.Errorf("connect to embedded NATS: %w", err)
	}
	return conn, nil
}

// syncOthers is how often the server itself flushes where SyncAlways is set: for
// what others publish, who do not wait for our flusher.
const syncOthers = time.Second

func (e Embedded) syncInterval() time.Duration {
	if e.SyncAlways {
		return syncOthers
	}
	return 0 // the server's own, two minutes
}

// address checks Listen before the server does, which would only log that the
// port is taken and go on deaf.
func (e Embedded) address() (host string, port int, err error) {
	if e.Listen == "" {
		return "", 0, nil
	}
	host, text, err := net.SplitHostPort(e.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("NATS_LISTEN %q is not host:port", e.Listen)
	}
	if port, err = strconv.Atoi(text); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("NATS_LISTEN %q has no port between 0 and 65535", e.Listen)
	}
	if !isLoopback(host) && (e.User == "" || e.Password == "") {
		return "", 0, fmt.Errorf("NATS_LISTEN %s is not loopback: set NATS_USER and NATS_PASSWORD, or listen on 127.0.0.1", e.Listen)
	}
	if port == 0 {
		return host, server.RANDOM_PORT, nil
	}
	probe, err := net.Listen("tcp", e.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("NATS_LISTEN %s cannot be used: %w; stop what uses it, or set NATS_LISTEN to another address, or to nothing", e.Listen, rootCause(err))
	}
	return host, port, probe.Close()
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// rootCause drops the layers of a network error that repeat the address.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// natsLog sends the server's own lines into ours; what it calls a notice is
// of no use to an operator on a good day.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) {
	l.log.Debug("nats.server", "line", sprintf(format, v))
}
func (l natsLog) Warnf(format string, v ...any) {
	l.log.Warn("nats.server", "line", sprintf(format, v))
}
func (l natsLog) Errorf(format string, v ...any) {
	l.log.Error("nats.server", "line", sprintf(format, v))
}
func (l natsLog) Fatalf(format string, v ...any) {
	l.log.Error("nats.server", "line", sprintf(format, v))
}
func (l natsLog) Debugf(string, ...any) {}
func (l natsLog) Tracef(string, ...any) {}

func sprintf(format string, v []any) string { return fmt.Sprintf(format, v...) }
