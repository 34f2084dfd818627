package lookup_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/internal/testkit"
	"callbridge/lookup"
	"callbridge/mapping"
)

const secret = "s3cret-of-the-test"

// source has webhooks with only an id. Its parameters are its name, the URL of its
// CRM, and further keys of the lookup.
const source = `
  %s:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    type: body:type
    version: body:version
    lookup:
      url: "%s/contacts/{{object_id}}"
      rate: 1000
      %s
    fields:
      object_id: {path: object}
      phone: {path: "lookup:phone", type: phone}
      name: {path: "lookup:name", optional: true}
`

const routes = `
routes:
  - {name: call, source: [%s], mode: live, purpose: service, policy: {countries: [US, GB]}, call: {call_to: phone, notes: "{{name|nobody}}"}}
`

// crm is a CRM's API with a handler of the test.
type crm struct {
	*httptest.Server
	mu       sync.Mutex
	received []*http.Request
	answer   http.HandlerFunc
}

func newCRM(t *testing.T, answer http.HandlerFunc) *crm {
	t.Helper()
	c := &crm{answer: answer}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		c.mu.Lock()
		c.received = append(c.received, r)
		answer := c.answer
		c.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(c.Close)
	t.Cleanup(c.CloseClientConnections)
	return c
}

// change replaces the handler.
func (c *crm) change(answer http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *crm) requests() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*http.Request(nil), c.received...)
}

// requestsFor counts the requests for a path.
func (c *crm) requestsFor(path string) int {
	n := 0
	for _, r := range c.requests() {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

func ada(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, `{"phone":"+12025550142","name":"Ada"}`)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// inTurn answers with each handler once, then always with the last.
func inTurn(answers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		answer(w, r)
	}
}

// fixture is a bus, a configuration and a running Service.
type fixture struct {
	t       *testing.T
	dir     string
	bus     *bus.Bus
	config  *mapping.Config
	service *lookup.Service
	log     testkit.Log
	stored  <-chan *nats.Msg // requests and results
	stop    func()
}

// setup has one source, crm, whose CRM is c. keys are added to its lookup.
func setup(t *testing.T, c *crm, keys string) *fixture {
	t.Helper()
	return setupWith(t, t.TempDir(), "sources:"+fmt.Sprintf(source, "crm", c.URL, keys)+fmt.Sprintf(routes, "crm"))
}

func setupWith(t *testing.T, dir, text string) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: dir}
	var err error
	options := mapping.Options{LookupEnv: func(string) (string, bool) { return secret, true }}
	if f.config, err = mapping.Parse("callbridge.yaml", []byte(text), options); err != nil {
		t.Fatal(err)
	}
	f.bus, err = bus.Open(t.Context(), bus.Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
		Embedded: bus.Embedded{Dir: dir, Listen: "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.stored = testkit.Subscribe(t, f.bus.Conn(), "callbridge.request.*.*.ready", "callbridge.result.>")
	f.service = lookup.New(f.bus, func() *mapping.Config { return f.config }, prometheus.NewRegistry(), nil, f.log.Logger())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); f.service.Run(ctx) }()
	f.stop = sync.OnceFunc(func() { cancel(); <-ended; f.bus.Close() })
	t.Cleanup(f.stop)
	return f
}

// send stores a pending event as handlers do, and reports whether it is new.
func (f *fixture) send(source, body string) bool {
	f.t.Helper()
	return f.sendAt(source, body, time.Now())
}

// sendAt is send for a webhook that came in at a certain time.
func (f *fixture) sendAt(source, body string, received time.Time) bool {
	f.t.Helper()
	s, _ := f.config.Source(source)
	events, err := s.Read(mapping.Delivery{Body: []byte(body), Received: received})
	if err != nil {
		f.t.Fatal(err)
	}
	p, err := f.config.Suspend(events[0])
	if err != nil {
		f.t.Fatal(err)
	}
	seen, err := f.bus.Store(f.t.Context(), "", event.Item{Pending: &p})
	if err != nil {
		f.t.Fatal(err)
	}
	return !seen[0]
}

// outcome is what an event led to: "requested" or an outcome and a reason, and the
// call's note or the result's detail.
type outcome struct{ key, what, text string }

// next waits for the next outcome.
func (f *fixture) next() outcome {
	f.t.Helper()
	m := testkit.Next(f.t, f.stored)
	if strings.Contains(m.Subject, ".request.") {
		var r event.Request
		var call struct{ Notes string }
		if json.Unmarshal(m.Data, &r) != nil || json.Unmarshal(r.Call, &call) != nil {
			f.t.Fatalf("%s: %s", m.Subject, m.Data)
		}
		return outcome{r.Event.Key, "requested", call.Notes}
	}
	var r event.Result
	if err := json.Unmarshal(m.Data, &r); err != nil {
		f.t.Fatal(err)
	}
	return outcome{r.Event.Key, string(r.Outcome) + " " + string(r.Reason), r.Detail}
}

func (f *fixture) want(what, text string) {
	f.t.Helper()
	if got := f.next(); got.what != what || !strings.Contains(got.text, text) {
		f.t.Errorf("got %s (%s), want %s (%s)", got.what, got.text, what, text)
	}
}

// nothingMore stops the Service and checks that nothing else was stored.
func (f *fixture) nothingMore() {
	f.t.Helper()
	f.stop()
	if n := len(f.stored); n > 0 {
		f.t.Errorf("%d more were stored, the first on %s", n, (<-f.stored).Subject)
	}
}
