package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

func TestPublishStoresOneOfManyAtOnce(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	m := message(t, b, "lead-1")
	const deliveries = 50
	errs := make([]error, deliveries)
	var all sync.WaitGroup
	for i := range deliveries {
		all.Go(func() { errs[i] = b.Publish(t.Context(), m)[0] })
	}
	all.Wait()
	stored := 0
	for _, err := range errs {
		switch {
		case err == nil:
			stored++
		case !errors.Is(err, bus.ErrExists):
			t.Errorf("publish: %v, want %v", err, bus.ErrExists)
		}
	}
	if stored != 1 {
		t.Errorf("%d of %d were stored, want 1", stored, deliveries)
	}
}

func TestPublishAnswersForEachOfABatch(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	if err := b.Publish(t.Context(), message(t, b, "old"))[0]; err != nil {
		t.Fatal(err)
	}
	errs := b.Publish(t.Context(), message(t, b, "a"), message(t, b, "old"), message(t, b, "b"), message(t, b, "a"))
	for i, want := range []error{nil, bus.ErrExists, nil, bus.ErrExists} {
		if !errors.Is(errs[i], want) {
			t.Errorf("message %d: %v, want %v", i, errs[i], want)
		}
	}
}

func TestRequestIsRefusedAfterARestart(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	first := open(t, config)
	if err := first.Publish(t.Context(), message(t, first, "lead-1"))[0]; err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := open(t, config)
	if err := second.Publish(t.Context(), message(t, second, "lead-1"))[0]; !errors.Is(err, bus.ErrExists) {
		t.Errorf("publish after restart: %v, want %v", err, bus.ErrExists)
	}
}

func TestPublishRefusesWhatIsTooLargeForNATS(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	r := request("large")
	r.Event.Data = json.RawMessage(`"` + strings.Repeat("x", 9<<20) + `"`)
	m, err := b.RequestMessage(r, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), m)[0]; !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("publish: %v, want %v", err, bus.ErrTooLarge)
	}
}

const (
	ackStored   = `{"stream":"S","seq":7}`
	ackConflict = `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"S","seq":0}`
	ackFull     = `{"error":{"code":503,"err_code":10023,"description":"insufficient resources"},"stream":"S","seq":0}`
)

// fakeStream returns a Bus whose publishes to "fake.>" reach the test instead of
// JetStream. The test answers them, or does not.
func fakeStream(t *testing.T, maxPending int) (b *bus.Bus, conn *nats.Conn, published <-chan *nats.Msg) {
	t.Helper()
	s := bustest.Server(t, &server.Options{Port: server.RANDOM_PORT})
	conn = testkit.Connect(t, s.ClientURL(), nats.ReconnectBufSize(-1))
	published = testkit.Subscribe(t, testkit.Connect(t, s.ClientURL()), "fake.>")
	b, err := bus.NewOn(conn, maxPending)
	if err != nil {
		t.Fatal(err)
	}
	return b, conn, published
}

func fakeMessage(name string) bus.Message { return bus.NewMessage("fake."+name, nil) }

func respond(t *testing.T, m *nats.Msg, answer string) {
	t.Helper()
	if err := m.Respond([]byte(answer)); err != nil {
		t.Error(err)
	}
}

