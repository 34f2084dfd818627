package docs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/internal/testkit"
	"callbridge/mapping"
	"callbridge/mapping/config"
	"callbridge/policy"
	"callbridge/policy/hours"
)

// policyPage is docs/policy.md.
func policyPage(t *testing.T) string { return testkit.Read(t, "docs/policy.md") }

// policyExamples are the chapters of the page with a whole configuration, and what each of
// their webhooks says beside what its row says.
var policyExamples = []struct {
	chapter, source string
	always          map[string]any
}{
	{"Marketing in the United States", "hubspot", map[string]any{"hs_object_id": "1", "voice_consent": "yes", "do_not_call": "no"}},
	{"Service calls in Germany", "shop", map[string]any{"event_id": "1", "do_not_call": false}},
	{"Appointment reminders", "clinic", map[string]any{"appointment": 1, "status": "booked"}},
}

var exampleRow = regexp.MustCompile("(?m)^\\| `(\\S+)` \\| `(.+)` \\| (.+) \\|$")

// TestPolicyExamplesHold: each row of an example is what the mapping decides, and what is
// decided again right before the call.
func TestPolicyExamplesHold(t *testing.T) {
	t.Parallel()
	for _, example := range policyExamples {
		_, chapter, found := strings.Cut(policyPage(t), "\n## "+example.chapter+"\n")
		if !found {
			t.Fatalf("no chapter %q", example.chapter)
		}
		chapter, _, _ = strings.Cut(chapter, "\n## ")
		_, text, _ := strings.Cut(chapter, "```yaml\n")
		text, _, _ = strings.Cut(text, "```")
		c, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{LookupEnv: func(string) (string, bool) { return "a secret that is long enough", true }})
		if err != nil {
			t.Fatalf("%s: %v", example.chapter, err)
		}
		if w := c.Warnings(); len(w) > 0 {
			t.Errorf("%s: %v", example.chapter, w)
		}
		rows := exampleRow.FindAllStringSubmatch(chapter, -1)
		if len(rows) < 4 {
			t.Errorf("%s: %d rows", example.chapter, len(rows))
		}
		for _, row := range rows {
			got := happens(t, c, example.source, row[1], row[2], example.always)
			if !strings.HasPrefix(row[3], got) {
				t.Errorf("%s: %s %s: got %q, the page says %q", example.chapter, row[1], row[2], got, row[3])
			}
		}
	}
}

// happens is what becomes of a webhook, in the words of the page.
func happens(t *testing.T, c *mapping.Config, source, at, body string, always map[string]any) string {
	t.Helper()
	received, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]any{}
	if err := json.Unmarshal([]byte(body), &said); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	whole := maps.Clone(always)
	maps.Copy(whole, said)
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Source(source)
	events, err := s.Read(mapping.Delivery{Method: http.MethodPost, URL: &url.URL{Path: "/"}, Header: http.Header{"Content-Type": {"application/json"}}, Body: text, Received: received})
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: %d events, %v", text, len(events), err)
	}
	d := c.Map(events[0])[0]
	if d.Request == nil {
		return "no call, `" + string(d.Result.Reason) + "`"
	}
	p, f := c.Policy(d.Request)
	again := policy.Decide(p, f, received)
	if again.Action != d.Verdict.Action || !again.Until.Equal(d.Verdict.Until) {
		t.Errorf("%s %s: before the call: %+v", at, body, again)
	}
	if again.Action == policy.Wait {
		if v := policy.Decide(p, f, again.Until); v.Action != policy.Go {
			t.Errorf("%s %s: at %s: %+v", at, body, again.Until, v)
		}
		return "waits until `" + again.Until.UTC().Format(time.RFC3339) + "`"
	}
	return "called"
}

// TestPolicyPageIsComplete: each key, profile and reason is on the page.
func TestPolicyPageIsComplete(t *testing.T) {
	t.Parallel()
	page := policyPage(t)
	for _, key := range config.PolicyKeys {
		if !strings.Contains(page, "\n| `"+key.Name+"` | ") {
			t.Errorf("the key %s is missing", key.Name)
		}
	}
	for _, name := range hours.Profiles() {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("the profile %s is missing", name)
		}
	}
	for _, reason := range []event.Reason{event.ReasonExpired, event.ReasonNoZone, event.ReasonOutsideHours, event.ReasonPolicyDataOld} {
		if !strings.Contains(page, fmt.Sprintf("`%s`", reason)) {
			t.Errorf("the reason %s is missing", reason)
		}
	}
}
