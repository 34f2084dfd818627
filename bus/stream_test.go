package bus_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestDeclareIsIdempotentAndNamesDifferences(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	if err := b.Declare(t.Context()); err != nil {
		t.Fatalf("declare again: %v", err)
	}
	other := embedded(t)
	other.URL, other.Retention = b.UserURL("bridge"), 200*time.Hour
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
	js := jetStreamOf(t, open(t, config))
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

func TestEmbeddedStreamsOfAnOlderVersionAreUpdated(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	js := jetStreamOf(t, b)
	stream, err := js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(t.Context(), "CALLBRIDGE_REQUESTS", "lookup"); err != nil {
		t.Fatal(err)
	}
	older := stream.CachedInfo().Config
	older.Subjects, older.MaxMsgsPerSubject = older.Subjects[:1], -1
	if _, err := js.UpdateStream(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if b.Ready(t.Context()) == nil {
		t.Error("ready without the consumer")
	}
	b.Close()
	again := open(t, config)
	if _, err := again.Store(t.Context(), "", event.Item{Pending: &event.Pending{Event: request("lead-1").Event}}); err != nil {
		t.Error(err)
	}
	if stream, err = jetStreamOf(t, again).Stream(t.Context(), "CALLBRIDGE_REQUESTS"); err != nil {
		t.Fatal(err)
	}
	if got, want := stream.CachedInfo().Config.MaxMsgsPerSubject, bus.Define(config).Streams[0].MaxMsgsPerSubject; got != want {
		t.Errorf("a subject keeps %d messages, want %d", got, want)
	}
}

func TestLostStreamsMakeReadyFailAndAreDeclaredAgain(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	js := jetStreamOf(t, b)
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
	testkit.Eventually(t, "the streams are declared again", func() bool { return b.Ready(ctx) == nil })
	if _, err := b.Ledger().Get(t.Context(), request("x").ID); err != nil {
		t.Errorf("ledger of the new stream: %v", err)
	}
}

func TestCheckOnlyMakesNothingAndNamesEverythingMissing(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	config.CheckOnly = true
	for _, want := range []string{
		"NATS_MANAGE=false", "stream CALLBRIDGE_REQUESTS is missing", "stream CALLBRIDGE_LEDGER is missing",
		"stream CALLBRIDGE_LIMITS is missing", "consumer dispatch is missing", "consumer lookup is missing", "`callbridge streams`",
	} {
		refused(t, config, want)
	}
	js := testkit.JetStream(t, s.ClientURL())
	for range js.ListStreams(t.Context()).Info() {
		t.Error("a stream was made")
	}
}

func TestCheckOnlyNamesWhatIsDifferent(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	open(t, config).Close()
	config.CheckOnly = true
	works(t, config)
	js := testkit.JetStream(t, s.ClientURL())
	d := bus.Define(config)
	limits, dispatch := d.Streams[3], d.Consumers[0]
	limits.MaxMsgsPerSubject = 2
	if _, err := js.UpdateStream(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	dispatch.Config.AckWait = time.Minute
	if _, err := js.UpdateConsumer(t.Context(), dispatch.Stream, dispatch.Config); err != nil {
		t.Fatal(err)
	}
	requests, results := d.Streams[0], d.Streams[2]
	requests.MaxMsgsPerSubject, results.MaxMsgsPerSubject = 1, -1 // a limit, and none
	for _, changed := range []jetstream.StreamConfig{requests, results} {
		if _, err := js.UpdateStream(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, config, "stream CALLBRIDGE_REQUESTS is there with max_msgs_per_subject = 1, and callbridge needs 0")
	refused(t, config, "stream CALLBRIDGE_LIMITS is there with max_msgs_per_subject = 2, and callbridge needs 1")
	refused(t, config, "consumer dispatch is there with ack_wait = 1m0s, and callbridge needs 30s")
}

// TestCheckOnlyDoesNotDeclareALostStreamAgain: Ready reports it instead.
func TestCheckOnlyDoesNotDeclareALostStreamAgain(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	open(t, config).Close()
	config.CheckOnly = true
	b := open(t, config)
	if err := testkit.JetStream(t, s.ClientURL()).DeleteStream(t.Context(), "CALLBRIDGE_LIMITS"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	b.ReconcileStreams(ctx)
	if b.Ready(t.Context()) == nil {
		t.Error("ready without a stream")
	}
}
