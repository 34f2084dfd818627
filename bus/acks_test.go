package bus

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ackWorld is acks of one connection, and another connection that answers.
func ackWorld(t *testing.T) (mine *nats.Conn, a *acks, other *nats.Conn) {
	t.Helper()
	server := durably(t, t.TempDir()).server
	dial := func() *nats.Conn {
		c, err := nats.Connect("", nats.InProcessServer(server))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	mine, other = dial(), dial()
	a, err := listenForAcks(mine)
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.Flush(); err != nil {
		t.Fatal(err)
	}
	return mine, a, other
}

func answer(t *testing.T, c *nats.Conn, subject, text string) {
	t.Helper()
	if err := c.Publish(subject, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
}

const (
	ackOK       = `{"stream":"S","seq":7}`
	ackConflict = `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"S","seq":0}`
)

// TestAcksReachTheirMessage: in any order, each once, and not those of others.
func TestAcksReachTheirMessage(t *testing.T) {
	t.Parallel()
	_, a, other := ackWorld(t)
	first, second := a.expect(3), a.expect(1)
	answer(t, other, a.reply(first, 2), `garbage`)
	answer(t, other, a.reply(first, 0), ackOK)
	answer(t, other, a.reply(first, 0), ackConflict) // somebody answers again
	answer(t, other, a.inbox+"-", ackOK)
	answer(t, other, a.inbox+"zzzz", ackOK)
	answer(t, other, a.reply(first, 1), ackConflict)
	got := a.wait(t.Context(), first, time.Minute)
	if got[0] != (ack{sequence: 7}) || !isConflict(got[1].err) || !errors.Is(got[2].err, jetstream.ErrInvalidJSAck) {
		t.Errorf("%v; want an acknowledgement, a conflict and nothing that can be read", got)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got := a.wait(short, second, time.Minute); !errors.Is(got[0].err, context.DeadlineExceeded) {
		t.Errorf("a message that nobody acknowledged: %v", got[0].err)
	}
}

// TestLateAckIsNobodys: it must not stand for a message that was written after.
func TestLateAckIsNobodys(t *testing.T) {
	t.Parallel()
	_, a, other := ackWorld(t)
	gone := a.expect(1)
	if got := a.wait(t.Context(), gone, time.Millisecond); !errors.Is(got[0].err, context.DeadlineExceeded) {
		t.Fatalf("%v; want that the time is over", got[0].err)
	}
	next := a.expect(1)
	answer(t, other, a.reply(gone, 0), ackOK)
	answer(t, other, a.reply(next, 0), ackConflict)
	if got := a.wait(t.Context(), next, time.Minute); !isConflict(got[0].err) {
		t.Errorf("%v; want the conflict, which is its own", got[0].err)
	}
	if len(a.awaited) != 0 {
		t.Errorf("%d are awaited for ever", len(a.awaited))
	}
}

func TestNobodyAcknowledges(t *testing.T) {
	t.Parallel()
	mine, a, _ := ackWorld(t)
	b := a.expect(1)
	if err := mine.PublishRequest("nobody.listens", a.reply(b, 0), nil); err != nil {
		t.Fatal(err)
	}
	if got := a.wait(t.Context(), b, time.Minute); !errors.Is(got[0].err, jetstream.ErrNoStreamResponse) {
		t.Errorf("%v; want %v", got[0].err, jetstream.ErrNoStreamResponse)
	}
}

func TestAcksOfALostConnection(t *testing.T) {
	t.Parallel()
	_, a, other := ackWorld(t)
	lost, here := a.expect(2), a.expect(1)
	answer(t, other, a.reply(lost, 0), ackOK)
	answer(t, other, a.reply(here, 0), ackOK)
	if got := a.wait(t.Context(), here, time.Minute); got[0].err != nil {
		t.Fatal(got[0].err)
	}
	a.disconnected()
	if got := a.wait(t.Context(), lost, time.Minute); got[0].err != nil || !errors.Is(got[1].err, nats.ErrDisconnected) {
		t.Errorf("%v; want the first acknowledged, the second lost", got)
	}
	if got := a.wait(t.Context(), a.expect(0), time.Minute); len(got) != 0 {
		t.Errorf("nothing is expected: %v", got)
	}
}
