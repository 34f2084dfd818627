package deploy_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// refused reports whether the server forbids what the connection has just done.
func refused(conn *nats.Conn) bool {
	_ = conn.Flush()
	return errors.Is(conn.LastError(), nats.ErrPermissionViolation)
}

func resultsOnly(t *testing.T, servers []*server.Server) {
	for _, subject := range []string{
		"callbridge.request.website." + uuid.NewString() + ".ready", "callbridge.result.accepted.website." + uuid.NewString(),
		"callbridge.ledger." + uuid.NewString(), "$JS.API.STREAM.DELETE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.INFO.CALLBRIDGE_RESULTS",
	} {
		conn := connect(t, servers, "results", "demo-results-password")
		if _ = conn.Publish(subject, nil); !refused(conn) {
			t.Errorf("it may publish to %s", subject)
		}
	}
	for _, subject := range []string{"callbridge.request.>", "callbridge.>", "_INBOX.>", ">"} {
		conn := connect(t, servers, "results", "demo-results-password")
		if _, err := conn.SubscribeSync(subject); err != nil || !refused(conn) {
			t.Errorf("it may listen to %s (%v)", subject, err)
		}
	}
}

func readerOnly(t *testing.T, servers []*server.Server) {
	conn := connect(t, servers, "reader", "demo-reader-password", nats.CustomInboxPrefix("_INBOX_reader"))
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.CreateConsumer(t.Context(), "CALLBRIDGE_RESULTS", jetstream.ConsumerConfig{Durable: "crm", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	const expected = 4
	// The server that we ask may not have heard yet where the new consumer is:
	// then nobody takes the question.
	read := 0
	until(t, "the durable consumer gives all results", func() bool {
		batch, err := consumer.Fetch(expected-read, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			read++
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return read == expected
	})
	if _, err := consumer.Info(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := js.Stream(t.Context(), "CALLBRIDGE_RESULTS"); err != nil {
		t.Error(err)
	}
	for _, subject := range []string{"callbridge.request.website." + uuid.NewString() + ".ready", "$JS.API.STREAM.PURGE.CALLBRIDGE_RESULTS", "$JS.API.CONSUMER.CREATE.CALLBRIDGE_REQUESTS.x"} {
		other := connect(t, servers, "reader", "demo-reader-password", nats.CustomInboxPrefix("_INBOX_reader"))
		if _ = other.Publish(subject, nil); !refused(other) {
			t.Errorf("it may publish to %s", subject)
		}
	}
}
