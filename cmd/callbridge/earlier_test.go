package main

import (
	"strings"
	"testing"

	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

// TestAStoreOfAnEarlierVersion has one call that was made and one that waits, in a
// stream with message schedules. The new version makes the second call, and repeats
// neither.
func TestAStoreOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startBridge(t, map[string]string{"NATS_STORE_DIR": dir})
	first.website(exampleBody(t, "website-lead.json"))
	if got := first.result(); got.Outcome != "accepted" {
		t.Fatalf("the first lead ends %s", got.Outcome)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	// Callab is down, so that the second lead waits.
	down := startBridge(t, map[string]string{"NATS_STORE_DIR": dir, "CALLAB_URL": "http://127.0.0.1:1/v1"})
	const second = `{"id":"lead-2","type":"lead.created","contact":{"first_name":"Joan","phone":"+12025550157","score":80,"voice_consent":true}}`
	if status := down.website(second); status != 202 {
		t.Fatalf("the second lead is answered %d", status)
	}
	if err := down.stop(); err != nil {
		t.Fatal(err)
	}

	js, stop := bustest.Store(t, dir)
	stream, err := js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.AllowMsgSchedules, c.AllowRollup = true, true
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	stop()

	again := startBridge(t, map[string]string{"NATS_STORE_DIR": dir})
	testkit.Eventually(t, "the lead that waited is called", func() bool { return len(again.sim.Placed()) == 1 })
	for _, body := range []string{exampleBody(t, "website-lead.json"), second} {
		if answer := again.post("/webhooks/website", body, signed(body)); !strings.Contains(answer.Body, `"duplicate"`) {
			t.Errorf("a lead that was accepted before is answered %s", answer.Body)
		}
	}
	again.website(exampleBody(t, "website-no-phone.json"))
	for again.result().Outcome != "rejected" {
	}
	if calls := len(again.sim.Placed()); calls != 1 {
		t.Errorf("%d calls, want that of the lead that waited", calls)
	}
}
