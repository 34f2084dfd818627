//go:build unix

package crash_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/callab/callabsim"
	"callbridge/internal/testkit"
)

// slotTimeout is the CALLAB_TIMEOUT of the test. slotLease follows from it: how long
// NATS keeps a slot that is not renewed, in whole seconds (docs/decisions/0006-limits.md).
const (
	slotTimeout = 2 * time.Second
	slotLease   = 6 * time.Second
)

// A process is killed during a call. Until its lease has expired, the others use only
// the remaining slots, since its call may still be running at Callab.
func TestSlotOfKilledProcessIsFreeAfterItsLease(t *testing.T) {
	t.Parallel()
	// backlog is more than one slot can process within the lease.
	const limit, processes, backlog = 2, 3, 150
	f := newFixture(t, scenario{nats: 1, sim: callabsim.Options{Latency: 50 * time.Millisecond}, environ: map[string]string{
		"DIAL_CONCURRENCY": "2", "CALLAB_TIMEOUT": slotTimeout.String(), "DIAL_CLAIM_AGE": "6s",
	}})
	d := &proxies{callab: f.callab, first: make(chan int, 1)}
	var running []*process
	for i := range processes {
		f.scenario.environ["CALLAB_URL"] = d.start(t, i)
		running = append(running, f.launch())
	}
	p := followSlot(t, f.natsURL())

	f.callab.Fail(callabsim.Fault{Kind: callabsim.HangAfter})
	f.crm.newEvent(1)
	victim := <-d.first
	running[victim].kill()
	if code := running[victim].exitCode(); code != -1 {
		t.Errorf("the victim ended by itself with code %d", code)
	}
	killed := time.Now()
	for range backlog {
		f.crm.newEvent(1)
	}
	await(t, time.Minute, "the slot is acquired again", func() bool { return len(p.leases()) > 1 })
	f.finish("slot")

	second := p.leases()[1]
	// The server counts in whole seconds.
	if blocked := second.from.Sub(p.leases()[0].to); blocked < slotLease-time.Second {
		t.Errorf("the slot was free %s after its last renewal, want %s", blocked, slotLease)
	}
	meanwhile := d.between(killed, second.from)
	if most := overlap(meanwhile); most != limit-1 {
		t.Errorf("%d calls, %d at the same time, while the killed process had a slot; want %d of %d", len(meanwhile), most, limit-1, limit)
	}
	if most := overlap(d.between(second.from, time.Now())); most != limit {
		t.Errorf("%d calls at the same time after the slot was free, want %d", most, limit)
	}
	t.Logf("blocked for %s, %d calls meanwhile", second.from.Sub(p.leases()[0].to).Round(time.Millisecond), len(meanwhile))
}

// span is a time span.
type span struct{ from, to time.Time }

// overlap returns the largest number of spans at the same time.
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

// proxies are one HTTP server for each process in front of Callab, to tell which
// process places a call.
type proxies struct {
	callab *callab
	// first gets the number of the process that places the first call.
	first chan int
	once  sync.Once

	mu    sync.Mutex
	calls []span
}

func (d *proxies) start(t *testing.T, process int) (url string) {
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

// between returns the calls that began in a time span.
func (d *proxies) between(from, to time.Time) []span {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.calls), func(s span) bool { return s.from.Before(from) || !s.from.Before(to) })
}

// slotLog records the messages about the slot that was acquired first.
type slotLog struct {
	mu      sync.Mutex
	subject string
	held    []span
}

func followSlot(t *testing.T, url string) *slotLog {
	t.Helper()
	consumer, err := testkit.JetStream(t, url).OrderedConsumer(t.Context(), "CALLBRIDGE_LIMITS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"callbridge.limit.place.*"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &slotLog{}
	reading, err := consumer.Consume(p.record)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reading.Stop)
	return p
}

// record records a message. One that expects no earlier message acquires the slot,
// the others renew it.
func (p *slotLog) record(m jetstream.Msg) {
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

// leases returns the time from the acquisition to the last renewal for each holder.
func (p *slotLog) leases() []span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.held)
}
