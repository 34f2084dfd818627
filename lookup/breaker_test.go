package lookup

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"callbridge/mapping/lookups"
)

func TestBreakerOpensAfterDifferentEventsInARow(t *testing.T) {
	t.Parallel()
	b := newBreaker()
	for range 10 {
		if b.unanswered("one", outage{"HTTP 500", noon}, noon) {
			t.Fatal("opened by one event")
		}
	}
	b.unanswered("two", outage{"HTTP 500", noon}, noon)
	if b.answered() {
		t.Error("closed although it was not open")
	}
	for i := range openAfter {
		if opened := b.unanswered(strconv.Itoa(i), outage{"no answer", noon}, noon); opened != (i == openAfter-1) {
			t.Errorf("event %d: opened %t", i, opened)
		}
	}
	if last, open := b.open(); !open || last.detail != "no answer" {
		t.Errorf("open %t: %q", open, last.detail)
	}
}

func TestBreakerProbesAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	b, now := newBreaker(), noon
	for i := range openAfter {
		b.unanswered(strconv.Itoa(i), outage{"no answer", noon}, now)
	}
	for _, pause := range []time.Duration{minOpen, 2 * minOpen, 4 * minOpen, 8 * minOpen, 16 * minOpen, maxOpen, maxOpen} {
		if got := b.wait(now); got != pause {
			t.Fatalf("open for %s, want %s", got, pause)
		}
		b.unanswered("sent before", outage{"no answer", noon}, now) // does not prolong it
		now = now.Add(pause)
		if b.wait(now) != 0 {
			t.Error("half-open: the probe is not sent")
		}
		if got := b.wait(now); got != probeDelay {
			t.Errorf("half-open: a second lookup waits %s, want %s", got, probeDelay)
		}
		if b.unanswered("probe", outage{"no answer", noon}, now) {
			t.Error("half-open: it is said again that it opens")
		}
	}
	now = now.Add(maxOpen)
	if b.wait(now) != 0 {
		t.Fatal("the next probe is not sent")
	}
	b.abandoned()
	if b.wait(now) != 0 {
		t.Error("no probe after one that was abandoned")
	}
	if !b.answered() || b.wait(now) != 0 || b.wait(now) != 0 {
		t.Error("not closed by an answer")
	}
	b.unanswered("one", outage{"no answer", noon}, now)
	if b.wait(now) != 0 {
		t.Error("opened by one event")
	}
}

func TestOutageIsNoAnswerOrOneOfTheServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		err    error
		want   bool
	}{
		{0, errors.New("no answer within 15s"), true}, {0, permanentError("redirects too often"), false}, {0, credentialsError("refused"), false},
		{500, nil, true}, {503, nil, true}, {408, nil, true},
		{200, nil, false}, {404, nil, false}, {401, nil, false}, {403, nil, false}, {429, nil, false}, {425, nil, false}, {400, nil, false},
	} {
		r := response{status: c.status, body: []byte("{}")}
		if got := classify("", r, c.err, noon).isOutage(c.err); got != c.want {
			t.Errorf("%d, %v: outage %t, want %t", c.status, c.err, got, c.want)
		}
	}
	if classify(lookups.Wait, response{status: http.StatusBadRequest}, nil, noon).isOutage(nil) {
		t.Error("a rate limit that the source names is an outage")
	}
}

func TestSourceHasItsShareOfTheWorkers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ atStart, now, want int }{{0, 0, perSource}, {1, 1, perSource}, {1, 4, perSource}, {1, 8, 2}, {10, 10, perSource}, {10, 20, 2}, {1, 100, 1}} {
		workers := workersFor(c.atStart)
		got := share(workers, c.now)
		if got != c.want || c.now <= workers-spare && got*c.now > workers-spare {
			t.Errorf("%d sources at the start and %d now: %d each of %d, want %d", c.atStart, c.now, got, workers, c.want)
		}
	}
	c, q, now := newCRM(), &lookups.Request{Rate: 1000}, noon
	enter := func(id string) time.Duration {
		now = now.Add(time.Minute)
		return c.enter(id, q, 3, now)
	}
	for i := range 3 {
		if wait := enter(strconv.Itoa(i)); wait != 0 {
			t.Errorf("lookup %d waits %s", i, wait)
		}
	}
	if wait := enter("beyond"); wait != busyDelay {
		t.Errorf("a lookup beyond the share waits %s, want %s", wait, busyDelay)
	}
	c.leave()
	if wait := enter("beyond"); wait != 0 {
		t.Errorf("a lookup within the share waits %s", wait)
	}
}

// However many events wait for a CRM, they come again at the rate of the source.
func TestHeldEventsComeAgainAtTheRateOfTheSource(t *testing.T) {
	t.Parallel()
	c, q := newCRM(), &lookups.Request{Rate: 10}
	for i := range openAfter {
		c.breaker.unanswered(strconv.Itoa(i), outage{"no answer", noon}, noon)
	}
	c.breaker.until = noon.Add(24 * time.Hour)
	due := map[string]time.Time{}
	for i := range 1000 {
		id := "event " + strconv.Itoa(i)
		due[id] = noon.Add(c.enter(id, q, perSource, noon))
	}
	deliveries := 0
	for now := noon; now.Before(noon.Add(5 * time.Minute)); now = now.Add(100 * time.Millisecond) {
		for id, at := range due {
			if !now.Before(at) {
				deliveries++
				due[id] = now.Add(c.enter(id, q, perSource, now))
			}
		}
	}
	if most := 5 * 60 * 10 * 2; deliveries > most {
		t.Errorf("1,000 events came %d times in 5 minutes, want at most %d", deliveries, most)
	}
}
