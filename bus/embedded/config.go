package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Config configures the server in this process.
type Config struct {
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
	// Retention is how long the streams keep messages. A start is refused if it would
	// delete what is not done; with 0 none is.
	Retention time.Duration
}

// certificate returns the server's certificate, or nil.
func (c Config) certificate() (*tls.Config, error) {
	if c.CertFile == "" && c.KeyFile == "" {
		return nil, nil
	}
	if c.CertFile == "" || c.KeyFile == "" {
		return nil, fmt.Errorf("NATS_TLS_CERT and NATS_TLS_KEY go together: set both or none")
	}
	certificate, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read NATS_TLS_CERT and NATS_TLS_KEY: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

// address checks Listen first: the server itself would only log that the port is in
// use, and run without listening.
func (c Config) address() (host string, port int, err error) {
	if c.Listen == "" {
		return "", 0, nil
	}
	host, text, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("NATS_LISTEN %q is not host:port", c.Listen)
	}
	if port, err = strconv.Atoi(text); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("NATS_LISTEN %q has no port between 0 and 65535", c.Listen)
	}
	if (c.User == "") != (c.Password == "") {
		return "", 0, errors.New("NATS_USER and NATS_PASSWORD go together: set both or none")
	}
	if !isLoopback(host) && c.CertFile == "" && c.User == "" {
		return "", 0, fmt.Errorf("NATS_LISTEN %s is not loopback: set NATS_TLS_CERT and NATS_TLS_KEY, or NATS_USER and NATS_PASSWORD in a network that you trust, or listen on 127.0.0.1", c.Listen)
	}
	if port == 0 {
		return host, server.RANDOM_PORT, nil
	}
	probe, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("NATS_LISTEN %s cannot be used: %w; stop what uses it, or set NATS_LISTEN to another address, or to nothing", c.Listen, rootCause(err))
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

// clientSyncInterval is how often the server itself flushes if SyncAlways is set,
// for the messages of other clients, which do not wait for our flusher.
const clientSyncInterval = time.Second

func (c Config) syncInterval() time.Duration {
	if c.SyncAlways {
		return clientSyncInterval
	}
	return 0 // the server's default, two minutes
}

// JetStreamDir is the directory of nats-server's files. Its parent may contain
// files that we may not read, such as the lost+found of a volume.
func (c Config) JetStreamDir() string { return filepath.Join(c.Dir, "jetstream") }

// streamDir is the directory of a stream.
func (c Config) streamDir(stream string) string {
	return filepath.Join(c.JetStreamDir(), "$G", "streams", stream)
}
