package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/personkey"
	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

// Memory is what one server knows of all persons.
type Memory struct {
	// Keyed is its stream.
	personkey.Keyed
	// Prefix of the subjects, such as "callbridge.person".
	Prefix string
	// Intact returns why calls may be missing, or nil.
	Intact func(context.Context) error
	// Flush returns when what the stream has acknowledged is on the disk.
	Flush func(context.Context) error
}

// ErrConflict: there is a newer document than the revision of the write.
var ErrConflict = errors.New("another process has reserved a call to the person")

// Read returns the newest document of the person of a number in E.164 and its sequence,
// from the leader of the stream. Every error wraps ErrUnreadable.
func (m *Memory) Read(ctx context.Context, e164 string) (Document, uint64, error) {
	if err := m.Intact(ctx); err != nil {
		return Document{}, 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	used, err := m.Match(ctx)
	if err != nil {
		return Document{}, 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if !used {
		return Document{}, 0, nil
	}
	return read(ctx, m.Stream, m.subject(e164))
}

func read(ctx context.Context, from jetstream.Stream, subject string) (Document, uint64, error) {
	msg, err := from.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Document{}, 0, nil
	}
	if err != nil {
		return Document{}, 0, fmt.Errorf("%w: read a person: %w", ErrUnreadable, err)
	}
	d, err := parse(msg.Data)
	return d, msg.Sequence, err
}

// ReadNamed reads the document of a person by the name that Key.Person gives, on a server
// with a subject prefix such as "callbridge". It needs no key.
func ReadNamed(ctx context.Context, js jetstream.JetStream, prefix, name string) (Document, error) {
	from, err := js.Stream(ctx, stream.Settings{Prefix: prefix}.Name(stream.People))
	if err != nil {
		return Document{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	d, _, err := read(ctx, from, prefix+".person."+name)
	return d, err
}

func (m *Memory) subject(e164 string) string { return m.Prefix + "." + m.Key.Person(e164) }

// Reserve adds a call to the document that Read has returned together with a revision, and
// returns when that is on the disk. The error is ErrConflict if there is a newer document.
// After any other error the call may be reserved or not.
func (m *Memory) Reserve(ctx context.Context, e164 string, d Document, revision uint64, c Call) error {
	if err := m.Begin(ctx); err != nil {
		return fmt.Errorf("reserve a call: %w", err)
	}
	return m.write(ctx, e164, d.With(c), revision)
}

func (m *Memory) write(ctx context.Context, e164 string, d Document, revision uint64) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = m.JS.Publish(ctx, m.subject(e164), data, jetstream.WithExpectLastSequencePerSubject(revision))
	if stream.IsContended(err) {
		return ErrConflict
	}
	if err != nil {
		return fmt.Errorf("write a person: %w", err)
	}
	return m.Flush(ctx)
}

// contendedPause is the pause before a call is given back again because of another writer.
const contendedPause = 20 * time.Millisecond

// GiveBack takes the call of a request away if it is the one that is meant.
func (m *Memory) GiveBack(ctx context.Context, e164 string, request uuid.UUID, meant func(Call) bool) error {
	for {
		d, revision, err := m.Read(ctx, e164)
		if err != nil {
			return err
		}
		own, is := d.Of(request)
		if !is || !meant(own) {
			return nil
		}
		if err := m.write(ctx, e164, d.Without(request), revision); !errors.Is(err, ErrConflict) {
			return err
		}
		if err := wait.For(ctx, contendedPause); err != nil {
			return err
		}
	}
}

// Ended writes how the call of a request has ended, if the person's calls are remembered. It
// returns when that is on the disk, and may be repeated.
func (m *Memory) Ended(ctx context.Context, e164 string, request uuid.UUID, class string) error {
	if m.Key.IsZero() {
		return nil
	}
	for {
		d, revision, err := m.Read(ctx, e164)
		if err != nil {
			return err
		}
		own, is := d.Of(request)
		if !is || own.Class == class && !own.Open {
			return nil
		}
		own.Class, own.Open = class, false
		if err := m.write(ctx, e164, d.With(own), revision); !errors.Is(err, ErrConflict) {
			return err
		}
		if err := wait.For(ctx, contendedPause); err != nil {
			return err
		}
	}
}
