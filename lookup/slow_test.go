package lookup_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"callbridge/internal/testkit"
)

func setupTwo(t *testing.T, slow, fast *crm) *fixture {
	t.Helper()
	return setupWith(t, t.TempDir(), "sources:"+fmt.Sprintf(source, "slow", slow.URL, "timeout: 5m")+
		fmt.Sprintf(source, "fast", fast.URL, "")+fmt.Sprintf(routes, "slow, fast"))
}

// With workers that all sources share, the events of the second CRM would wait for
// minutes: each lookup of the first one hangs until its timeout.
func TestCRMThatHangsDoesNotDelayTheEventsOfAnother(t *testing.T) {
	t.Parallel()
	var running atomic.Int64
	ended := make(chan struct{})
	slow := newCRM(t, func(http.ResponseWriter, *http.Request) {
		running.Add(1)
		<-ended
	})
	t.Cleanup(func() { close(ended) })
	fast := newCRM(t, ada)
	f := setupTwo(t, slow, fast)
	for i := range 100 {
		f.send("slow", fmt.Sprintf(`{"id":"s%d","object":%d}`, i, i))
	}
	testkit.Eventually(t, "lookups hang", func() bool { return running.Load() == 4 })
	for i := range 20 {
		f.send("fast", fmt.Sprintf(`{"id":"f%d","object":%d}`, i, i))
	}
	for range 20 {
		if got := f.next(); got.what != "requested" || !strings.HasPrefix(got.key, "f") {
			t.Fatalf("%s: %s (%s)", got.key, got.what, got.text)
		}
	}
}

func TestBreakerOpensAndClosesForOneSource(t *testing.T) {
	t.Parallel()
	slow, fast := newCRM(t, status(http.StatusServiceUnavailable)), newCRM(t, ada)
	f := setupTwo(t, slow, fast)
	for i := range 10 {
		f.send("slow", fmt.Sprintf(`{"id":"s%d","object":%d}`, i, i))
	}
	testkit.Eventually(t, "the breaker is open", func() bool {
		return strings.Contains(f.service.Held()["slow"], "circuit breaker is open: the CRM's API answered HTTP 503")
	})
	if held := f.service.Held(); len(held) != 1 {
		t.Errorf("held: %v", held)
	}
	f.send("fast", `{"id":"f1","object":1}`)
	if got := f.next(); got.key != "f1" || got.what != "requested" {
		t.Errorf("%s: %s (%s)", got.key, got.what, got.text)
	}
	slow.change(ada)
	for range 10 {
		f.want("requested", "Ada")
	}
	testkit.Eventually(t, "the breaker is closed", func() bool { return len(f.service.Held()) == 0 })
	for _, line := range []string{"lookup.breaker_opened", "lookup.breaker_closed"} {
		if n := strings.Count(f.log.String(), line); n != 1 {
			t.Errorf("%d lines %s, want one:\n%s", n, line, f.log.String())
		}
	}
	f.nothingMore()
}
