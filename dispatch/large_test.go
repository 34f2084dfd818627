package dispatch_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus/bustest"
	"callbridge/callab/callabsim"
	"callbridge/event"
)

// TestResultThatIsTooLargeIsPublishedWithoutItsPayload: a request just fits into NATS,
// and its result, which has Callab's answer too, does not.
func TestResultThatIsTooLargeIsPublishedWithoutItsPayload(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*event.Request){
		"payload": func(r *event.Request) { r.Event.Data = json.RawMessage(`"` + strings.Repeat("x", 58_000) + `"`) },
		"key":     func(r *event.Request) { r.Event.Key = strings.Repeat("k", 58_000) },
		"route":   func(r *event.Request) { r.Route = strings.Repeat("r", 58_000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Server(t, &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 64 << 10})
			f := newFixtureOn(t, callabsim.Options{}, bustest.Remote(s.ClientURL()))
			url, _ := f.answering("HTTP/1.1 200 OK\r\n\r\n"+`{"status":"ok","data":{"id":"7d1b","transcript":"`+strings.Repeat("t", 8_000)+`"}}`, 0)
			f.runOn(f.bus, url, fast(), func() string { return token })
			r := request("lead-1", "+12025550142")
			change(&r)
			f.send(r)
			got := f.result()
			if got.RequestID != r.ID || got.Outcome != event.Accepted || got.Event.ID != r.Event.ID || !strings.Contains(got.Detail, "left out") {
				t.Errorf("ended %s (%s: %s) for %s", got.Outcome, got.Reason, got.Detail, got.RequestID)
			}
			if !strings.Contains(string(got.Call), `"7d1b"`) {
				t.Errorf("the result has no call: %.100s", got.Call)
			}
			f.done()
		})
	}
}
