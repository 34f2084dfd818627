// Package bustest starts NATS servers and opens buses for the tests of several
// packages. Of this module it imports only bus and bus/stream, and only tests import it.
package bustest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/stream"
)

// Config is a bus with its own server, on a free port of loopback and with a store that
// is removed when the test ends.
func Config(t testing.TB) bus.Config {
	t.Helper()
	c := Remote("")
	c.Embedded = bus.Embedded{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	return c
}

// Remote is a bus on the server at a URL.
func Remote(url string) bus.Config {
	return bus.Config{
		URL: url, Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 3 * time.Second,
		Log: slog.New(slog.DiscardHandler),
	}
}

// Open opens a bus that is closed when the test ends.
func Open(t testing.TB, config bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// Create creates streams and consumers as an administrator does.
func Create(t testing.TB, js jetstream.JetStream, d stream.Definitions) {
	t.Helper()
	for _, stream := range d.Streams {
		if _, err := js.CreateStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range d.Consumers {
		if _, err := js.CreateConsumer(t.Context(), c.Stream, c.Config); err != nil {
			t.Fatal(err)
		}
	}
}
