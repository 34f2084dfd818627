package personkey

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

// Keyed is a stream with names of persons.
type Keyed struct {
	JS jetstream.JetStream
	// Stream is open for reading.
	Stream jetstream.Stream
	// CheckSubject is the subject of the check value.
	CheckSubject string
	// Content says for people what the stream has, such as "the do-not-call list".
	Content string
	// Key may be the zero Key as long as the stream is empty.
	Key Key
	// Used is called when the stream is found to hold messages, and before the first person
	// is written.
	Used func(context.Context) error
	// Renew is the age at which the check value is written again, for a stream that deletes
	// by age; zero for one that deletes nothing.
	Renew time.Duration

	// matched is when the stream was found to be of Key; zero before.
	matched atomic.Pointer[time.Time]
}

// matchAgain is how long a stream that deletes by age counts as matched.
const matchAgain = 24 * time.Hour

var (
	// ErrNoKey: the stream is not empty, or a person is written, and there is no person
	// key.
	ErrNoKey = errors.New("PERSON_KEY_FILE is not set")
	// ErrOtherKey: the stream was made with another person key, so that no person would
	// be found in it.
	ErrOtherKey = errors.New("the person key is another one")
)

// Match checks that the stream is of Key, and returns false if it is of no key yet: then
// it has no person.
func (k *Keyed) Match(ctx context.Context) (bool, error) {
	// Without deletes by age, what has matched matches while the stream is there.
	if at := k.matched.Load(); at != nil && (k.Renew == 0 || time.Since(*at) < matchAgain) {
		return true, nil
	}
	msg, err := k.Stream.GetLastMsgForSubject(ctx, k.CheckSubject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read %s: %w", k.CheckSubject, err)
	case k.Key.IsZero():
		return false, fmt.Errorf("%w, and %s is not empty: set it to the file with the key that all callbridge processes share", ErrNoKey, k.Content)
	case string(msg.Data) != k.Key.Check():
		return false, fmt.Errorf("%w than that of %s, so that nobody would be found in it: put back the file of the person key from before (PERSON_KEY_FILE, with the embedded NATS %s in NATS_STORE_DIR)", ErrOtherKey, k.Content, FileName)
	}
	now := time.Now()
	if k.Renew > 0 && now.Sub(msg.Time) > k.Renew {
		if err := k.write(ctx, msg.Sequence); err != nil {
			return false, err
		}
	}
	if err := k.Used(ctx); err != nil {
		return false, err
	}
	k.matched.Store(&now)
	return true, nil
}

// write writes the check value, unless another process is first.
func (k *Keyed) write(ctx context.Context, revision uint64) error {
	_, err := k.JS.Publish(ctx, k.CheckSubject, []byte(k.Key.Check()), jetstream.WithExpectLastSequencePerSubject(revision))
	if err != nil && !stream.IsContended(err) {
		return fmt.Errorf("write %s: %w", k.CheckSubject, err)
	}
	return nil
}

// Forget makes the next read check the key again: the stream may have been made again.
func (k *Keyed) Forget() { k.matched.Store(nil) }

// contendedPause is the pause before the check value of another writer is read.
const contendedPause = 20 * time.Millisecond

// Begin writes the check value before the first person, and checks it before others.
func (k *Keyed) Begin(ctx context.Context) error {
	if k.Key.IsZero() {
		return fmt.Errorf("%w: set it to a file with at least %d random bytes, the same for every callbridge process (`openssl rand -hex 32`)", ErrNoKey, minBytes)
	}
	used, err := k.Match(ctx)
	if err != nil || used {
		return err
	}
	if err := k.write(ctx, 0); err != nil {
		return err
	}
	// Another process, with another key, may have been first.
	for {
		if used, err = k.Match(ctx); used || err != nil {
			return err
		}
		if err := wait.For(ctx, contendedPause); err != nil {
			return fmt.Errorf("read %s: %w", k.CheckSubject, err)
		}
	}
}
