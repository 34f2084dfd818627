package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/bustest"
	"callbridge/bus/stream"
	"callbridge/internal/testkit"
)

var week = stream.Settings{Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second}

// applied applies all steps, and returns them as lines.
func applied(t *testing.T, js jetstream.JetStream, s stream.Settings) []string {
	t.Helper()
	steps, err := s.Plan(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, step := range steps {
		if err := step.Apply(t.Context(), js); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintln(step.Action, step.Name(), step.Differences))
	}
	return lines
}

func jetStream(t *testing.T) jetstream.JetStream {
	t.Helper()
	s := bustest.Server(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Port: server.RANDOM_PORT})
	return testkit.JetStream(t, s.ClientURL())
}

// count counts the lines that begin with an action.
func count(lines []string, action string) (n int) {
	for _, line := range lines {
		if strings.HasPrefix(line, action+" ") {
			n++
		}
	}
	return n
}

// TestApplyMakesKeepsAndChanges follows the page: made once, applied again, and
// RETENTION longer and back.
func TestApplyMakesKeepsAndChanges(t *testing.T) {
	t.Parallel()
	js := jetStream(t)
	d := week.Define()
	all := len(d.Streams) + len(d.Consumers)
	if lines := applied(t, js, week); count(lines, stream.Make) != all {
		t.Errorf("on an empty server:\n%s", lines)
	}
	if lines := applied(t, js, week); count(lines, stream.Keep) != all {
		t.Errorf("again:\n%s", lines)
	}
	longer := week
	longer.Retention *= 2
	lines := applied(t, js, longer)
	if !strings.HasPrefix(lines[0], "change stream CALLBRIDGE_LEDGER [max_age = 336h0m0s, will be 672h0m0s]") || count(lines, stream.Change) < 3 {
		t.Errorf("longer, the ledger is not first:\n%s", lines)
	}
	if lines := applied(t, js, week); !strings.HasPrefix(lines[len(d.Streams)-1], "change stream CALLBRIDGE_LEDGER ") {
		t.Errorf("shorter, the ledger is not last of the streams:\n%s", lines)
	}
	if lines := applied(t, js, week); count(lines, stream.Keep) != all {
		t.Errorf("afterwards it differs still:\n%s", lines)
	}
}

// TestApplyMendsASetting that an administrator has changed, and keeps those that are
// the administrator's.
func TestApplyMendsASetting(t *testing.T) {
	t.Parallel()
	js := jetStream(t)
	applied(t, js, week)
	requests := week.Define().Streams[0]
	requests.MaxBytes, requests.Metadata = 1<<20, map[string]string{"team": "sales"}
	if _, err := js.UpdateStream(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	applied(t, js, week)
	found, err := js.Stream(t.Context(), requests.Name)
	if err != nil {
		t.Fatal(err)
	}
	if c := found.CachedInfo().Config; c.MaxBytes > 0 || c.Metadata["team"] != "sales" {
		t.Errorf("max_bytes %d, metadata %v", c.MaxBytes, c.Metadata)
	}
}

// TestPlanRefusesWhatNATSCannotChange before anything is changed.
func TestPlanRefusesWhatNATSCannotChange(t *testing.T) {
	t.Parallel()
	js := jetStream(t)
	results := week.Streams()[2]
	results.Storage = jetstream.MemoryStorage
	if _, err := js.CreateStream(t.Context(), results); err != nil {
		t.Fatal(err)
	}
	if _, err := week.Plan(t.Context(), js); err == nil || !strings.Contains(err.Error(), `CALLBRIDGE_RESULTS is there with storage = Memory`) {
		t.Errorf("the plan: %v", err)
	}
	if _, err := js.Stream(t.Context(), "CALLBRIDGE_REQUESTS"); err == nil {
		t.Error("a plan makes a stream")
	}
}

// TestPlanKeepsWhatWaits: with a shorter age NATS would delete a request that is not done.
func TestPlanKeepsWhatWaits(t *testing.T) {
	t.Parallel()
	js := jetStream(t)
	applied(t, js, week)
	if _, err := js.Publish(t.Context(), "callbridge.request.website.a.ready", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	short := week
	short.Retention = time.Nanosecond
	_, err := short.Plan(t.Context(), js)
	if err == nil || !strings.Contains(err.Error(), "a message for consumer dispatch waits for") || !strings.Contains(err.Error(), "choose a longer RETENTION") {
		t.Fatalf("the plan: %v", err)
	}
	consumer, err := js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", stream.Dispatch)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Acknowledge(t, consumer)
	if _, err := short.Plan(t.Context(), js); err != nil {
		t.Errorf("nothing waits: %v", err)
	}
}

// TestAStepThatFailsSaysWhich: the caller stops there.
func TestAStepThatFailsSaysWhich(t *testing.T) {
	t.Parallel()
	js := jetStream(t)
	steps, err := week.Plan(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"callbridge.>"}}); err != nil {
		t.Fatal(err)
	}
	if err := steps[0].Apply(t.Context(), js); err == nil || !strings.HasPrefix(err.Error(), "make stream CALLBRIDGE_REQUESTS: ") {
		t.Errorf("it says %v", err)
	}
}
