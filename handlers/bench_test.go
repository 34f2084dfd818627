package handlers_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/handlers"
	"callbridge/internal/testkit"
	"callbridge/untrusted"
)

// BenchmarkWebhook measures a webhook without the network: verify, map, store
// and answer, sequentially and with 64 concurrent senders.
func BenchmarkWebhook(b *testing.B) {
	for _, senders := range []int{1, 64} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			public := publicListener(b)
			var next atomic.Int64
			var all sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range senders {
				all.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if code := deliver(public, i); code != http.StatusAccepted {
							b.Errorf("webhook %d was answered with %d", i, code)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

func publicListener(b *testing.B) http.Handler {
	b.Helper()
	return handlers.Public(handlers.Intake{
		Mapping: parse(b, config), Bus: openBus(b), Log: untrusted.NewLogger(slog.NewJSONHandler(io.Discard, nil)),
	}, handlers.Health{}, prometheus.NewRegistry())
}

// usualLead is an event of about 1.2 KB, without the beginning up to its id.
var usualLead = func() string {
	var more strings.Builder
	for i := range 16 {
		fmt.Fprintf(&more, `,"part%d":{"property":"some value","other":[1,2.5,true,null]}`, i)
	}
	return `","type":"lead.created","phone":"(202) 555-0142","consent":true` + more.String() + `}`
}()

func deliver(public http.Handler, number int64) int {
	body := fmt.Sprintf(`{"id":"%d%s`, number, usualLead)
	request := httptest.NewRequest(http.MethodPost, "/webhooks/website", strings.NewReader(body))
	request.Header = testkit.Signed(secret, body)
	answer := httptest.NewRecorder()
	public.ServeHTTP(answer, request)
	return answer.Code
}
