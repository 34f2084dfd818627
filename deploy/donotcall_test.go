package deploy_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"callbridge/bus/bustest"
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
