package bus_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/bus/people"
	"callbridge/bus/personkey"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// documented starts a server as docs/nats.md configures it.
func documented(t *testing.T) (*server.Server, bus.Config) {
	t.Helper()
	s, config := remote(t, testkit.DocumentedUsers(t))
	config.Auth.User, config.Auth.Password = "bridge", "secret"
	return s, config
}

// as connects as one of its users.
func as(t *testing.T, s *server.Server, user string, options ...nats.Option) *nats.Conn {
	t.Helper()
	return testkit.Connect(t, s.ClientURL(), append(options, nats.UserInfo(user, "secret"))...)
}

// define makes the streams and consumers as an administrator.
func define(t *testing.T, s *server.Server, config bus.Config) {
	t.Helper()
	js, err := jetstream.New(as(t, s, "administrator"))
	if err != nil {
		t.Fatal(err)
	}
	bustest.Create(t, js, bus.Define(config))
}

// TestDocumentedPermissionsAreEnoughAndNoneTooMany uses everything that a
// process uses, while another client records the subjects.
func TestDocumentedPermissionsAreEnoughAndNoneTooMany(t *testing.T) {
	t.Parallel()
	for user, managed := range map[string]bool{"bridge": true, "bridge-checked": false} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			s, config := documented(t)
			config.Auth.User, config.CheckOnly = user, !managed
			if !managed {
				define(t, s, config)
			}
			used := observe(t, as(t, s, "administrator"))
			b := open(t, config)
			useAll(t, b)
			answering(t, b)
			operator := config
			operator.Auth.User = "administrator"
			for _, verb := range []string{dnc.VerbAdd, dnc.VerbRemove} {
				testkit.Eventually(t, "callbridge answers", func() bool {
					_, err := ask(t, operator, verb, dnc.Request{Numbers: []string{"+12025550142"}})
					return err == nil
				})
			}
			for _, allowed := range allowedTo(t, user) {
				testkit.Eventually(t, user+" publishes to "+allowed+", as it may", func() bool { return used(allowed) })
			}
		})
	}
}

// observe returns a function that reports whether a filter matches a message so far.
func observe(t *testing.T, conn *nats.Conn) (used func(filter string) bool) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	if _, err := conn.Subscribe(">", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, m.Subject)
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return func(filter string) bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(seen, func(subject string) bool { return server.SubjectMatchesFilter(subject, filter) })
	}
}

func allowedTo(t *testing.T, user string) []string {
	t.Helper()
	options := &server.Options{}
	if err := options.ProcessConfigString(testkit.DocumentedUsers(t)); err != nil {
		t.Fatal(err)
	}
	for _, u := range options.Users {
		if u.Username == user {
			return u.Permissions.Publish.Allow
		}
	}
	t.Fatalf("docs/nats.md has no user %s", user)
	return nil
}

// useAll does once what handlers, lookup and dispatch do with a bus.
func useAll(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	r := request("lead-1")
	result := event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: r.Event}
	_, err := b.Store(ctx, "", event.Item{Request: &r}, event.Item{Pending: &event.Pending{Event: r.Event}}, event.Item{Result: &result})
	must(err)
	must(b.Ready(ctx))
	for _, consume := range []func(context.Context, int, bus.Worker){b.ConsumeRequests, b.ConsumeLookups} {
		handled, stop := context.WithCancel(ctx)
		consume(handled, 1, bus.Worker{
			Handle: func(context.Context, bus.Delivery) bus.Disposition { return bus.Acknowledge() },
			Acked:  stop, Alive: func() {}, Log: quiet(),
		})
	}
	_, err = b.StoredRequest(ctx, r.ID)
	must(err)
	pending := event.Item{Pending: &event.Pending{Event: r.Event}}
	rejected := event.Result{RequestID: event.RejectionID(r.Event.ID, "", event.ReasonLookupFailed, "", ""), Outcome: event.Rejected, Event: r.Event}
	must(b.StoreResumed(ctx, "", event.Item{Result: &rejected}))
	earlier, err := b.Earlier(ctx, []event.Item{{Request: &r}, {Result: &result}, pending})
	must(err)
	renewed, err := b.Renew(ctx, "", pending.Pending, earlier[2])
	must(err)
	if earlier[0].Item.Request == nil || earlier[1].Item.Result == nil || !earlier[2].Open || !renewed {
		t.Errorf("the stored items are not found: %+v", earlier)
	}
	must(b.StopSource(ctx, control.Stop{Scope: control.Scope{Source: "website"}, By: control.Storm, Since: time.Now()}))
	_, err = b.Stopped(ctx, control.Scope{Source: "website"})
	must(err)
	if b.DNC().Key.IsZero() {
		b.DNC().Key, err = personkey.New([]byte(strings.Repeat("k", 32)))
		must(err)
		b.Memory().Key = b.DNC().Key
	}
	_, err = b.DNC().Add(ctx, []string{"+12025550142"}, dnc.Entry{Since: time.Now()})
	must(err)
	_, _, err = b.DoNotCall(ctx, "+12025550142", dnc.Scope{})
	must(err)
	known, revision, err := b.Memory().Read(ctx, "+12025550142")
	must(err)
	must(b.Memory().Reserve(ctx, "+12025550142", known, revision, people.Call{Request: r.ID, Attempt: 1, At: time.Now()}))
	if outcome, err := b.ResultOf(ctx, "website", result.RequestID); err != nil || outcome != result.Outcome {
		t.Errorf("the result is not found: %q, %v", outcome, err)
	}
	ledger := b.Ledger()
	_, err = ledger.Put(ctx, r.ID, []byte(`{}`), 0)
	must(err)
	_, err = ledger.Get(ctx, r.ID)
	must(err)
	_, err = ledger.Now(ctx)
	must(err)
	must(ledger.Each(ctx, func(uuid.UUID, bus.Entry) error { return nil }))
	reading, read := context.WithCancel(ctx)
	if err := b.Calls().Each(reading, read, func(event.Result, time.Time) {}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_, err = b.Calls().Made(ctx)
	must(err)
	must(b.Limiter(10).Wait(ctx))
	slot, err := b.Slots(1, 5*time.Second).Acquire(ctx)
	must(err)
	if slot != nil {
		must(slot.Renew(ctx))
		slot.Release()
	}
}

func TestServiceMayListenAndNothingElse(t *testing.T) {
	t.Parallel()
	s, config := documented(t)
	b := open(t, config)
	refusals := make(chan error, 8)
	service := as(t, s, "service", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refusals <- err }))
	results, err := service.SubscribeSync("callbridge.result.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Flush(); err != nil {
		t.Fatal(err)
	}
	useAll(t, b)
	if _, err := results.NextMsg(5 * time.Second); err != nil {
		t.Errorf("no result: %v", err)
	}
	for _, try := range []func() error{
		func() error { return service.Publish("callbridge.request.website.x.ready", nil) },
		func() error { _, err := service.SubscribeSync("callbridge.request.>"); return err },
	} {
		if err := try(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refusals:
			if !strings.Contains(err.Error(), "callbridge.request.") {
				t.Errorf("refused with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("a service may send or read requests")
		}
	}
}

func TestMissingPermissionIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, config := documented(t)
	config.Auth.User = "bridge-checked"
	began := time.Now()
	refused(t, config, `Publish to "$JS.API.STREAM.CREATE.CALLBRIDGE_REQUESTS"; give it the permissions that docs/nats.md lists`)
	config.Auth.User = "service"
	refused(t, config, "NATS does not let this user work")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to say so", took)
	}
}
