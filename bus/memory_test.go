package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/people"
	"callbridge/bus/personkey"
	"callbridge/internal/testkit"
)

// reserve reserves a call to the person for a new request.
func reserve(t testing.TB, b *bus.Bus) people.Call {
	t.Helper()
	d, revision, err := b.Memory().Read(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	c := people.Call{Request: uuid.New(), Attempt: 1, At: time.Now().UTC()}
	if err := b.Memory().Reserve(t.Context(), person, d, revision, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// calls returns how many calls to the person a process knows.
func calls(t testing.TB, b *bus.Bus) int {
	t.Helper()
	d, _, err := b.Memory().Read(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	return len(d.Calls)
}

// TestACallIsKnownToEveryProcessAtOnce, on an external NATS with the documented users,
// until it is given back.
func TestACallIsKnownToEveryProcessAtOnce(t *testing.T) {
	t.Parallel()
	_, config := documented(t)
	config = withKey(t, config, "a")
	processes := []*bus.Bus{open(t, config), open(t, config)}
	kept, returned := reserve(t, processes[0]), reserve(t, processes[1])
	for _, b := range processes {
		if n := calls(t, b); n != 2 {
			t.Errorf("a process knows %d calls", n)
		}
	}
	for _, meant := range []bool{false, true} {
		err := processes[0].Memory().GiveBack(t.Context(), person, returned.Request, func(c people.Call) bool { return meant && c == returned })
		if err != nil {
			t.Fatal(err)
		}
		if _, has := document(t, processes[1]).Of(returned.Request); has == meant {
			t.Errorf("given back %t, there %t", meant, has)
		}
	}
	if _, is := document(t, processes[1]).Of(kept.Request); !is {
		t.Error("another call was given back")
	}
}

func document(t testing.TB, b *bus.Bus) people.Document {
	t.Helper()
	d, _, err := b.Memory().Read(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestTwoNeverReserveTheSameCall: of many that have read the same document, one reserves.
func TestTwoNeverReserveTheSameCall(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	const many, limit = 32, 3
	var reserved atomic.Int64
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			for {
				d, revision, err := b.Memory().Read(t.Context(), person)
				if err != nil {
					t.Error(err)
					return
				}
				if len(d.Calls) >= limit {
					return
				}
				err = b.Memory().Reserve(t.Context(), person, d, revision, people.Call{Request: uuid.New(), Attempt: 1, At: time.Now()})
				if err == nil {
					reserved.Add(1)
					return
				}
				if !errors.Is(err, people.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if n := calls(t, b); n != limit || reserved.Load() != limit {
		t.Errorf("%d calls, %d reserved, want %d", n, reserved.Load(), limit)
	}
}

// TestTheMemoryNeedsItsKey: with another key, or none, no read would find a document.
func TestTheMemoryNeedsItsKey(t *testing.T) {
	t.Parallel()
	_, plain := remote(t, "")
	none, own := open(t, plain), open(t, withKey(t, plain, "a"))
	c := people.Call{Request: uuid.New(), Attempt: 1, At: time.Now()}
	if err := none.Memory().Reserve(t.Context(), person, people.Document{}, 0, c); !errors.Is(err, personkey.ErrNoKey) {
		t.Errorf("reserved without a key: %v", err)
	}
	reserve(t, own)
	if _, _, err := none.Memory().Read(t.Context(), "+12025550199"); !errors.Is(err, people.ErrUnreadable) {
		t.Errorf("a process without the key calls: %v", err)
	}
	refused(t, plain, "PERSON_KEY_FILE is not set, and the memory of calls is not empty")
	refused(t, withKey(t, plain, "b"), "the person key is another one than that of the memory of calls")
}

// TestTheKeyOfTheMemoryOutlivesItsAge: the check value is written again before it is
// deleted by age, and only then.
func TestTheKeyOfTheMemoryOutlivesItsAge(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	reserve(t, b)
	sequence := func() uint64 {
		m, err := called(t, b).GetLastMsgForSubject(t.Context(), "callbridge.person.key")
		if err != nil {
			t.Fatal(err)
		}
		return m.Sequence
	}
	first := sequence()
	for age, renewed := range map[time.Duration]bool{time.Hour: false, time.Nanosecond: true} {
		b.Memory().Renew = age
		b.Memory().Forget()
		calls(t, b)
		if got := sequence() > first; got != renewed {
			t.Errorf("above an age of %s: written again %t", age, got)
		}
		first = sequence()
	}
}

func called(t *testing.T, b *bus.Bus) jetstream.Stream {
	t.Helper()
	s, err := jetStreamOf(t, b).Stream(t.Context(), "CALLBRIDGE_PEOPLE")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTheMemoryIsOnTheDisk when a call is reserved, and survives a restart.
func TestTheMemoryIsOnTheDisk(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.Embedded.SyncAlways = true
	b := open(t, config)
	reserve(t, b)
	b.Close()
	if n := calls(t, open(t, config)); n != 1 {
		t.Errorf("%d calls after a restart", n)
	}
}

// TestALostMemoryForbidsAllCalls until an operator acknowledges the loss, also right after
// the first call.
func TestALostMemoryForbidsAllCalls(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	reconciling(t, b)
	reserve(t, b)
	deleteStreams(t, jetStreamOf(t, b), "PEOPLE")
	testkit.Eventually(t, "the loss is shown", func() bool { return b.Intact(t.Context()) != nil })
	if _, _, err := b.Memory().Read(t.Context(), person); !errors.Is(err, people.ErrUnreadable) || !strings.Contains(err.Error(), "CALLBRIDGE_PEOPLE was lost") {
		t.Errorf("with the stream lost: %v", err)
	}
	if _, err := bus.AcknowledgeLoss(t.Context(), operating(b, config), "ada@example", "known"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the memory can be used again", func() bool {
		_, _, err := b.Memory().Read(t.Context(), person)
		return err == nil
	})
	reserve(t, b)
}

// TestAMessageThatIsNoDocumentForbidsCalls to this person only.
func TestAMessageThatIsNoDocumentForbidsCalls(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	reserve(t, b)
	if _, err := jetStreamOf(t, b).Publish(t.Context(), "callbridge.person."+b.Memory().Key.Person(person), []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Memory().Read(t.Context(), person); !errors.Is(err, people.ErrUnreadable) {
		t.Errorf("read: %v", err)
	}
	if _, _, err := b.Memory().Read(t.Context(), "+12025550199"); err != nil {
		t.Errorf("another person: %v", err)
	}
}

func BenchmarkReserve(b *testing.B) {
	onEach(b, "", 64, func(b *testing.B, kept *bus.Bus) {
		id := uuid.New()
		number := "+1202" + id.String()
		d, revision, err := kept.Memory().Read(context.Background(), number)
		if err == nil {
			err = kept.Memory().Reserve(context.Background(), number, d, revision, people.Call{Request: id, Attempt: 1, At: time.Now()})
		}
		if err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkAMillionCalled measures a memory of a million people with one call each: run it
// with -benchtime 1x.
func BenchmarkAMillionCalled(b *testing.B) {
	const many = 1_000_000
	config := embedded(b)
	for b.Loop() {
		kept := open(b, config)
		before, began := heap(), time.Now()
		var next atomic.Int64
		share(many, 64, func() {
			c := people.Call{Request: uuid.New(), Attempt: 1, At: time.Now()}
			number := fmt.Sprintf("+1202%07d", next.Add(1))
			if err := kept.Memory().Reserve(context.Background(), number, people.Document{}, 0, c); err != nil {
				b.Error(err)
			}
		})
		b.ReportMetric(time.Since(began).Seconds(), "write-s")
		b.ReportMetric((heap()-before)/many, "B/person-after-writing")
		kept.Close()
		before, began = heap(), time.Now()
		kept = open(b, config)
		b.ReportMetric(time.Since(began).Seconds(), "start-s")
		d, _, err := kept.Memory().Read(context.Background(), "+12021000000")
		if err != nil || len(d.Calls) != 1 {
			b.Fatal(len(d.Calls), err)
		}
		b.ReportMetric((heap()-before)/many, "B/person-after-start")
		kept.Close()
	}
}
