package bus_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/event"
)

// quiet discards all log lines.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// embedded configures a bus with its own server, on a free port.
func embedded(t testing.TB) bus.Config {
	t.Helper()
	config := bustest.Config(t)
	config.AckWait = 30 * time.Second
	return config
}

func open(t testing.TB, config bus.Config) *bus.Bus {
	t.Helper()
	return bustest.Open(t, config)
}

// remote starts a server with the given configuration, and returns a Config with its
// address.
func remote(t *testing.T, text string) (*server.Server, bus.Config) {
	t.Helper()
	options := &server.Options{}
	if err := options.ProcessConfigString("listen: \"127.0.0.1:-1\"\n" + text); err != nil {
		t.Fatal(err)
	}
	options.JetStream, options.StoreDir = true, t.TempDir()
	s := bustest.Server(t, options)
	config := embedded(t)
	config.URL = s.ClientURL()
	return s, config
}

// jetStreamOf is JetStream with the rights of an administrator, on the connection of an
// embedded bus.
func jetStreamOf(t *testing.T, b *bus.Bus) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(b.Conn())
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// works opens a bus and publishes one request.
func works(t *testing.T, config bus.Config) {
	t.Helper()
	b := open(t, config)
	if err := b.Publish(t.Context(), message(t, b, "lead-1"))[0]; err != nil {
		t.Errorf("publish: %v", err)
	}
}

// refused expects that a bus does not open, with an error of one line without a secret.
func refused(t *testing.T, config bus.Config, want string) {
	t.Helper()
	b, err := bus.Open(t.Context(), config)
	if err == nil {
		b.Close()
		t.Fatal("opened")
	}
	if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "secret") || strings.Contains(text, "\n") {
		t.Errorf("error %q; want one line with %q", err, want)
	}
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

// storeRequests stores the requests lead-0 to lead-<n-1>.
func storeRequests(t *testing.T, b *bus.Bus, n int) {
	t.Helper()
	for i := range n {
		r := request(fmt.Sprint("lead-", i))
		if _, err := b.Store(t.Context(), "", event.Item{Request: &r}); err != nil {
			t.Fatal(err)
		}
	}
}

// oneDone checks that a store has the requests of storeRequests, of which one is done.
func oneDone(t *testing.T, b *bus.Bus, consumer jetstream.Consumer, requests int) {
	t.Helper()
	if waiting := consumer.CachedInfo().NumPending; waiting != uint64(requests)-1 {
		t.Errorf("%d requests wait, want %d: one was done", waiting, requests-1)
	}
	for i := range requests {
		r := request(fmt.Sprint("lead-", i))
		if seen, err := b.Store(t.Context(), "", event.Item{Request: &r}); err != nil || !seen[0] {
			t.Errorf("lead-%d is stored again: seen %v, %v", i, seen, err)
		}
	}
}
