package testkit

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Connect opens a connection to NATS that is closed when the test ends. What the server
// refuses is not printed: a test that expects a refusal sees it as an error.
func Connect(t testing.TB, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	ignore := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	conn, err := nats.Connect(url, append([]nats.Option{ignore, nats.MaxReconnects(-1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// JetStream opens a connection like Connect and returns its JetStream interface.
func JetStream(t testing.TB, url string, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(Connect(t, url, options...))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// Subscribe collects the messages of subjects. It returns when the server has the
// subscriptions, so that no later message is missed.
func Subscribe(t testing.TB, conn *nats.Conn, subjects ...string) <-chan *nats.Msg {
	t.Helper()
	messages := make(chan *nats.Msg, 4096)
	for _, subject := range subjects {
		if _, err := conn.ChanSubscribe(subject, messages); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return messages
}

// Acknowledge takes the next message of a consumer and acknowledges it.
func Acknowledge(t testing.TB, consumer jetstream.Consumer) {
	t.Helper()
	m, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Receive waits for the next message and decodes it from JSON.
func Receive[T any](t testing.TB, messages <-chan *nats.Msg) (value T) {
	t.Helper()
	m := Next(t, messages)
	if err := json.Unmarshal(m.Data, &value); err != nil {
		t.Fatalf("%s: %v in %s", m.Subject, err, m.Data)
	}
	return value
}

// DocumentedUsers is the server configuration that docs/nats.md prints, with the
// password "secret" for every user.
func DocumentedUsers(t testing.TB) string {
	t.Helper()
	passwords := "BRIDGE_PASSWORD: secret\nSERVICE_PASSWORD: secret\nADMINISTRATOR_PASSWORD: secret\n"
	return passwords + Block(t, "docs/nats.md", "conf")
}
