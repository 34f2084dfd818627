package connect

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// tellEvery is the time between two log lines while there is no connection.
const tellEvery = time.Minute

// State is whether there is a connection, and if not, since when and why. It writes one
// log line when the connection is lost, one a minute meanwhile, and one when it is
// restored; and one when the server refuses the credentials, which an operator has to correct.
type State struct {
	log *slog.Logger
	// dialer is nil for the embedded server.
	dialer *Dialer

	mu sync.Mutex
	// away is when the connection was lost, zero while there is one.
	away, told time.Time
	cause      error
	// refusals counts the refused connects of this outage; refused is the newest one.
	refusals    int
	refused     time.Time
	toldRefusal bool
	// closing is set by Close: what the client then reports is no fault.
	closing bool
	// starting is set while Wait runs.
	starting bool
	closed   chan struct{}
}

// NewState returns the state of a connection that is about to be opened. dialer is nil
// for the embedded server.
func NewState(dialer *Dialer, log *slog.Logger) *State {
	return &State{dialer: dialer, log: log, closed: make(chan struct{})}
}

// Options make the client restore the connection without end and report to s. onError
// gets the errors of a connection that works, such as a refused permission.
func (s *State) Options(onError func(error)) []nats.Option {
	return []nats.Option{
		nats.Name("callbridge"),
		nats.Timeout(5 * time.Second),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		// Without it the client gives up when a server has refused the same
		// credentials twice, also if they work again a moment later.
		nats.IgnoreAuthErrorAbort(),
		// No buffer: a buffered publish would be stored after the reconnect, when
		// its sender was told of the failure.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { s.failed(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { s.failed(err) }),
		nats.ErrorHandler(func(conn *nats.Conn, _ *nats.Subscription, err error) {
			if isUnauthorized(err) || !conn.IsConnected() {
				s.failed(err)
				return
			}
			onError(err)
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			if s.dialer != nil {
				s.dialer.credentials.connected(conn)
			}
			s.restored(conn.ConnectedServerName())
		}),
		nats.ClosedHandler(func(conn *nats.Conn) { s.end(conn.LastError()) }),
	}
}

// failed records that there is no connection, and why.
func (s *State) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	now := time.Now()
	err = s.note(err, now)
	first := s.away.IsZero()
	if first {
		s.away, s.told = now, now
	}
	switch {
	case s.everyChoiceRefused() && !s.toldRefusal:
		s.toldRefusal, s.told = true, now
		s.log.Error("nats.refused", "error", err, "hint", "callbridge goes on trying, and reads files with credentials at every attempt")
	case first && s.starting:
		s.log.Warn("nats.waiting", "error", err, "hint", "callbridge waits NATS_WAIT for a NATS that starts")
	case first:
		s.log.Warn("nats.disconnected", "error", err)
	case now.Sub(s.told) >= tellEvery:
		s.told = now
		s.log.Warn("nats.still_away", "for", now.Sub(s.away).Round(time.Second).String(), "error", s.cause)
	}
}

// refusalCounts is how long a refusal stays the cause while other servers cannot be
// reached.
const refusalCounts = 10 * time.Second

// note sets the cause, and returns it in words.
func (s *State) note(err error, now time.Time) error {
	if err == nil {
		err = errors.New("the connection was lost")
	}
	switch {
	case s.dialer == nil || !isUnauthorized(err):
		if s.refusals == 0 || now.Sub(s.refused) > refusalCounts {
			s.cause = err
		}
		return err
	case errors.As(err, new(unavailable)):
		s.refusals += allRefused // Dial has tried every password
	default:
		err = fmt.Errorf("NATS refuses %s: %w", s.dialer.Credentials(), err)
		s.refusals++
	}
	s.cause, s.refused = err, now
	return err
}

// allRefused is more than everyChoiceRefused requires.
const allRefused = 2 * maxPasswords

// everyChoiceRefused reports whether each password was refused. A server that takes
// away a password refuses the connection first, and then the password.
func (s *State) everyChoiceRefused() bool {
	return s.refusals > 0 && s.refusals >= 2*s.dialer.credentials.choices()-1
}

// restored records that there is a connection. It is logged if there was none.
func (s *State) restored(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away.IsZero() {
		return
	}
	after := time.Since(s.away).Round(time.Millisecond).String()
	if s.starting {
		s.log.Info("nats.connected", "after", after)
	} else {
		s.log.Info("nats.reconnected", "server", server, "after", after)
	}
	s.away, s.cause, s.refusals, s.toldRefusal = time.Time{}, nil, 0, false
}

// Err says since when there is no connection, and why. It is nil if there is one.
func (s *State) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away.IsZero() {
		return nil
	}
	return fmt.Errorf("no connection to NATS for %s: %w", time.Since(s.away).Round(time.Second), s.cause)
}

func (s *State) setStarting(starting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = starting
}

// Close must be called before the connection is closed on purpose.
func (s *State) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
}

// end records that the client has closed the connection for good.
func (s *State) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	if s.away.IsZero() {
		s.away = time.Now()
	}
	s.cause = fmt.Errorf("the client has closed the connection for good: %w", cmp.Or(err, nats.ErrConnectionClosed))
	close(s.closed)
}

// Closed is closed when the client has closed the connection for good, which only a new
// process mends. Err then has the reason.
func (s *State) Closed() <-chan struct{} { return s.closed }
