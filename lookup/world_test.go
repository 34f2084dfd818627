package lookup_test

import (
	"bytes"
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
	"callbridge/lookup"
	"callbridge/mapping"
)

const secret = "s3cret-of-the-test"

// source is one whose webhooks hold only an id; %s is where its CRM listens,
// and what a test says of the look-up beside it.
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
  - {name: call, source: [%s], mode: live, call: {call_to: phone, notes: "{{name|nobody}}"}}
`

// crm is a CRM's API of which each test says what it answers.
type crm struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []*http.Request
	answer http.HandlerFunc
}

func newCRM(t *testing.T, answer http.HandlerFunc) *crm {
	t.Helper()
	c := &crm{answer: answer}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		c.mu.Lock()
		c.asked = append(c.asked, r)
		answer := c.answer
		c.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(c.Close)
	t.Cleanup(c.CloseClientConnections)
	return c
}

// change says what is answered from now on.
func (c *crm) change(answer http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *crm) requests() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*http.Request(nil), c.asked...)
}

// asks counts the requests for a path.
func (c *crm) asks(path string) int {
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

// inTurn gives one answer after the other, the last one for ever.
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

// world is a bus, a configuration and a Finder.
type world struct {
	t      *testing.T
	dir    string
	bus    *bus.Bus
	config *mapping.Config
	finder *lookup.Finder
	logs   *lockedBuffer
	came   chan *nats.Msg
	stop   func()
}

// newWorld has one source, crm, whose CRM is c.
func newWorld(t *testing.T, c *crm, keys string) *world {
	t.Helper()
	return worldOf(t, t.TempDir(), "sources:"+fmt.Sprintf(source, "crm", c.URL, keys)+fmt.Sprintf(routes, "crm"))
}

func worldOf(t *testing.T, dir, text string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, logs: &lockedBuffer{}, came: make(chan *nats.Msg, 1024)}
	var err error
	options := mapping.Options{LookupEnv: func(string) (string, bool) { return secret, true }}
	if w.config, err = mapping.Parse("callbridge.yaml", []byte(text), options); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.logs, nil))
	w.bus, err = bus.Open(t.Context(), bus.Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
		Embedded: bus.Embedded{Dir: dir, Listen: "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"callbridge.request.*.*.ready", "callbridge.result.>"} {
		if _, err := w.bus.Conn().ChanSubscribe(subject, w.came); err != nil {
			t.Fatal(err)
		}
	}
	w.finder = lookup.New(w.bus, func() *mapping.Config { return w.config }, prometheus.NewRegistry(), nil, log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.finder.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-ended; w.bus.Close() })
	t.Cleanup(w.stop)
	return w
}

// send stores an event as handlers do, and reports whether it is new.
func (w *world) send(source, body string) bool {
	w.t.Helper()
	s, _ := w.config.Source(source)
	events, err := s.Read(mapping.Delivery{Body: []byte(body), Received: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.config.Waiting(events[0])
	if err != nil {
		w.t.Fatal(err)
	}
	seen, err := w.bus.Store(w.t.Context(), "", bus.Decision{Pending: &p})
	if err != nil {
		w.t.Fatal(err)
	}
	return !seen[0]
}

// outcome is what came of an event: "requested" or an outcome, a reason, and
// the note or the detail.
type outcome struct{ key, what, text string }

func (w *world) next() outcome {
	w.t.Helper()
	select {
	case m := <-w.came:
		if strings.Contains(m.Subject, ".request.") {
			var r event.Request
			var call struct{ Notes string }
			if json.Unmarshal(m.Data, &r) != nil || json.Unmarshal(r.Call, &call) != nil {
				w.t.Fatalf("%s: %s", m.Subject, m.Data)
			}
			return outcome{r.Event.Key, "requested", call.Notes}
		}
		var r event.Result
		if err := json.Unmarshal(m.Data, &r); err != nil {
			w.t.Fatal(err)
		}
		return outcome{r.Event.Key, string(r.Outcome) + " " + string(r.Reason), r.Detail}
	case <-time.After(30 * time.Second):
		w.t.Fatalf("nothing within 30 s; log:\n%s", w.logs)
		return outcome{}
	}
}

func (w *world) want(what, text string) {
	w.t.Helper()
	if got := w.next(); got.what != what || !strings.Contains(got.text, text) {
		w.t.Errorf("got %s (%s), want %s (%s)", got.what, got.text, what, text)
	}
}

// nothingElse stops the Finder and looks for more than was expected.
func (w *world) nothingElse() {
	w.t.Helper()
	w.stop()
	if n := len(w.came); n > 0 {
		w.t.Errorf("%d more came, the first on %s", n, (<-w.came).Subject)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
