package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"callbridge/bus/flush"
)

const (
	// lastUseName is the file that remembers when the store was last in use.
	lastUseName = "callbridge.clock"
	// lastUseInterval is how often it is written.
	lastUseInterval = time.Minute
	// ordinaryStop is a stop after which a start is never refused: what it deletes was
	// nearly as old as the retention before.
	ordinaryStop = 24 * time.Hour
)

// Undone is what the stream of requests holds that is not done.
type Undone struct {
	Messages uint64 `json:"messages"`
	// Oldest is when the oldest of them was stored; zero if there is none.
	Oldest time.Time `json:"oldest,omitzero"`
}

// lastUse is what is remembered of the last use of the store.
type lastUse struct {
	// At is when it was remembered, before Undone was read.
	At     time.Time `json:"at"`
	Undone Undone    `json:"undone"`
	// Retention is how long the streams kept messages, as a duration of Go.
	Retention string `json:"retention"`
}

func (c Config) lastUsePath() string { return filepath.Join(c.Dir, lastUseName) }

// deletes says what a start at now would delete although it is not done, or is empty.
// stored is when the last message was written to the stream of requests.
//
// nats-server deletes at its start what is older than the retention by the clock of
// the machine. A clock that is ahead cannot be told from a long stop, so that only what
// would be lost counts.
func (u lastUse) deletes(now, stored time.Time, retention time.Duration) string {
	if before, err := time.ParseDuration(u.Retention); err == nil && before > 0 {
		retention = min(retention, before)
	}
	last := u.At
	if stored.After(last) {
		last = stored
	}
	if retention <= 0 || now.Sub(last) <= min(ordinaryStop, retention/2) {
		return ""
	}
	expired := now.Add(-retention)
	switch {
	case u.Undone.Messages > 0 && u.Undone.Oldest.Before(expired):
		return fmt.Sprintf("%d accepted events are not done, the oldest of them of %s", u.Undone.Messages, rfc3339(u.Undone.Oldest))
	case stored.After(u.At) && stored.Before(expired):
		return fmt.Sprintf("events were accepted until %s, and it is not known whether they are done", rfc3339(stored))
	}
	return ""
}

// checkClock compares the clock with the time at which the store was last in use. It
// refuses a start that would delete what is not done.
func (s *Server) checkClock(now time.Time) error {
	path := s.config.lastUsePath()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new store, or that of an earlier version
	}
	var last lastUse
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil {
		s.log.Warn("nats.last_use_unknown", "error", err, "hint", "a clock that is wrong is not noticed at this start")
		return nil
	}
	if what := last.deletes(now, s.lastStored(), s.config.Retention); what != "" {
		return fmt.Errorf("the clock of this machine says %s, NATS store directory %s was last in use at %s, and a start would delete what is older than RETENTION: %s; correct the clock and start again, or, if the clock is right and these events may end without a call and without a result, remove %s first",
			rfc3339(now), s.config.Dir, rfc3339(last.At), what, path)
	}
	if last.At.Sub(now) > lastUseInterval {
		s.log.Warn("nats.clock_behind", "now", now.UTC(), "last_in_use", last.At.UTC(),
			"hint", "the store was in use at a later time: the clock of this machine is wrong now, or was wrong then; docs/operations.md (\"The clock\") says what to do")
	}
	return nil
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// lastStored is when the newest block of the stream of requests was changed; zero if
// there is none.
func (s *Server) lastStored() (last time.Time) {
	blocks, _ := filepath.Glob(filepath.Join(s.config.streamDir(s.requests), "msgs", "*.blk"))
	for _, block := range blocks {
		if info, err := os.Stat(block); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// RememberUse remembers now, each minute and, by the function that it returns, at the
// end, that the store is in use. undone reads what is not done.
func (s *Server) RememberUse(undone func(context.Context) (Undone, error)) (end func()) {
	ctx, cancel := context.WithCancel(s.closing)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(lastUseInterval)
		defer ticker.Stop()
		for {
			s.rememberUse(ctx, undone)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return func() {
		cancel()
		<-done
		s.rememberUse(context.Background(), undone)
	}
}

// readUndone bounds the questions to the server.
const readUndone = 2 * time.Second

// rememberUse writes the file. If that fails, the next start has the earlier one, and
// takes what was stored since for not done.
func (s *Server) rememberUse(ctx context.Context, undone func(context.Context) (Undone, error)) {
	if s.Writable() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readUndone)
	defer cancel()
	last := lastUse{At: time.Now().UTC(), Retention: s.config.Retention.String()}
	var err error
	if last.Undone, err = undone(ctx); err == nil {
		var text []byte
		if text, err = json.Marshal(last); err == nil {
			err = flush.Replace(s.config.lastUsePath(), append(text, '\n'))
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("nats.last_use_not_remembered", "error", err)
	}
}
