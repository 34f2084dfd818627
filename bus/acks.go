package bus

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// acks brings JetStream's acknowledgements to those who wait for them. It is
// what jetstream.PublishMsg and PublishMsgAsync do, for the way of a webhook and
// of a call: what is written together is waited for together, with one timer,
// nothing is ever sent again behind our back, and who waits takes no lock that a
// write holds.
//
// No two messages ever have the same reply subject: an acknowledgement that
// comes late must not be taken for another message's.
type acks struct {
	// inbox is what every reply subject begins with.
	inbox string

	mu sync.Mutex
	// last is the newest number that a message was given.
	last    uint64
	awaited map[uint64]awaited
}

// awaited is a message of a batch.
type awaited struct {
	of *batch
	at int
}

// batch is messages that are written together.
type batch struct {
	// first is the number of the first one.
	first uint64
	// acks has what came of each; left is how many are still to come. Both are
	// the batch's own only after done.
	acks  []ack
	left  int
	done  chan struct{}
	timer *time.Timer
}

// batches are those of earlier writes: each write would make one.
var batches = sync.Pool{New: func() any {
	b := &batch{done: make(chan struct{}, 1), timer: time.NewTimer(0)}
	b.timer.Stop()
	return b
}}

// ack is what came of one message: the sequence that it has in its stream, or an
// error.
type ack struct {
	sequence uint64
	err      error
}

// number is what a message of the batch is known by.
func (b *batch) number(at int) uint64 { return b.first + uint64(at) }

// listenForAcks takes acknowledgements from here on, also after a reconnect.
func listenForAcks(conn *nats.Conn) (*acks, error) {
	a := &acks{inbox: conn.NewInbox() + ".", awaited: map[uint64]awaited{}}
	sub, err := conn.Subscribe(a.inbox+"*", a.take)
	if err != nil {
		return nil, err
	}
	return a, sub.SetPendingLimits(-1, -1)
}

// expect is to be called before anything of the batch is written. The batch is
// to be waited for, and to be freed after that.
func (a *acks) expect(messages int) *batch {
	b := batches.Get().(*batch)
	b.acks, b.left = slices.Grow(b.acks[:0], messages)[:messages], messages
	a.mu.Lock()
	defer a.mu.Unlock()
	b.first = a.last + 1
	a.last += uint64(messages)
	for i := range messages {
		a.awaited[b.number(i)] = awaited{b, i}
	}
	return b
}

// numbers are base 36 in reply subjects.
const numbers = 36

// reply is the subject at which one message of a batch is acknowledged.
func (a *acks) reply(b *batch, at int) string {
	const most = 80 // as an inbox and a number have
	return string(strconv.AppendUint(append(make([]byte, 0, most), a.inbox...), b.number(at), numbers))
}

// take is called with each acknowledgement.
func (a *acks) take(m *nats.Msg) {
	number, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, a.inbox), numbers, 64)
	if err != nil {
		return // not one of ours
	}
	a.settle(number, readAck(m))
}

func readAck(m *nats.Msg) ack {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return ack{err: jetstream.ErrNoStreamResponse}
	}
	sequence, err := acknowledged(m.Data)
	return ack{sequence, err}
}

// settle notes what came of one message. Who has been settled stays so.
func (a *acks) settle(number uint64, came ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settleLocked(number, came)
}

func (a *acks) settleLocked(number uint64, came ack) {
	w, waits := a.awaited[number]
	if !waits {
		return
	}
	delete(a.awaited, number)
	w.of.acks[w.at] = came
	if w.of.left--; w.of.left == 0 {
		w.of.done <- struct{}{}
	}
}

// disconnected settles everything: what the server has taken, and not
// acknowledged before the connection went, it never will.
func (a *acks) disconnected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for number := range a.awaited {
		a.settleLocked(number, ack{err: nats.ErrDisconnected})
	}
}

// wait returns what came of each message of a batch.
func (a *acks) wait(ctx context.Context, b *batch, timeout time.Duration) []ack {
	if len(b.acks) == 0 {
		return nil
	}
	b.timer.Reset(timeout)
	defer b.timer.Stop()
	var err error
	select {
	case <-b.done:
		return b.acks
	case <-b.timer.C:
		err = context.DeadlineExceeded
	case <-ctx.Done():
		err = ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range b.acks {
		a.settleLocked(b.number(i), ack{err: err})
	}
	<-b.done
	return b.acks
}

// free gives a batch back that has been waited for. Nobody else knows of it:
// all its messages are settled.
func (b *batch) free() { batches.Put(b) }