// shortly is time for a message to arrive, and then for its wait to end.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestEachMessageOfABatchGetsItsOwnAcknowledgement(t *testing.T) {
	t.Parallel()
	b, _, published := fakeStream(t, bus.MaxPending)
	answers := map[string]string{"fake.stored": ackStored, "fake.conflict": ackConflict, "fake.full": ackFull, "fake.garbage": "garbage"}
	go func() {
		for range answers {
			m := <-published
			respond(t, m, answers[m.Subject])
			respond(t, m, ackStored) // a second answer must be ignored
		}
	}()
	errs := b.Publish(t.Context(), fakeMessage("conflict"), fakeMessage("full"), fakeMessage("stored"), fakeMessage("garbage"))
	if !errors.Is(errs[0], bus.ErrExists) {
		t.Errorf("a conflict: %v, want %v", errs[0], bus.ErrExists)
	}
	if errs[1] == nil || !strings.Contains(errs[1].Error(), "raise NATS_MAX_STORE") {
		t.Errorf("a full store: %v, want the setting named", errs[1])
	}
	if errs[2] != nil {
		t.Errorf("stored: %v", errs[2])
	}
	if !errors.Is(errs[3], jetstream.ErrInvalidJSAck) {
		t.Errorf("an answer that is not JSON: %v, want %v", errs[3], jetstream.ErrInvalidJSAck)
	}
}

func TestAMessageThatNoStreamAnswersIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b, _, published := fakeStream(t, bus.MaxPending)
	var sent atomic.Int32
	go func() {
		for m := range published {
			sent.Add(1)
			// The server sends this when nothing subscribes to a subject.
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Status": {"503"}}})
		}
	}()
	if err := b.Publish(t.Context(), fakeMessage("a"))[0]; !errors.Is(err, jetstream.ErrNoStreamResponse) || sent.Load() != 1 {
		t.Errorf("asynchronous: %v after %d messages, want %v after 1", err, sent.Load(), jetstream.ErrNoStreamResponse)
	}
	if err := b.Write(t.Context(), "fake.b"); !errors.Is(err, jetstream.ErrNoStreamResponse) || sent.Load() != 2 {
		t.Errorf("synchronous: %v after %d messages, want %v after 2", err, sent.Load(), jetstream.ErrNoStreamResponse)
	}
}

func TestALateAcknowledgementIsNotTakenForAnotherMessage(t *testing.T) {
	t.Parallel()
	for name, publish := range map[string]func(*bus.Bus, context.Context) error{
		"asynchronous": func(b *bus.Bus, ctx context.Context) error { return b.Publish(ctx, fakeMessage("a"))[0] },
		"synchronous":  func(b *bus.Bus, ctx context.Context) error { return b.Write(ctx, "fake.a") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _, published := fakeStream(t, bus.MaxPending)
			if err := publish(b, shortly(t)); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("without an acknowledgement: %v, want %v", err, context.DeadlineExceeded)
			}
			late := testkit.Next(t, published)
			result := make(chan error)
			go func() { result <- publish(b, t.Context()) }()
			next := testkit.Next(t, published)
			if next.Reply == late.Reply {
				t.Fatalf("two messages have the reply subject %s", late.Reply)
			}
			respond(t, late, ackStored)
			respond(t, next, ackConflict)
			if err := testkit.Next(t, result); !errors.Is(err, bus.ErrExists) {
				t.Errorf("%v, want %v: the answer to the second message", err, bus.ErrExists)
			}
		})
	}
}

func TestAMissedAcknowledgementChangesTheReplyPrefix(t *testing.T) {
	t.Parallel()
	b, _, published := fakeStream(t, bus.MaxPending)
	prefix := func(m *nats.Msg) string { return m.Reply[:strings.LastIndexByte(m.Reply, '.')] }
	publish := func(ctx context.Context, answer string) string {
		result := make(chan error, 1)
		go func() { result <- b.Publish(ctx, fakeMessage("a"))[0] }()
		m := testkit.Next(t, published)
		if answer != "" {
			respond(t, m, answer)
		}
		testkit.Next(t, result)
		return prefix(m)
	}
	first, missed := publish(t.Context(), ackStored), publish(shortly(t), "")
	if first != missed {
		t.Errorf("the prefix changed from %s to %s without a missed acknowledgement", first, missed)
	}
	if after := publish(t.Context(), ackStored); after == missed {
		t.Errorf("the prefix is still %s after a missed acknowledgement", after)
	}
}

