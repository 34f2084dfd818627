package bus_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/internal/testkit"
)

// TestARemoteStreamIsMovedAsDocumented does what docs/nats.md says under the heading
// that the error names, with the requests that the nats command sends.
func TestARemoteStreamIsMovedAsDocumented(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	conn := testkit.Connect(t, s.ClientURL())
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	const requests = 10
	finishedAndWaiting(t, config, js, requests)
	refused(t, config, `docs/nats.md says ("Move a stream")`)
	page := testkit.Read(t, "docs/nats.md")
	for _, text := range []string{"\n### Move a stream\n", " stream backup CALLBRIDGE_REQUESTS", " stream rm CALLBRIDGE_REQUESTS", " stream restore ", "--config"} {
		if !strings.Contains(page, text) {
			t.Errorf("docs/nats.md does not have %q", text)
		}
	}

	state, chunks := backup(t, conn, "CALLBRIDGE_REQUESTS")
	if err := js.DeleteStream(t.Context(), "CALLBRIDGE_REQUESTS"); err != nil {
		t.Fatal(err)
	}
	restore(t, conn, bus.Define(config).Streams[0], state, chunks)

	b := open(t, config)
	if text := b.Degraded(); text != "" {
		t.Errorf("a stream that was moved counts as lost: %s", text)
	}
	consumer, err := js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	oneDone(t, b, consumer, requests)
}

// finishedAndWaiting makes the streams with schedules, as an earlier version did, and
// stores requests, of which one is done.
func finishedAndWaiting(t *testing.T, config bus.Config, js jetstream.JetStream, requests int) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), earlierRequests(config)); err != nil {
		t.Fatal(err)
	}
	b := open(t, config)
	storeRequests(t, b, requests)
	b.Close()
	withSchedules(t, js)
}

// withSchedules changes the stream of requests to what an earlier version made, and
// acknowledges one request.
func withSchedules(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	stream, err := js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.AllowMsgSchedules, c.AllowRollup, c.Duplicates = true, true, 2*time.Minute
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.Consumer(t.Context(), "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Acknowledge(t, consumer)
}

// backup reads a stream as `nats stream backup` does.
func backup(t *testing.T, conn *nats.Conn, stream string) (state json.RawMessage, chunks [][]byte) {
	t.Helper()
	inbox := nats.NewInbox()
	delivered, err := conn.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Error *server.ApiError `json:"error"`
		State json.RawMessage  `json:"state"`
	}
	api(t, conn, "$JS.API.STREAM.SNAPSHOT."+stream, map[string]any{"deliver_subject": inbox, "chunk_size": 128 << 10}, &answer)
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	for {
		m, err := delivered.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) == 0 {
			return answer.State, chunks
		}
		chunks = append(chunks, m.Data)
		if m.Reply == "" {
			continue
		}
		if err := m.Respond(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// restore makes a stream as `nats stream restore --config` does.
func restore(t *testing.T, conn *nats.Conn, config jetstream.StreamConfig, state json.RawMessage, chunks [][]byte) {
	t.Helper()
	var answer struct {
		Error   *server.ApiError `json:"error"`
		Deliver string           `json:"deliver_subject"`
	}
	api(t, conn, "$JS.API.STREAM.RESTORE."+config.Name, map[string]any{"config": config, "state": state}, &answer)
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	for _, chunk := range append(chunks, nil) {
		m, err := conn.Request(answer.Deliver, chunk, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(m.Data), `"error"`) {
			t.Fatal(string(m.Data))
		}
	}
}

func api(t *testing.T, conn *nats.Conn, subject string, request, answer any) {
	t.Helper()
	data, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	m, err := conn.Request(subject, data, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		t.Fatal(err)
	}
}
