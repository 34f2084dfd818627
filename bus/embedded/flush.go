package embedded

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"callbridge/bus/flush"
)

// StartFlushers begins to flush what the streams acknowledge, if Config.SyncAlways is
// set. The streams must exist. A stream has a short name, for Flush, and a full one.
func (s *Server) StartFlushers(streams map[string]string) error {
	if !s.config.SyncAlways {
		return nil
	}
	root := s.config.JetStreamDir()
	if err := flush.Tree(root); err != nil {
		return err
	}
	if err := flush.Names(s.config.Dir); err != nil {
		return err
	}
	dirs := map[string]string{}
	for short, full := range streams {
		dirs[short] = filepath.Join(s.config.streamDir(full), "msgs")
	}
	s.watch = flush.NewWatch(slices.Collect(maps.Values(dirs))...)
	for short, dir := range dirs {
		f, err := flush.New(dir, root)
		if err != nil {
			return err
		}
		f.Before, f.Failed = s.watch.Check, s.flushFailed
		s.flushers[short] = f
	}
	s.background.Go(s.flushRewritten)
	return nil
}

// watchInterval is how often rewritten blocks are looked for while nothing is flushed.
// It is short beside the second after which the server's own flush of another file
// puts the new name of a block on the disk.
const watchInterval = 50 * time.Millisecond

// flushRewritten flushes blocks that the server has rewritten, until Close. A failure
// there is a failure of all later flushes too.
func (s *Server) flushRewritten() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing.Done():
			return
		case <-ticker.C:
		}
		if err := s.watch.Check(); err != nil {
			for _, f := range s.flushers {
				f.Fail(err)
			}
			return
		}
	}
}

// Flush returns when everything that a stream has acknowledged before the call is
// on the disk, or an error if the server writes no more. It does nothing for a nil
// Server; without Config.SyncAlways it flushes nothing.
func (s *Server) Flush(ctx context.Context, stream string) error {
	if s == nil {
		return nil
	}
	if f := s.flushers[stream]; f != nil {
		if err := f.Flush(ctx); err != nil {
			return err
		}
	}
	s.monitor.mu.Lock()
	defer s.monitor.mu.Unlock()
	return s.monitor.broken
}

// Flusher is what flushes a stream, for tests; nil without Config.SyncAlways.
func (s *Server) Flusher(stream string) *flush.Flusher { return s.flushers[stream] }

// flushErr returns the first failed flush, or nil.
func (s *Server) flushErr() error {
	for _, f := range s.flushers {
		if err := f.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Rewritten is the number of blocks that the server has rewritten and that were flushed
// therefore; 0 without Config.SyncAlways.
func (s *Server) Rewritten() uint64 {
	if s == nil || s.watch == nil {
		return 0
	}
	return s.watch.Rewritten()
}