func TestADisconnectEndsPendingPublishesWithAnError(t *testing.T) {
	t.Parallel()
	b, conn, published := fakeStream(t, bus.MaxPending)
	result := make(chan []error, 1)
	go func() { result <- b.Publish(t.Context(), fakeMessage("a"), fakeMessage("b")) }()
	testkit.Next(t, published)
	testkit.Next(t, published)
	if err := conn.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	for _, err := range testkit.Next(t, result) {
		if !errors.Is(err, nats.ErrDisconnected) {
			t.Errorf("%v, want %v", err, nats.ErrDisconnected)
		}
	}
}

func TestPublishesBeyondTheLimitOfPendingOnesWaitOrFail(t *testing.T) {
	t.Parallel()
	const limit, all = 10, 25
	b, _, published := fakeStream(t, limit)
	var messages []bus.Message
	for i := range all {
		messages = append(messages, fakeMessage(fmt.Sprint(i)))
	}
	for i, err := range b.Publish(shortly(t), messages...) {
		if want := context.DeadlineExceeded; err == nil || i < limit && !errors.Is(err, want) {
			t.Errorf("message %d without an acknowledgement: %v", i, err)
		}
	}
	for range limit {
		testkit.Next(t, published)
	}
	if n := len(published); n != 0 {
		t.Errorf("%d messages were sent beyond the limit of %d", n, limit)
	}
	go func() {
		for range all {
			respond(t, <-published, ackStored)
		}
	}()
	for i, err := range b.Publish(t.Context(), messages...) {
		if err != nil {
			t.Errorf("message %d with acknowledgements: %v", i, err)
		}
	}
}

func TestAMessageThatIsTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	b, conn, published := fakeStream(t, bus.MaxPending)
	large := bus.NewMessage("fake.large", make([]byte, conn.MaxPayload()))
	go func() { respond(t, <-published, ackStored) }()
	errs := b.Publish(t.Context(), large, fakeMessage("small"))
	if !errors.Is(errs[0], bus.ErrTooLarge) || errs[1] != nil || conn.Stats().OutMsgs != 1 {
		t.Errorf("%v after %d messages, want %v for the first, and only the second sent", errs, conn.Stats().OutMsgs, bus.ErrTooLarge)
	}
}

func TestAPublishThatFailedIsNotStoredAfterAReconnect(t *testing.T) {
	t.Parallel()
	options := &server.Options{Port: bustest.Port(t), JetStream: true, StoreDir: t.TempDir()}
	start := func() *server.Server { copied := *options; return bustest.Server(t, &copied) }
	first := start()
	b := bustest.Open(t, bustest.Remote(first.ClientURL()))
	r, m := request("lead-1"), message(t, b, "lead-1")
	first.Shutdown()
	first.WaitForShutdown()
	testkit.Eventually(t, "the client sees the disconnect", func() bool { return !b.Conn().IsConnected() })
	if err := b.Publish(t.Context(), m)[0]; err == nil || errors.Is(err, bus.ErrExists) {
		t.Errorf("publish without a server: %v, want an error that says nothing about the message", err)
	}
	if _, err := b.Ledger().Put(t.Context(), r.ID, []byte(`{}`), 0); err == nil || errors.Is(err, bus.ErrConflict) {
		t.Errorf("put without a server: %v, want an error that says nothing about the record", err)
	}
	start()
	// Streams in memory are lost with their server.
	testkit.Eventually(t, "the streams are declared again", func() bool { return b.Declare(t.Context()) == nil })
	if _, err := b.StoredRequest(t.Context(), r.ID); !errors.Is(err, bus.ErrGone) {
		t.Errorf("the request after the reconnect: %v, want %v", err, bus.ErrGone)
	}
	if e, err := b.Ledger().Get(t.Context(), r.ID); err != nil || e.Revision != 0 {
		t.Errorf("the record after the reconnect: %+v, %v, want none", e, err)
	}
	if err := b.Publish(t.Context(), m)[0]; err != nil {
		t.Errorf("publish after the reconnect: %v", err)
	}
}
