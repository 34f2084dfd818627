// Package history answers questions about what was accepted, from what the streams keep:
// which events there were (Find), and why a person was or was not called (Why). It keeps
// nothing of its own and changes nothing.
//
//   - find.go: results by time, source, outcome, reason and content
//   - where.go: the condition on the content, in CEL
//   - why.go: the story of one event
//   - locate.go: which event an id, a key or a number means
//   - sentence.go: outcomes and steps in plain words
package history

import (
	"context"
	"time"

	"github.com/google/uuid"

	"callbridge/bus/archive"
)

// Store is what is read; archive.Archive is one.
type Store interface {
	Request(ctx context.Context, id uuid.UUID) (archive.Message, bool, error)
	Closed(ctx context.Context, id uuid.UUID) (archive.Message, bool, error)
	Pending(ctx context.Context, event uuid.UUID) (archive.Message, bool, error)
	Records(ctx context.Context, id uuid.UUID) ([]archive.Message, error)
	Results(ctx context.Context, id uuid.UUID) ([]archive.Message, error)
	Newest(ctx context.Context, r archive.Range, fn func(archive.Message) error) error
}

// Limits of one look through stored results.
const (
	// MaxScan is how many results are read.
	MaxScan = 20_000
	// MaxTime is how long reading may take.
	MaxTime = 2 * time.Second
)
