package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
)

func TestCheckOnlyMakesNothingAndNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	config.CheckOnly = true
	for _, want := range []string{
		"NATS_MANAGE=false", "stream CALLBRIDGE_REQUESTS is missing", "stream CALLBRIDGE_LEDGER is missing",
		"stream CALLBRIDGE_LIMITS is missing", "consumer dispatch is missing", "consumer lookup is missing", "`callbridge streams`",
	} {
		refused(t, config, want)
	}
	js := administrator(t, s.ClientURL())
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
	js := administrator(t, s.ClientURL())
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

// TestCheckOnlyDoesNotRemakeALostStream: readiness says so instead.
func TestCheckOnlyDoesNotRemakeALostStream(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	open(t, config).Close()
	config.CheckOnly = true
	b := open(t, config)
	if err := administrator(t, s.ClientURL()).DeleteStream(t.Context(), "CALLBRIDGE_LIMITS"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	b.ReconcileStreams(ctx)
	if ctx.Err() != nil {
		t.Error("ReconcileStreams stayed, and there is nothing for it to do")
	}
	if b.Ready(t.Context()) == nil {
		t.Error("ready without a stream")
	}
}

// administrator may do all on a server without users.
func administrator(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
