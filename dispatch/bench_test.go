package dispatch_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbridge/bus/bustest"
	"callbridge/callab"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/event"
	"callbridge/policy"
)

// benchEvent is the data of a typical webhook, about 1.2 KB.
var benchEvent = func() json.RawMessage {
	properties := map[string]any{}
	for i := range 24 {
		properties[fmt.Sprintf("property_%d", i)] = fmt.Sprintf("value %d of a contact", i)
	}
	data, _ := json.Marshal(map[string]any{"id": 42, "type": "contact.updated", "properties": properties})
	return data
}()

// BenchmarkCall measures a request from its delivery to its acknowledgement: two
// ledger records, one call on its own connection, one result. The API and the
// embedded NATS run in the same process and are part of the figures.
func BenchmarkCall(b *testing.B) {
	for _, workers := range []int{1, 64} {
		for _, sync := range []string{"interval", "always"} {
			b.Run(fmt.Sprintf("sync=%s/workers=%d", sync, workers), func(b *testing.B) { benchCall(b, workers, sync == "always") })
		}
	}
}

// BenchmarkGates is BenchmarkCall with 64 workers, to another person each time, with a
// policy that counts calls and one that does not.
func BenchmarkGates(b *testing.B) {
	for _, sync := range []string{"interval", "always"} {
		for name, p := range map[string]policy.Policy{"none": {}, "caps": {DayCap: 3, MonthCap: 8, Gap: time.Hour}} {
			b.Run("sync="+sync+"/policy="+name, func(b *testing.B) {
				config := fast()
				config.Policy = limited(p)
				benchCallWith(b, 64, sync == "always", config)
			})
		}
	}
}

func benchCall(b *testing.B, workers int, syncAlways bool) {
	benchCallWith(b, workers, syncAlways, fast())
}

func benchCallWith(b *testing.B, workers int, syncAlways bool, config dispatch.Config) {
	embedded := bustest.Config(b)
	embedded.Embedded.SyncAlways = syncAlways
	f := newFixtureOn(b, callabsim.Options{}, embedded)
	for i := range b.N {
		number := fmt.Sprintf("+1202%07d", i)
		r := request(strconv.Itoa(i), number)
		r.Event.Data = benchEvent
		r.Call = signed(r, number)
		f.send(r)
	}
	config.Concurrency, config.WriteWindow, config.CallTimeout = workers, 5*time.Second, 15*time.Second
	config.ClaimAge, config.Settle = time.Minute, 10*time.Second
	b.ReportAllocs()
	b.ResetTimer()
	f.runOn(f.bus, placeAtOnce(b), config, good)
	for range b.N {
		if m := <-f.results; !strings.Contains(m.Subject, ".accepted.") {
			b.Fatalf("%s: %s", m.Subject, m.Data)
		}
	}
	b.StopTimer()
}

// signed is the call of a request as the mapping writes it.
func signed(r event.Request, to string) json.RawMessage {
	id := r.ID.String()
	call, _ := json.Marshal(callab.NewCall{
		AIAgentID: "6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11", CallFrom: "+12025550100", CallTo: to, CallDirection: "outbound",
		Metadata:              map[string]any{event.RequestKey: id, "lead": "lead-1001"},
		AgentDynamicVariables: map[string]string{"first_name": "Ada", "company": "Northwind Heating & Air", "score": "72"},
		Notes:                 "callbridge " + id,
	})
	return bytes.ReplaceAll(call, []byte(`\u0026`), []byte("&"))
}

// placeAtOnce serves a Callab that accepts every call with little work.
func placeAtOnce(b *testing.B) (url string) {
	b.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go place(conn)
		}
	}()
	return "http://" + socket.Addr().String()
}

func place(conn net.Conn) {
	const answer = `{"status":"success","message":"Call created","data":{"id":"0b7d9a3e-2f4c-4a61-9d38-5e1c7f2a6b90","call_status":"in-progress","call_direction":"outbound","created_at":"2026-01-02T03:04:05Z"}}`
	defer conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return
	}
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(answer), answer)
}
