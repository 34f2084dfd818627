package deploy_test

import (
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus/bustest"
	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestAPersonOnTheListStaysThereAfterAKill: what `callbridge dnc add` has answered counts
// after kill -9 of the process that has stored it.
func TestAPersonOnTheListStaysThereAfterAKill(t *testing.T) {
	t.Parallel()
	callab := simulator(t)
	embedded := []string{
		"NATS_URL=", "NATS_USER=", "NATS_PASSWORD=", "NATS_REPLICAS=1",
		"NATS_STORE_DIR=" + t.TempDir(), fmt.Sprint("NATS_LISTEN=127.0.0.1:", bustest.Port(t)),
	}
	command := func(arguments ...string) (string, error) {
		c := exec.CommandContext(t.Context(), binary, arguments...)
		c.Env = embedded
		out, err := c.CombinedOutput()
		return string(out), err
	}
	b := serve(t, "", callab, embedded...)
	testkit.Eventually(t, "callbridge answers", func() bool {
		_, err := command("dnc", "check", "+12025550142")
		return err == nil
	})
	if out, err := command("dnc", "add", "+12025550142", "--why", "asked"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := b.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.stop()
	b = serve(t, "", callab, embedded...)
	if got := b.website("website-lead.json"); got != "requested" {
		t.Errorf("the event is %s", got)
	}
	var out string
	testkit.Eventually(t, "the event has a result", func() bool {
		out, _ = command("results")
		return strings.Contains(out, "website")
	})
	if !strings.Contains(out, "skipped  do_not_call") {
		t.Errorf("the result is %s", out)
	}
}

// TestNobodyIsCalledAfterTheAnswerAlsoIfItsProcessIsKilled: two processes place calls as fast
// as they can, one of them puts the people on the list and is killed with its answer, and the
// other one goes on.
func TestNobodyIsCalledAfterTheAnswerAlsoIfItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	const events = 400
	sim := callabsim.New(callabsim.Options{Latency: 50 * time.Millisecond})
	callab := httptest.NewServer(sim)
	t.Cleanup(callab.Close)
	api := callab.URL + "/v1"
	url := bustest.Server(t, &server.Options{Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir()}).ClientURL()
	own := []string{
		"NATS_USER=", "NATS_PASSWORD=", "NATS_REPLICAS=1", "DIAL_RATE=0", "DIAL_CONCURRENCY=4",
		"PERSON_KEY_FILE=" + testkit.File(t, "person-key", strings.Repeat("k", 32)),
	}
	bridges := []bridge{serve(t, url, api, own...), serve(t, url, api, own...)}
	results := testkit.Subscribe(t, testkit.Connect(t, url), "callbridge.result.>")
	add := exec.CommandContext(t.Context(), binary, "dnc", "add", "--why", "asked")
	add.Env = []string{"NATS_URL=" + url}
	lead := read(t, "../cmd/callbridge/example/website-lead.json")
	for n := range events {
		number := fmt.Sprintf("+1202556%04d", n)
		add.Args = append(add.Args, number)
		body := strings.NewReplacer("lead-1001", fmt.Sprint("lead-", n), "(202) 555-0142", number).Replace(lead)
		if got := bridges[n%2].post(body); got != "requested" {
			t.Fatalf("event %d is %s", n, got)
		}
	}
	testkit.Eventually(t, "calls are placed", func() bool { return sim.Posts() > 10 })
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	answered := time.Now()
	killed := 0
	for _, b := range bridges {
		if strings.Contains(b.log(), "dnc.changed") {
			killed++
			_ = b.command.Process.Kill()
		}
	}
	if killed != 1 {
		t.Errorf("%d processes have put the people on the list", killed)
	}
	ended := map[string]event.Reason{}
	for len(ended) < events {
		r := testkit.Receive[event.Result](t, results)
		ended[r.RequestID.String()] = r.Reason
	}
	last, skipped := time.Duration(0), 0
	for _, p := range sim.Placed() {
		last = max(last, p.Time.Sub(answered))
	}
	for _, reason := range ended {
		if reason == event.ReasonDoNotCall {
			skipped++
		}
	}
	if last > time.Second || skipped < events/10 || sim.Posts()+skipped > events {
		t.Errorf("the last call was placed %s after the answer; %d calls and %d skipped of %d", last, sim.Posts(), skipped, events)
	}
	t.Logf("%d calls and %d skipped; the last call %s after the answer", sim.Posts(), skipped, last)
}
