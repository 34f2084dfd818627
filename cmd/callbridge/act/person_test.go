package act_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/people"
	"callbridge/cmd/callbridge/act"
)

// twoRoutes has a route that calls a person once in 30 days, and one that calls at any time.
const twoRoutes = `
policy: {countries: [US], hours: any, expire: 2400h}
sources:
  crm: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${KEY}"]}, key: [body:id], fields: {phone: {path: phone, type: phone}}}
routes:
  - {name: new-lead, source: crm, mode: live, purpose: service, policy: {caps: {30d: 1}}, when: "true", call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}
  - {name: recall, source: crm, mode: live, purpose: service, when: "true", call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}
`

// TestAPersonIsShown: calls in their zone, entries of the list, and the next call.
func TestAPersonIsShown(t *testing.T) {
	t.Parallel()
	b, list := answering(t)
	settings := func(context.Context) (bus.Config, error) { return bustest.Remote(b.UserURL("operator")), nil }
	at := time.Now().UTC().Truncate(time.Second)
	c := people.Call{Request: uuid.New(), Attempt: 1, At: at}
	if err := b.Memory().Reserve(t.Context(), "+12025550142", people.Document{}, 0, c); err != nil {
		t.Fatal(err)
	}
	list("add", "+12025550142", "--why", "asked", "--by", "ada", "--source", "shop")
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	if err := os.WriteFile(file, []byte(twoRoutes), 0o600); err != nil {
		t.Fatal(err)
	}
	show := func(args ...string) string { return run(t, act.NewPerson(settings, configuration), "", args...) }
	got := show("-c", file, "+1 202 555 0142")
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"+12•••••••42, by the number in America/New_York\n", "1 calls are remembered\n",
		"  " + at.Format(time.RFC3339) + ", " + at.In(newYork).Format("Mon 15:04 -07:00") + ", request " + c.Request.String() + ", attempt 1",
		"+12•••••••42 must not be called: source shop, by ada since ",
		"route new-lead of source crm: waits until " + at.Add(30*24*time.Hour).Format(time.RFC3339) + ", ", "(capped: 1 in 30 days, of 1)",
		"route recall of source crm: may call now\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("printed %q, want %q", got, want)
		}
	}
	var shown struct {
		Number string
		Calls  []people.Call
		Next   []struct{ Action string }
	}
	if err := json.Unmarshal([]byte(show("--reveal", "-o", "json", "+12025550142")), &shown); err != nil || shown.Number != "+12025550142" || len(shown.Calls) != 1 || shown.Next != nil {
		t.Errorf("-o json: %+v, %v", shown, err)
	}
	if got := show("+12025550143"); !strings.Contains(got, "0 calls are remembered\n+12•••••••43 is not on the list\n") {
		t.Errorf("somebody else: %q", got)
	}
	if got := show("lead-1"); !strings.Contains(got, "error: number 1 cannot be read") {
		t.Errorf("no number: %q", got)
	}
}
