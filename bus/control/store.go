package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/stream"
)

// Store reads and changes the document of one server.
type Store struct {
	JS jetstream.JetStream
	// Stream is the full name of the stream, Subject that of the document.
	Stream, Subject string
}

// Read returns the newest document and its sequence, from the leader of the stream: a
// replica could return an older one. Without a document nothing is stopped. Any other
// error means that no call may be placed; it wraps ErrUnreadable.
func (s Store) Read(ctx context.Context) (Document, uint64, error) {
	found, err := s.JS.Stream(ctx, s.Stream)
	if err != nil {
		return Document{}, 0, fmt.Errorf("%w: read stream %s: %w", ErrUnreadable, s.Stream, err)
	}
	return s.ReadFrom(ctx, found)
}

// ReadFrom is Read with a stream that is open, which saves a request.
func (s Store) ReadFrom(ctx context.Context, from jetstream.Stream) (Document, uint64, error) {
	msg, err := from.GetLastMsgForSubject(ctx, s.Subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Document{}, 0, nil
	}
	if err != nil {
		return Document{}, 0, fmt.Errorf("%w: read %s: %w", ErrUnreadable, s.Subject, err)
	}
	d, err := parse(msg.Data)
	return d, msg.Sequence, err
}

// Stop adds a stop, and returns the document that holds it. A document that cannot be read
// is replaced by one with this stop alone, if it stops everything.
func (s Store) Stop(ctx context.Context, add Stop) (Document, error) {
	return s.change(ctx, func(d Document, unreadable error) (Document, error) {
		if unreadable != nil && add.Scope != (Scope{}) {
			return d, unreadable
		}
		return d.With(add), nil
	})
}

// StopIfNone adds a stop unless a stop covers its scope already.
func (s Store) StopIfNone(ctx context.Context, add Stop) (Document, error) {
	return s.change(ctx, func(d Document, unreadable error) (Document, error) {
		if _, is := d.Stopped(add.Scope, add.Since); unreadable != nil || is {
			return d, unreadable
		}
		return d.With(add), nil
	})
}

// Resume ends stops as Document.Without does, and returns what it has ended.
func (s Store) Resume(ctx context.Context, scope Scope, all bool, r Resume) (ended []Stop, err error) {
	_, err = s.change(ctx, func(d Document, unreadable error) (next Document, err error) {
		if unreadable != nil {
			return d, unreadable
		}
		next, ended, err = d.Without(scope, all, r)
		return next, err
	})
	return ended, err
}

// contendedPause is the pause before a change is repeated because of another writer.
const contendedPause = 20 * time.Millisecond

// change writes what fn makes of the document, and repeats both while another writes
// at the same moment, until ctx ends. fn gets the error of a message that is no document.
func (s Store) change(ctx context.Context, fn func(Document, error) (Document, error)) (Document, error) {
	for {
		old, revision, err := s.Read(ctx)
		if err != nil && revision == 0 {
			return Document{}, err
		}
		next, err := fn(old, err)
		if err != nil {
			return Document{}, err
		}
		data, err := json.Marshal(next)
		if err != nil {
			return Document{}, err
		}
		_, err = s.JS.Publish(ctx, s.Subject, data, jetstream.WithExpectLastSequencePerSubject(revision))
		if err == nil {
			return next, nil
		}
		if !stream.IsContended(err) {
			return Document{}, fmt.Errorf("write %s: %w", s.Subject, err)
		}
		select {
		case <-ctx.Done():
			return Document{}, fmt.Errorf("write %s: %w", s.Subject, ctx.Err())
		case <-time.After(contendedPause):
		}
	}
}
