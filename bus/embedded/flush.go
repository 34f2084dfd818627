package embedded

import (
	"context"
	"path/filepath"

	"callbridge/bus/flush"
)

// StartFlushers begins to flush what the streams acknowledge, if Config.SyncAlways is
// set. The streams must exist. A stream has a short name, for Flush, and a full one.
func (s *Server) StartFlushers(streams map[string]string) error {
	if !s.config.SyncAlways {
		return nil
	}
	if err := flush.Tree(s.config.jetStreamDir()); err != nil {
		return err
	}
	for short, full := range streams {
		f, err := flush.New(filepath.Join(s.config.streamDir(full), "msgs"))
		if err != nil {
			return err
		}
		s.flushers[short] = f
	}
	return nil
}

// Flush returns when everything that a stream has acknowledged before the call is
// on the disk. It does nothing for a nil Server and without Config.SyncAlways.
func (s *Server) Flush(ctx context.Context, stream string) error {
	if s == nil || s.flushers[stream] == nil {
		return nil
	}
	return s.flushers[stream].Flush(ctx)
}

// Flusher is what flushes a stream, for tests; nil without Config.SyncAlways.
func (s *Server) Flusher(stream string) *flush.Flusher { return s.flushers[stream] }

// Err returns the first failed flush, or nil. It is nil for a nil Server.
func (s *Server) Err() error {
	if s == nil {
		return nil
	}
	for _, f := range s.flushers {
		if err := f.Err(); err != nil {
			return err
		}
	}
	return nil
}
