package dnc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/personkey"
	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

// List is the do-not-call list of one server.
type List struct {
	// Keyed is its stream.
	personkey.Keyed
	// Prefix of the subjects, such as "callbridge.dnc".
	Prefix string
	// Flush returns when what the stream has acknowledged is on the disk.
	Flush func(context.Context) error
}

// Forbids returns the entry that covers a call to a number in E.164 now, read from the
// leader of the stream. An error means that no call may be placed.
func (l *List) Forbids(ctx context.Context, e164 string, call Scope) (Entry, bool, error) {
	d, _, err := l.Read(ctx, e164)
	if err != nil {
		return Entry{}, false, err
	}
	e, is := d.Forbids(call, time.Now())
	return e, is, nil
}

// Read returns the newest document of the person of a number and its sequence, from the
// leader of the stream. Every error wraps ErrUnreadable.
func (l *List) Read(ctx context.Context, e164 string) (Document, uint64, error) {
	return l.read(ctx, l.Key.Person(e164))
}

func (l *List) read(ctx context.Context, person string) (Document, uint64, error) {
	used, err := l.Match(ctx)
	if err != nil {
		return Document{}, 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if !used {
		return Document{}, 0, nil
	}
	msg, err := l.Stream.GetLastMsgForSubject(ctx, l.subject(person))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Document{}, 0, nil
	}
	if err != nil {
		return Document{}, 0, fmt.Errorf("%w: read a person: %w", ErrUnreadable, err)
	}
	d, err := parse(msg.Data)
	return d, msg.Sequence, err
}

func (l *List) subject(person string) string { return l.Prefix + ".person." + person }

// Listed is an entry of one person.
type Listed struct {
	// Person is the name that Key.Person gives.
	Person string `json:"person"`
	Entry
}

// Add puts the persons of numbers in E.164 on the list, and returns for each whether that
// was new. It returns when all are on the disk. After an error some may be on the list; it
// can be repeated.
func (l *List) Add(ctx context.Context, numbers []string, e Entry) ([]bool, error) {
	listed := make([]Listed, len(numbers))
	for i, number := range numbers {
		listed[i] = Listed{l.Key.Person(number), e}
	}
	return l.AddListed(ctx, listed)
}

// AddListed is Add with an entry for each person.
func (l *List) AddListed(ctx context.Context, listed []Listed) ([]bool, error) {
	if err := l.Begin(ctx); err != nil {
		return nil, err
	}
	return l.all(ctx, len(listed), func(ctx context.Context, i int) (bool, error) { return l.add(ctx, listed[i]) })
}

// Remove takes an entry of the persons of numbers away, or with all every entry, and
// returns for each whether there was one. It returns when that is on the disk.
func (l *List) Remove(ctx context.Context, numbers []string, s Scope, all bool, r Removal) ([]bool, error) {
	return l.all(ctx, len(numbers), func(ctx context.Context, i int) (bool, error) {
		return l.change(ctx, l.Key.Person(numbers[i]), func(d Document, unreadable error) (Document, bool, error) {
			next, changed := d.Without(s, all, r)
			return next, changed, unreadable
		})
	})
}

// parallel is how many persons are changed at the same time.
const parallel = 32

// all calls fn with 0 to n-1, several at a time, and waits for the disk.
func (l *List) all(ctx context.Context, n int, fn func(context.Context, int) (bool, error)) ([]bool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make([]bool, n)
	next := atomic.Int64{}
	var workers sync.WaitGroup
	for range min(parallel, n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if done[i], err = fn(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return done, l.Flush(ctx)
}

// add writes the first document of a person at once, and reads only the others.
func (l *List) add(ctx context.Context, listed Listed) (bool, error) {
	first, _ := Document{}.With(listed.Entry)
	err := l.write(ctx, listed.Person, first, 0)
	if err == nil || !stream.IsContended(err) {
		return err == nil, err
	}
	return l.change(ctx, listed.Person, func(d Document, unreadable error) (Document, bool, error) {
		if unreadable != nil && listed.Scope != (Scope{}) {
			return d, false, unreadable
		}
		next, changed := d.With(listed.Entry)
		return next, changed, nil
	})
}

// contendedPause is the pause before a change is repeated because of another writer.
const contendedPause = 20 * time.Millisecond

// change writes what fn makes of a document, and repeats both while another writes at the
// same moment, until ctx ends. fn gets the error of a message that is no document.
func (l *List) change(ctx context.Context, person string, fn func(Document, error) (Document, bool, error)) (bool, error) {
	for {
		old, revision, err := l.read(ctx, person)
		if err != nil && revision == 0 {
			return false, err
		}
		next, changed, err := fn(old, err)
		if err != nil || !changed {
			return false, err
		}
		if err = l.write(ctx, person, next, revision); err == nil {
			return true, nil
		}
		if !stream.IsContended(err) {
			return false, err
		}
		if err := wait.For(ctx, contendedPause); err != nil {
			return false, err
		}
	}
}

func (l *List) write(ctx context.Context, person string, d Document, revision uint64) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = l.JS.Publish(ctx, l.subject(person), data, jetstream.WithExpectLastSequencePerSubject(revision))
	if err != nil {
		return fmt.Errorf("write a person: %w", err)
	}
	return nil
}

// Person is the document of one person, without a number.
type Person struct {
	// Person is the name that Key.Person gives, and Key that key's check value.
	Person string `json:"person"`
	Key    string `json:"key"`
	Document
}

const (
	// exportBatch is the number of persons of one pull request.
	exportBatch = 1000
	// createTimeout is how long the server may take to find the newest message of each of
	// some million persons.
	createTimeout = time.Minute
)

// Export calls fn with every person of the stream whose entries have not ended, and stops
// at its error. It needs no key.
func Export(ctx context.Context, from jetstream.Stream, prefix string, fn func(Person) error) error {
	creating, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	consumer, err := from.CreateConsumer(creating, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: prefix + ".>",
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	now, key := time.Now(), ""
	stored := stream.Stored{Consumer: consumer, What: "people", Batch: exportBatch, Wait: jetstream.FetchContext(ctx)}
	return stored.Each(ctx, func(msg jetstream.Msg) error {
		// The check value is the first message of the stream.
		if msg.Subject() == prefix+".key" {
			key = string(msg.Data())
			return nil
		}
		d, err := parse(msg.Data())
		if err != nil {
			return err
		}
		if d.Entries = d.Active(now); len(d.Entries) == 0 {
			return nil
		}
		return fn(Person{strings.TrimPrefix(msg.Subject(), prefix+".person."), key, d})
	})
}
