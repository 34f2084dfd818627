package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/event"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// embedded is a bus on its own server, on a port of its own.
func embedded(t testing.TB) bus.Config {
	t.Helper()
	return bus.Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second, Log: quiet(),
		Embedded: bus.Embedded{Dir: t.TempDir(), Listen: "127.0.0.1:0"},
	}
}

func open(t testing.TB, config bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func request(key string) event.Request {
	e := event.Event{ID: event.EventID("website", key), Source: "website", Key: key}
	return event.Request{ID: event.RequestID(e.ID, "new-lead"), Route: "new-lead", Event: e, Call: json.RawMessage(`{}`)}
}

func message(t *testing.T, b *bus.Bus, key string) bus.Message {
	t.Helper()
	m, err := b.RequestMessage(request(key), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

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

func TestPublishRefusesWhatNATSWouldNotTake(t *testing.T) {
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

func TestResultsReachAnOrdinarySubscriber(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	client, err := nats.Connect(b.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sub, err := client.SubscribeSync("callbridge.result.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Flush(); err != nil {
		t.Fatal(err)
	}
	r := event.Result{RequestID: request("lead-1").ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Event: request("lead-1").Event}
	if err := b.PublishResult(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := b.PublishResult(t.Context(), r); !errors.Is(err, bus.ErrExists) {
		t.Errorf("the same once more: %v, want %v", err, bus.ErrExists)
	}
	got, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if want := "callbridge.result.accepted.website." + r.RequestID.String(); got.Subject != want {
		t.Errorf("subject %s, want %s", got.Subject, want)
	}
}

func TestLedgerLetsOneOfManyWin(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	ledger, id := b.Ledger(), request("lead-1").ID
	const workers = 20
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() { _, errs[i] = ledger.Put(t.Context(), id, []byte(`{"n":1}`), 0) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, bus.ErrConflict):
			t.Errorf("put: %v, want %v", err, bus.ErrConflict)
		}
	}
	if won != 1 {
		t.Errorf("%d workers won, want 1", won)
	}
}

func TestLedgerKeepsTheNewestRecord(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	ledger, id := b.Ledger(), request("lead-1").ID
	empty, err := ledger.Get(t.Context(), id)
	if err != nil || empty.Revision != 0 {
		t.Fatalf("get of nothing: %+v, %v", empty, err)
	}
	revision := uint64(0)
	for i := range 40 {
		if revision, err = ledger.Put(t.Context(), id, []byte{'0' + byte(i%10)}, revision); err != nil {
			t.Fatalf("put %d: %v", i, err)
		}
	}
	got, err := ledger.Get(t.Context(), id)
	if err != nil || string(got.Data) != "9" || got.Revision != revision {
		t.Errorf("get: %q at %d, %v; want 9 at %d", got.Data, got.Revision, err, revision)
	}
	now, err := ledger.Now(t.Context())
	if err != nil || now.Before(got.Stored) {
		t.Errorf("server clock %s is before the record's %s (%v)", now, got.Stored, err)
	}
}

func TestDeclareIsIdempotentAndNamesContradictions(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	if err := b.Declare(t.Context()); err != nil {
		t.Fatalf("declare again: %v", err)
	}
	other := embedded(t)
	other.URL, other.Retention = b.ClientURL(), 200*time.Hour
	_, err := bus.Open(t.Context(), other)
	if err == nil || !strings.Contains(err.Error(), "max_age") || !strings.Contains(err.Error(), "CALLBRIDGE_REQUESTS") {
		t.Errorf("open with another retention: %v; want the stream and the setting named", err)
	}
}

func TestEmbeddedStreamsFollowTheRetention(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	open(t, config).Close()
	config.Retention = 400 * time.Hour
	js, err := jetstream.New(open(t, config).Conn())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]time.Duration{"CALLBRIDGE_REQUESTS": 400 * time.Hour, "CALLBRIDGE_LEDGER": 800 * time.Hour} {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.CachedInfo().Config.MaxAge; got != want {
			t.Errorf("%s keeps %s, want %s", name, got, want)
		}
	}
}

func TestReadyGoesRedAndTendRemakesLostStreams(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	js, err := jetstream.New(b.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ready(t.Context()); err != nil {
		t.Fatalf("ready: %v", err)
	}
	for _, name := range []string{"CALLBRIDGE_REQUESTS", "CALLBRIDGE_LEDGER", "CALLBRIDGE_RESULTS"} {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Ready(t.Context()); err == nil {
		t.Error("ready without streams")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go b.ReconcileStreams(ctx)
	for b.Ready(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("streams were not made again")
		}
	}
	if _, err := b.Ledger().Get(t.Context(), request("x").ID); err != nil {
		t.Errorf("ledger after re-making: %v", err)
	}
}
