package bus_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/event"
)

// webhookOf is the data of a webhook of typical size, about 1.2 KB.
var webhookOf = json.RawMessage(`{"contact":"` + strings.Repeat("x", 1200) + `"}`)

// traceOf is the trace context of the webhooks.
const traceOf = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// onEach measures a step with both values of NATS_SYNC, each with one caller and with
// many at once, which share flushes.
func onEach(b *testing.B, name string, many int, step func(*testing.B, *bus.Bus)) {
	for _, sync := range []string{"interval", "always"} {
		for _, callers := range []int{1, many} {
			b.Run(fmt.Sprintf("%ssync=%s/callers=%d", name, sync, callers), func(b *testing.B) {
				config := embedded(b)
				config.Embedded.SyncAlways = sync == "always"
				kept := open(b, config)
				b.ReportAllocs()
				b.ResetTimer()
				share(b.N, callers, func() { step(b, kept) })
			})
		}
	}
}

// share divides n steps among callers. RunParallel would start more of them on more
// processors.
func share(n, callers int, step func()) {
	var taken atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for taken.Add(1) <= int64(n) {
				step()
			}
		})
	}
	all.Wait()
}

// BenchmarkStore stores the requests of a webhook, which is answered after that.
func BenchmarkStore(b *testing.B) {
	var next atomic.Int64
	for _, size := range []struct{ requests, callers int }{{1, 64}, {100, 64}} {
		onEach(b, fmt.Sprintf("requests=%d/", size.requests), size.callers, func(b *testing.B, kept *bus.Bus) {
			items := make([]event.Item, size.requests)
			for i := range items {
				r := request(fmt.Sprint(next.Add(1)))
				r.Event.Data = webhookOf
				items[i] = event.Item{Request: &r}
			}
			seen, err := kept.Store(b.Context(), traceOf, items...)
			if err != nil || seen[0] {
				b.Errorf("seen before: %t, error %v", seen[0], err)
			}
		})
	}
}

// BenchmarkClaim writes the first ledger record of a request, as before each call.
func BenchmarkClaim(b *testing.B) {
	claim := []byte(`{"state":"claimed","owner":"` + strings.Repeat("x", 36) + `","attempt":1,"nonce":"` + strings.Repeat("x", 36) + `"}`)
	var next atomic.Int64
	onEach(b, "", 64, func(b *testing.B, kept *bus.Bus) {
		id := event.RequestID(uuid.Nil, fmt.Sprint(next.Add(1)))
		if _, err := kept.Ledger().Put(b.Context(), id, claim, 0); err != nil {
			b.Error(err)
		}
	})
}
