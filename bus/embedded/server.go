// Package embedded runs the NATS server in this process: its store directory and lock,
// its users and certificate, and the flush of what it has acknowledged.
package embedded

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
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

const (
	// startTimeout bounds the start of the server, which reads its store.
	startTimeout = 30 * time.Second
	// tlsTimeout bounds the TLS handshake of a client.
	tlsTimeout = 5 * time.Second
)

// Server is a running server, and the lock on its store directory.
type Server struct {
	config Config
	log    *slog.Logger
	server *server.Server
	lock   *storelock.Lock
	users  *access.Access
	// passwords are those of the users, if the server listens.
	passwords role.Passwords
	// requests is the name of the stream of requests.
	requests string
	monitor  monitor
	// flushers and watch are those of Config.SyncAlways.
	flushers map[string]*flush.Flusher
	watch    *flush.Watch

	// background ends with closing, which stop ends.
	closing    context.Context
	stop       context.CancelFunc
	background sync.WaitGroup
}

// Start locks the store directory and starts the server on it. prefix is the first
// token of all subjects that the users may use, requests the name of the stream of
// requests. Its errors are one line that says what to do.
func Start(config Config, prefix, requests string, log *slog.Logger) (*Server, error) {
	s := &Server{
		config: config, log: log, requests: requests, flushers: map[string]*flush.Flusher{},
		monitor: monitor{wake: make(chan struct{}, 1), ended: make(chan error, 1)},
	}
	s.closing, s.stop = context.WithCancel(context.Background())
	if err := s.start(prefix); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(prefix string) error {
	c := s.config
	host, port, err := c.address()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make NATS store directory: %w", err)
	}
	if s.lock, err = storelock.Acquire(c.Dir); err != nil {
		return err
	}
	if err := s.checkClock(time.Now()); err != nil {
		return err
	}
	if err := s.probe(); err != nil {
		return fmt.Errorf("NATS store directory %s takes no writes: %w; free space or repair the disk, then start again", c.Dir, err)
	}
	if err := s.repair(); err != nil {
		return err
	}
	if err := s.switchOffSchedules(); err != nil {
		return err
	}
	certificate, err := s.prepareClients(prefix)
	if err != nil {
		return err
	}
	s.server, err = server.NewServer(&server.Options{
		ServerName: "callbridge", StoreDir: c.Dir,
		JetStream: true, JetStreamMaxStore: c.MaxStoreBytes, SyncInterval: c.syncInterval(),
		DontListen: c.Listen == "", Host: host, Port: port,
		CustomClientAuthentication: s.users, TLSConfig: certificate, TLS: certificate != nil, TLSTimeout: tlsTimeout.Seconds(),
		MaxPayload: difference.MaxPayloadBytes,
		NoSigs:     true, DisableJetStreamBanner: true,
	})
	if err != nil {
		return fmt.Errorf("set up embedded NATS: %w", err)
	}
	s.server.SetLoggerV2(natsLog{s.log, s.wake}, false, false, false)
	s.server.Start()
	if !s.server.ReadyForConnections(startTimeout) {
		return fmt.Errorf("embedded NATS was not ready within %s: see the log lines before this one", startTimeout)
	}
	return s.users.Separate(s.server)
}

// prepareClients makes what other clients need: users, their passwords, and the
// server's certificate.
func (s *Server) prepareClients(prefix string) (certificate *tls.Config, err error) {
	c := s.config
	if c.Listen != "" {
		if s.passwords, err = role.Ensure(c.Dir); err != nil {
			return nil, err
		}
	}
	if certificate, err = c.certificate(); err != nil {
		return nil, err
	}
	if host, _, _ := net.SplitHostPort(c.Listen); c.Listen != "" && certificate == nil && !isLoopback(host) {
		s.log.Warn("nats.without_tls", "listen", c.Listen,
			"hint", "passwords, names and numbers cross the network readable: set NATS_TLS_CERT and NATS_TLS_KEY, or allow only pods and machines that you trust")
	}
	s.users, err = access.New(prefix, s.passwords, c.User, c.Password)
	return certificate, err
}

// switchOffSchedules changes the stream of requests that an earlier version made with
// message schedules. The server does not switch them off, and they require rollups.
// callbridge never used either.
func (s *Server) switchOffSchedules() error {
	changed, err := streamfile.SwitchOff(s.config.streamDir(s.requests), "allow_msg_schedules", "allow_rollup_hdrs")
	if changed {
		s.log.Warn("nats.schedules_switched_off", "stream", s.requests)
	}
	return err
}

// Connect connects within the process, without deadlines (a timer each) for writes.
func (s *Server) Connect(options []nats.Option) (*nats.Conn, error) {
	options = append(options, nats.UserInfo(access.Process, s.users.Own),
		nats.InProcessServer(s.server), nats.FlusherTimeout(0), nats.CustomInboxPrefix(role.Inbox(access.Process)))
	conn, err := nats.Connect("", options...)
	if err != nil {
		return nil, fmt.Errorf("connect to embedded NATS: %w", err)
	}
	return conn, nil
}

// ClientURL is the address for other clients, without credentials; empty if the server
// does not listen.
func (s *Server) ClientURL() string {
	switch {
	case s.config.Listen == "":
		return ""
	case s.config.CertFile != "":
		return "tls://" + s.server.Addr().String()
	default:
		return "nats://" + s.server.Addr().String()
	}
}

// UserURL is ClientURL with the name and the password of a role (package role). It is a
// secret.
func (s *Server) UserURL(name string) string { return s.passwords.URL(name, s.ClientURL()) }

// Close stops the server and frees the lock. A nil Server has nothing to close.
func (s *Server) Close() {
	if s == nil {
		return
	}
	s.stop()
	s.background.Wait()
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	for _, f := range s.flushers {
		f.Close()
	}
	s.lock.Release()
}
