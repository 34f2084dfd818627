package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// monitorInterval is how often the store is measured.
	monitorInterval = time.Second
	// probeInterval is how often a write is tried while writes work; after one that
	// failed it is tried at each measurement.
	probeInterval = 5 * time.Second
	// slowWrite is how long a write may take before the store counts as not writable.
	slowWrite = 4 * time.Second
	// probeName is a file that is written and removed to see whether the disk takes
	// writes, with probeBytes: a block, because a file system may keep less in its
	// directory.
	probeName  = "callbridge.probe"
	probeBytes = 4 << 10
)

// monitor is what is known of the store.
type monitor struct {
	mu sync.Mutex
	// broken is why nats-server writes no more to a stream. It writes again only
	// after a restart, even if the disk is fine before.
	broken error
	// unwritable is why the last write to the directory failed, probed is when it ended.
	unwritable error
	probed     time.Time
	// looking is when the running look began; zero if none runs. On a disk that hangs,
	// the questions to the server wait as well as the write.
	looking time.Time
	room    room
	// now and before are webhooks that were accepted since the last two measurements.
	now, before taken
	// wake asks for a look before the next interval.
	wake chan struct{}
	// ended has why the process has to end.
	ended chan error
}

// StartMonitor begins to try and to measure the store. The streams must exist. It fails if
// the store holds more than it may.
func (s *Server) StartMonitor() error {
	s.look(true)
	if used := s.monitor.room.used; s.config.MaxStoreBytes > 0 && used > s.config.MaxStoreBytes {
		return fmt.Errorf("NATS_MAX_STORE is %d bytes, and the store has %d already: nothing that was accepted could be called; set it to at least %d",
			s.config.MaxStoreBytes, used, used/intakePercent*100+recordBytes)
	}
	s.background.Go(func() {
		ticker := time.NewTicker(monitorInterval)
		defer ticker.Stop()
		for {
			select {
			case <-s.closing.Done():
				return
			case <-ticker.C:
				s.look(s.probeDue())
			case <-s.monitor.wake:
				s.look(true)
			}
		}
	})
	return nil
}

// wake makes the monitor look now: the server has logged an error.
func (s *Server) wake() {
	select {
	case s.monitor.wake <- struct{}{}:
	default:
	}
}

// probeDue reports whether it is time to try a write.
func (s *Server) probeDue() bool {
	m := &s.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.broken != nil || m.unwritable != nil || time.Since(m.probed) >= probeInterval
}

// look measures the store and, with probe, tries a write.
func (s *Server) look(probe bool) {
	m := &s.monitor
	was := s.Ready()
	m.mu.Lock()
	m.looking = time.Now()
	m.now, m.before = taken{}, m.now
	m.mu.Unlock()
	s.Inspect()
	if probe {
		s.tryWrite()
	}
	measured, err := s.measure()
	m.mu.Lock()
	m.looking = time.Time{}
	if err == nil {
		m.room = measured
	}
	broken, unwritable := m.broken, m.unwritable
	m.mu.Unlock()
	s.logChange(was, s.Ready())
	if broken != nil && unwritable == nil && measured.takesRestart() {
		s.end(fmt.Errorf("the embedded NATS has stopped writing (%w), and the disk takes writes again: start callbridge again; what was accepted is kept", broken))
	}
}

// tryWrite remembers whether a write works.
func (s *Server) tryWrite() {
	err := s.probe()
	m := &s.monitor
	m.mu.Lock()
	m.unwritable, m.probed = err, time.Now()
	m.mu.Unlock()
}

func (s *Server) logChange(was, is error) {
	switch {
	case was == nil && is != nil:
		s.log.Error("nats.store_refuses", "error", is)
	case was != nil && is == nil:
		s.log.Info("nats.store_accepts")
	}
}

// Inspect asks the server whether it still writes to all streams. A nil Server does.
func (s *Server) Inspect() {
	if s == nil {
		return
	}
	err := s.stopped()
	m := &s.monitor
	m.mu.Lock()
	first := m.broken == nil && err != nil
	if first {
		m.broken = err
	}
	m.mu.Unlock()
	if first && !outOfSpace(err) {
		s.mark(err) // it may have been the server's own flush
	}
}

