package handlers_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/handlers"
	"callbridge/mapping"
)

// BenchmarkWebhook is all that a webhook waits for but HTTP itself: verified,
// mapped, stored, answered, one after the other and 64 at once.
func BenchmarkWebhook(b *testing.B) {
	for _, senders := range []int{1, 64} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			door := frontDoor(b)
			var next atomic.Int64
			var all sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range senders {
				all.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if code := deliver(door, i); code != http.StatusAccepted {
							b.Errorf("webhook %d was answered with %d", i, code)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

func frontDoor(b *testing.B) http.Handler {
	b.Helper()
	quiet := slog.New(slog.NewJSONHandler(io.Discard, nil))
	kept, err := bus.Open(b.Context(), bus.Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second, Log: quiet,
		Embedded: bus.Embedded{Dir: b.TempDir(), Listen: "127.0.0.1:0"},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(kept.Close)
	c, err := mapping.Parse("callbridge.yaml", []byte(config), mapping.Options{LookupEnv: func(string) (string, bool) { return secret, true }})
	if err != nil {
		b.Fatal(err)
	}
	return handlers.Public(handlers.Intake{Mapping: func() *mapping.Config { return c }, Bus: kept, Log: quiet}, handlers.Health{}, prometheus.NewRegistry())
}

// usualLead is an event of about 1.2 KB, but for its id.
var usualLead = func() string {
	var more strings.Builder
	for i := range 16 {
		fmt.Fprintf(&more, `,"part%d":{"property":"some value","other":[1,2.5,true,null]}`, i)
	}
	return `","type":"lead.created","phone":"(202) 555-0142","consent":true` + more.String() + `}`
}()

func deliver(door http.Handler, number int64) int {
	body := fmt.Sprintf(`{"id":"%d%s`, number, usualLead)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	request := httptest.NewRequest(http.MethodPost, "/webhooks/website", bytes.NewReader([]byte(body)))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer := httptest.NewRecorder()
	door.ServeHTTP(answer, request)
	return answer.Code
}
