package deploy_test

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callbridge/bus"
	"callbridge/event"
)

// TestLeastPermissions: two bridges work on a cluster with the users of
// nats/accounts.conf, each user can do what it is for, and no grant is idle.
func TestLeastPermissions(t *testing.T) {
	servers := cluster(t)
	seen := watch(t, servers)
	results := listen(t, servers)
	callab := simulator(t)
	one, two := serve(t, urls(servers), callab), serve(t, urls(servers), callab)

	for _, c := range []struct {
		bridge       bridge
		file, status string
		result       event.Outcome
	}{
		{one, "website-lead.json", "requested", event.Accepted},
		{two, "website-lead.json", "duplicate", ""},
		{two, "website-lost-answer.json", "requested", event.Accepted},
		{one, "website-no-phone.json", "rejected", event.Rejected},
		{two, "website-no-consent.json", "skipped", event.Skipped},
	} {
		if got := c.bridge.website(c.file); got != c.status {
			t.Errorf("%s is %s, want %s", c.file, got, c.status)
		}
		if c.result != "" {
			if got := result(t, results); got.Outcome != c.result {
				t.Errorf("%s ends %s (%s), want %s", c.file, got.Outcome, got.Detail, c.result)
			}
		}
	}
	t.Run("one of each may stop", func(t *testing.T) {
		if err := one.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, one.log())
		}
		servers[0].Shutdown()
		until(t, "the other two and the other bridge go on", func() bool { return two.website("website-lead.json") == "duplicate" })
	})
	if err := two.stop(); err != nil {
		t.Errorf("stop: %v\n%s", err, two.log())
	}
	for _, b := range []bridge{one, two} {
		if strings.Contains(strings.ToLower(b.log()), "permissions violation") {
			t.Errorf("the bridge wants more than it may:\n%s", b.log())
		}
	}
	t.Run("the results user", func(t *testing.T) { resultsOnly(t, servers[1:]) })
	t.Run("the reader", func(t *testing.T) { readerOnly(t, servers[1:]) })
	sweepAndLookUp(t, servers[1:])
	idle(t, seen, "bridge", "reader")
}

// subjects collects what is published.
type subjects struct {
	mu  sync.Mutex
	all map[string]bool
}

func (s *subjects) matched(pattern string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for subject := range s.all {
		if server.SubjectsCollide(subject, pattern) {
			return true
		}
	}
	return false
}

func watch(t *testing.T, servers []*server.Server) *subjects {
	t.Helper()
	seen := &subjects{all: map[string]bool{}}
	conn := connect(t, servers, spy, spy)
	if _, err := conn.Subscribe(">", func(m *nats.Msg) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.all[m.Subject] = true
	}); err != nil {
		t.Fatal(err)
	}
	return seen
}

func connect(t *testing.T, servers []*server.Server, name, password string, options ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(urls(servers), append(options,
		nats.UserInfo(name, password), nats.MaxReconnects(-1),
		// What is refused is asked for, not printed.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// listen subscribes as a service does that only wants to hear.
func listen(t *testing.T, servers []*server.Server) <-chan *nats.Msg {
	t.Helper()
	conn, heard := connect(t, servers, "results", "demo-results-password"), make(chan *nats.Msg, 64)
	if _, err := conn.ChanSubscribe("callbridge.result.>", heard); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return heard
}

func result(t *testing.T, heard <-chan *nats.Msg) event.Result {
	t.Helper()
	var r event.Result
	select {
	case m := <-heard:
		if err := json.Unmarshal(m.Data, &r); err != nil {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no result within 30 s")
	}
	return r
}

// sweepAndLookUp does as the bridge's user what a bridge does only now and
// then: it reads a ledger of several batches, reads a request back, and keeps
// an event that waits for a look-up.
func sweepAndLookUp(t *testing.T, servers []*server.Server) {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{
		URL: urls(servers), Auth: bus.Auth{User: "bridge", Password: "demo-bridge-password"},
		Prefix: "callbridge", Replicas: 3, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const more = 1001
	for range more {
		if _, err := b.Ledger().Put(t.Context(), uuid.New(), []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
	}
	var read []uuid.UUID
	// As for the reader: a sweep that meets nobody is made again.
	until(t, "the sweep reads the ledger", func() bool {
		read = nil
		return b.Ledger().Each(t.Context(), func(id uuid.UUID, _ bus.Entry) error { read = append(read, id); return nil }) == nil
	})
	if len(read) < more {
		t.Errorf("the sweep reads %d records of at least %d", len(read), more)
	}
	found := slices.ContainsFunc(read, func(id uuid.UUID) bool { _, err := b.StoredRequest(t.Context(), id); return err == nil })
	if !found {
		t.Error("no request can be read back")
	}
	waiting := event.Pending{Event: event.Event{ID: uuid.New(), Source: "website"}}
	if seen, err := b.Store(t.Context(), "", bus.Decision{Pending: &waiting}); err != nil || seen[0] {
		t.Errorf("seen before: %t, %v", seen[0], err)
	}
}

// idle reports grants that nobody has used: they could be taken away.
func idle(t *testing.T, seen *subjects, names ...string) {
	t.Helper()
	o := configured(t, "nats/cluster.conf")
	for _, name := range names {
		for _, grant := range user(t, o, name).Permissions.Publish.Allow {
			until(t, name+" uses "+grant, func() bool { return seen.matched(grant) })
		}
	}
}