// outOfSpace reports whether a write was refused, so that nothing was lost. nats-server
// has only the text of the error.
func outOfSpace(err error) bool {
	return slices.ContainsFunc([]string{"no space left", "quota exceeded", "file too large"}, func(text string) bool {
		return strings.Contains(err.Error(), text)
	})
}

// stopped is why the server writes no more, or nil. A stream that has had one failed
// write takes no more messages, and does not answer.
func (s *Server) stopped() error {
	if err := s.flushErr(); err != nil {
		return err
	}
	if !s.server.JetStreamEnabled() {
		return errors.New("JetStream has switched itself off: see the log lines before this one")
	}
	for _, e := range s.server.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if strings.Contains(e.Error, "write error") {
			return errors.New(e.Error)
		}
	}
	return nil
}

// probe writes a new file: a full disk would take other bytes in an old one.
func (s *Server) probe() error {
	path := filepath.Join(s.config.Dir, probeName)
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, probeBytes))
	if err == nil && s.config.SyncAlways {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), os.Remove(path))
}

// end tells Failed, once.
func (s *Server) end(err error) {
	select {
	case s.monitor.ended <- err:
	default:
	}
}

// Failed returns why the process has to end, or nil when ctx ends: nats-server has
// stopped writing, and would write after a new start.
func (s *Server) Failed(ctx context.Context) error {
	if s == nil {
		<-ctx.Done()
		return nil
	}
	select {
	case err := <-s.monitor.ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// smallest is a webhook with one small event: if there is no room for it, there is none for
// any.
var smallest = taken{events: 1, bytes: 512}

// Ready returns why webhooks cannot be stored now, or nil. It is nil for a nil Server.
func (s *Server) Ready() error {
	if s == nil {
		return nil
	}
	s.monitor.mu.Lock()
	defer s.monitor.mu.Unlock()
	return s.takesLocked(smallest)
}

// Writable returns why the store takes no writes, or nil. It is nil for a nil Server.
func (s *Server) Writable() error {
	if s == nil {
		return nil
	}
	s.monitor.mu.Lock()
	defer s.monitor.mu.Unlock()
	return s.writableLocked()
}

// Accept returns why a webhook with that many events and bytes cannot be stored now, or
// nil. A webhook that is accepted counts until the next measurement.
func (s *Server) Accept(events, bytes int) error {
	if s == nil {
		return nil
	}
	s.monitor.mu.Lock()
	defer s.monitor.mu.Unlock()
	more := taken{int64(events), int64(bytes)}
	if err := s.takesLocked(more); err != nil {
		return err
	}
	s.monitor.now = s.monitor.now.plus(more)
	return nil
}

func (s *Server) writableLocked() error {
	m := &s.monitor
	switch {
	case m.broken != nil && m.unwritable != nil:
		return fmt.Errorf("the embedded NATS has stopped writing (%w), and %s takes no writes (%w): free space or repair the disk; callbridge then ends, to be started again", m.broken, s.config.Dir, m.unwritable)
	case m.broken != nil:
		return fmt.Errorf("the embedded NATS has stopped writing (%w): callbridge ends when the disk has room, to be started again", m.broken)
	case m.unwritable != nil:
		return fmt.Errorf("NATS store directory %s takes no writes: %w; free space or repair the disk", s.config.Dir, m.unwritable)
	case !m.looking.IsZero() && time.Since(m.looking) > slowWrite:
		return fmt.Errorf("a write to NATS store directory %s takes longer than %s: look at the disk", s.config.Dir, slowWrite)
	}
	return nil
}

// takesLocked returns why the webhooks cannot be stored now, or nil.
func (s *Server) takesLocked(more taken) error {
	m := &s.monitor
	if err := s.writableLocked(); err != nil {
		return err
	}
	if m.room.limit == 0 || m.room.accepts(m.now.plus(m.before).plus(more)) {
		return nil
	}
	return fmt.Errorf("the store has no room for more webhooks: %s; raise NATS_MAX_STORE, free disk space, or shorten RETENTION", m.room)
}
