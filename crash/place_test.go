//go:build unix

package crash_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/callab/callabsim"
)

// placeTimeout is the CALLAB_TIMEOUT of the test, and placeLease what NATS makes
// of it: how long it remembers a place that nobody renews, in whole seconds
// (docs/decisions/0006-limits.md).
const (
	placeTimeout = 2 * time.Second
	placeLease   = 6 * time.Second
)

// TestPlaceOfAKilledProcessComesBack kills a process in the middle of a call.
// Until its lease is over the others do with the places that are left, since
// its call may still go on at Callab; then they have all of them.
func TestPlaceOfAKilledProcessComesBack(t *testing.T) {
	t.Parallel()
	// backlog is more than one place can do within the lease.
	const limit, processes, backlog = 2, 3, 150
	w := newWorld(t, setup{nats: 1, sim: callabsim.Options{Latency: 50 * time.Millisecond}, environ: map[string]string{
		"DIAL_CONCURRENCY": "2", "CALLAB_TIMEOUT": placeTimeout.String(), "DIAL_CLAIM_AGE": "6s",
	}})
	d := &doors{callab: w.callab, first: make(chan int, 1)}
	var running []*process
	for i := range processes {
		w.setup.environ["CALLAB_URL"] = d.open(t, i)
		running = append(running, w.launch())
	}
	p := followPlaces(t, w.natsURL())

	w.callab.Fail(callabsim.Fault{Kind: callabsim.HangAfter})
	w.crm.happen(1)
	victim := <-d.first
	running[victim].kill()
	if code := running[victim].exitCode(); code != -1 {
		t.Errorf("the victim ended by itself with code %d", code)
	}
	killed := time.Now()
	for range backlog {
		w.crm.happen(1)
	}
	await(t, time.Minute, "the place is taken again", func() bool { return len(p.lives()) > 1 })
	w.finish("place")

	back := p.lives()[1]
	// The server counts whole seconds.
	if blocked := back.from.Sub(p.lives()[0].to); blocked < placeLease-time.Second {
		t.Errorf("the place came back %s after its last sign of life, want %s", blocked, placeLease)
	}
	meanwhile := d.between(killed, back.from)
	if most := overlap(meanwhile); most != limit-1 {
		t.Errorf("%d calls, %d at the same time, while the killed process had a place; want %d of %d", len(meanwhile), most, limit-1, limit)
	}
	if most := overlap(d.between(back.from, time.Now())); most != limit {
		t.Errorf("%d calls at the same time when the place had come back, want %d", most, limit)
	}
	t.Logf("blocked for %s, %d calls meanwhile", back.from.Sub(p.lives()[0].to).Round(time.Millisecond), len(meanwhile))
}

// span is a stretch of time.
type span struct{ from, to time.Time }

// overlap is how many there are at the same time at most.
func overlap(spans []span) (most int) {
	for _, s := range spans {
		n := 0
		for _, other := range spans {
			if !other.from.After(s.from) && other.to.After(s.from) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// doors lead to one Callab, one for each process, so that it is known who calls.
type doors struct {
	callab *callab
	// first gets the number of the process that places the first call.
	first chan int
	once  sync.Once

	mu    sync.Mutex
	calls []span
}

func (d *doors) open(t *testing.T, process int) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			d.callab.ServeHTTP(w, r)
			return
		}
		d.once.Do(func() { d.first <- process })
		from := time.Now()
		d.callab.ServeHTTP(w, r)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.calls = append(d.calls, span{from, time.Now()})
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return server.URL + "/v1"
}

// between are the calls that began in a stretch of time.
func (d *doors) between(from, to time.Time) []span {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.calls), func(s span) bool { return s.from.Before(from) || !s.from.Before(to) })
}

// places are what NATS has been told about the place that was taken first.
type places struct {
	mu      sync.Mutex
	subject string
	held    []span
}

func followPlaces(t *testing.T, url string) *places {
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
	consumer, err := js.OrderedConsumer(t.Context(), "CALLBRIDGE_LIMITS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"callbridge.limit.place.*"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &places{}
	reading, err := consumer.Consume(p.note)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reading.Stop)
	return p
}

// note takes down a message. One that expects nothing before it takes the
// place, the others renew it.
func (p *places) note(m jetstream.Msg) {
	about, err := m.Metadata()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.subject == "" {
		p.subject = m.Subject()
	}
	switch {
	case err != nil || m.Subject() != p.subject:
	case m.Headers().Get(jetstream.ExpectedLastSubjSeqHeader) == "0":
		p.held = append(p.held, span{about.Timestamp, about.Timestamp})
	case len(p.held) > 0:
		p.held[len(p.held)-1].to = about.Timestamp
	}
}

// lives are from the taking to the last sign of life of each holder.
func (p *places) lives() []span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.held)
}
