package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callbridge/bus/access"
	"callbridge/bus/difference"
	"callbridge/bus/flush"
	"callbridge/bus/role"
	"callbridge/bus/storelock"
	"callbridge/bus/streamfile"
)

// Embedded configures the server in this process.
type Embedded struct {
	// Dir holds JetStream's files. Only one process may use it.
	Dir string
	// Listen is the host:port for other services; empty for none.
	Listen string
	// User and Password are a user of one's own with the rights of the role operator,
	// beside the users whose passwords are generated (bus/role).
	User, Password string
	// CertFile and KeyFile are the server's certificate; without them it has no TLS.
	// Beyond loopback either they or User and Password must be set.
	CertFile, KeyFile string
	// SyncAlways flushes what this process publishes to the disk before it is
	// acknowledged, so that an answered webhook survives a power cut as well as a
	// crash. What other clients publish is flushed within clientSyncInterval.
	SyncAlways bool
	// MaxStoreBytes bounds the files; 0 selects three quarters of the free disk.
	// Beyond it a publish fails; on a full disk it would hang.
	MaxStoreBytes int64
}

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
	if b.lock, err = storelock.Acquire(e.Dir); err != nil {
		return nil, err
	}
	if err := b.switchOffSchedules(); err != nil {
		return nil, err
	}
	users, certificate, err := b.prepareClients()
	if err != nil {
		return nil, err
	}
	b.server, err = server.NewServer(&server.Options{
		ServerName: "callbridge", StoreDir: e.Dir,
		JetStream: true, JetStreamMaxStore: e.MaxStoreBytes, SyncInterval: e.syncInterval(),
		DontListen: e.Listen == "", Host: host, Port: port,
		CustomClientAuthentication: users, TLSConfig: certificate, TLS: certificate != nil, TLSTimeout: tlsTimeout.Seconds(),
		MaxPayload: difference.MaxPayloadBytes,
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
	if err := users.Separate(b.server); err != nil {
		return nil, err
	}
	return b.connectEmbedded(append(options, nats.UserInfo(access.Process, users.Own)))
}

// tlsTimeout bounds the TLS handshake of a client.
const tlsTimeout = 5 * time.Second

// prepareClients makes what other clients need: users, their passwords, and the
// server's certificate.
func (b *Bus) prepareClients() (users *access.Access, certificate *tls.Config, err error) {
	e := b.config.Embedded
	if e.Listen != "" {
		if b.passwords, err = role.Ensure(e.Dir); err != nil {
			return nil, nil, err
		}
	}
	if certificate, err = e.tls(); err != nil {
		return nil, nil, err
	}
	if host, _, _ := net.SplitHostPort(e.Listen); e.Listen != "" && certificate == nil && !isLoopback(host) {
		b.config.Log.Warn("nats.without_tls", "listen", e.Listen,
			"hint", "passwords, names and numbers cross the network readable: set NATS_TLS_CERT and NATS_TLS_KEY, or allow only pods and machines that you trust")
	}
	users, err = access.New(b.config.Prefix, b.passwords, e.User, e.Password)
	return users, certificate, err
}

// tls returns the server's certificate, or nil.
func (e Embedded) tls() (*tls.Config, error) {
	if e.CertFile == "" && e.KeyFile == "" {
		return nil, nil
	}
	if e.CertFile == "" || e.KeyFile == "" {
		return nil, fmt.Errorf("NATS_TLS_CERT and NATS_TLS_KEY go together: set both or none")
	}
	certificate, err := tls.LoadX509KeyPair(e.CertFile, e.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read NATS_TLS_CERT and NATS_TLS_KEY: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

// switchOffSchedules changes the stream of requests that an earlier version made with
// message schedules. The server does not switch them off, and they require rollups.
// callbridge never used either.
func (b *Bus) switchOffSchedules() error {
	changed, err := streamfile.SwitchOff(b.streamDir("requests"), "allow_msg_schedules", "allow_rollup_hdrs")
	if changed {
		b.config.Log.Warn("nats.schedules_switched_off", "stream", b.streamName("requests"))
	}
	return err
}

// connectEmbedded connects within the process, without deadlines (a timer each) for writes.
func (b *Bus) connectEmbedded(options []nats.Option) (*nats.Conn, error) {
	options = append(options, nats.InProcessServer(b.server), nats.FlusherTimeout(0), nats.CustomInboxPrefix(role.Inbox(access.Process)))
	conn, err := nats.Connect("", options...)
	if err != nil {
		return nil, fmt.Errorf("connect to embedded NATS: %w", err)
	}
	return conn, nil
}

// clientSyncInterval is how often the server itself flushes if SyncAlways is set,
// for the messages of other clients, which do not wait for our flusher.
const clientSyncInterval = time.Second

func (e Embedded) syncInterval() time.Duration {
	if e.SyncAlways {
		return clientSyncInterval
	}
	return 0 // the server's default, two minutes
}

// address checks Listen first: the server itself would only log that the port is in
// use, and run without listening.
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
	if (e.User == "") != (e.Password == "") {
		return "", 0, errors.New("NATS_USER and NATS_PASSWORD go together: set both or none")
	}
	if !isLoopback(host) && e.CertFile == "" && e.User == "" {
		return "", 0, fmt.Errorf("NATS_LISTEN %s is not loopback: set NATS_TLS_CERT and NATS_TLS_KEY, or NATS_USER and NATS_PASSWORD in a network that you trust, or listen on 127.0.0.1", e.Listen)
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

// rootCause removes the outer layers of a network error, which repeat the address.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// natsLog writes the server's log lines to ours, notices at level debug.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(f string, v ...any) { l.write(slog.LevelDebug, f, v) }
func (l natsLog) Warnf(f string, v ...any)   { l.write(slog.LevelWarn, f, v) }
func (l natsLog) Errorf(f string, v ...any)  { l.write(slog.LevelError, f, v) }
func (l natsLog) Fatalf(f string, v ...any)  { l.write(slog.LevelError, f, v) }
func (l natsLog) Debugf(string, ...any)      {}
func (l natsLog) Tracef(string, ...any)      {}

func (l natsLog) write(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "nats.server", "line", fmt.Sprintf(format, v...))
}

// flushers implements Embedded.SyncAlways: it flushes what a stream has acknowledged
// to the disk before callers are told. It has a Flusher for each stream, and is nil
// at a remote server and with SyncAlways off.
type flushers map[string]*flush.Flusher

// jetStreamDir is the directory of nats-server's files. Its parent may contain
// files that we may not read, such as the lost+found of a volume.
func (e Embedded) jetStreamDir() string { return filepath.Join(e.Dir, "jetstream") }

// streamDir is the directory of a stream of the embedded server.
func (b *Bus) streamDir(name string) string {
	return filepath.Join(b.config.Embedded.jetStreamDir(), "$G", "streams", b.streamName(name))
}

// startFlushers makes the Flushers. The streams must exist.
func (b *Bus) startFlushers() error {
	if !b.Embedded() || !b.config.Embedded.SyncAlways {
		return nil
	}
	if err := flush.Tree(b.config.Embedded.jetStreamDir()); err != nil {
		return err
	}
	b.flushers = flushers{}
	for _, name := range []string{"requests", "ledger", "results"} {
		f, err := flush.New(filepath.Join(b.streamDir(name), "msgs"))
		if err != nil {
			return err
		}
		b.flushers[name] = f
	}
	return nil
}

// flush returns when everything that a stream has acknowledged before the call is
// on the disk.
func (all flushers) flush(ctx context.Context, stream string) error {
	if all == nil {
		return nil
	}
	return all[stream].Flush(ctx)
}

// err returns the first failed flush, or nil.
func (all flushers) err() error {
	for _, f := range all {
		if err := f.Err(); err != nil {
			return err
		}
	}
	return nil
}
