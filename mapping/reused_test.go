package mapping_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/mapping"
)

// deliveryMembers are what CRMs change when they repeat a webhook.
var deliveryMembers = regexp.MustCompile(`"(attemptNumber|attempt|retry|delivery_attempts|first_sent_at)": ?(\d+)`)

// items maps each event of a delivery that comes in at a time, and returns what is
// stored of it.
func items(t *testing.T, config *mapping.Config, c presetCase, body string, at time.Time) (all []event.Item) {
	t.Helper()
	sent := newSender(t, c.preset, presetSecret(c.preset, "SECRET")).send(t, body, c.header, at)
	source, _ := config.Source("crm")
	events, err := source.Receive(sent)
	if err != nil {
		t.Fatalf("%s/%s: %v", c.preset, c.name, err)
	}
	for _, in := range events {
		led, err := config.Items(in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, led...)
	}
	return all
}

func TestRepeatsOfEveryCRMAreTheSameEvent(t *testing.T) {
	t.Parallel()
	counting := map[string]bool{}
	for _, c := range presetCases(t) {
		config, _ := loadPreset(t, c.preset)
		body := deliveryMembers.ReplaceAllString(c.body, `"$1": 1$2`)
		if body != c.body {
			counting[c.preset] = true
		}
		first, again := items(t, config, c, c.body, received), items(t, config, c, body, received.Add(time.Minute))
		if len(first) != len(again) {
			t.Fatalf("%s/%s: %d items, and %d when it is repeated", c.preset, c.name, len(first), len(again))
		}
		for i := range first {
			if a, b := first[i].Event(), again[i].Event(); a.ID != b.ID {
				continue // identified by the whole body
			}
			if rejection, differs := config.Reused(first[i], again[i]); differs {
				t.Errorf("%s/%s: a repeat is rejected: %s", c.preset, c.name, rejection.Result.Detail)
			}
			if a, b := first[i].Result, again[i].Result; a != nil && a.RequestID != b.RequestID {
				t.Errorf("%s/%s: a repeat has another %s result (%s)", c.preset, c.name, a.Outcome, a.Reason)
			}
		}
	}
	for _, preset := range []string{"hubspot", "intercom", "pipedrive"} {
		if !counting[preset] {
			t.Errorf("no delivery of %s counts its attempts", preset)
		}
	}
}

var mainNumber = regexp.MustCompile(`2025550142|202\) 555-0142|202-555-0142|79460321`)

// With another number under the same key, the second person is never silent.
func TestAnotherNumberUnderTheKeyOfAPresetIsRejected(t *testing.T) {
	t.Parallel()
	var compared []string
	for _, c := range presetCases(t) {
		config, _ := loadPreset(t, c.preset)
		body := mainNumber.ReplaceAllStringFunc(c.body, func(found string) string { return found[:len(found)-1] + "7" })
		first, next := items(t, config, c, c.body, received), items(t, config, c, body, received)
		for i := range min(len(first), len(next)) {
			if first[i].Event().ID != next[i].Event().ID || first[i].Request == nil || next[i].Request == nil {
				continue
			}
			if mainNumber.Match(first[i].Request.Call) == mainNumber.Match(next[i].Request.Call) {
				continue // its number is another one
			}
			compared = append(compared, c.preset)
			rejection, differs := config.Reused(first[i], next[i])
			if !differs || rejection.Result.Reason != event.ReasonKeyReused || !strings.Contains(rejection.Result.Detail, "another person") {
				t.Errorf("%s/%s: another number is taken for a repeat", c.preset, c.name)
			}
		}
	}
	if slices.Sort(compared); len(slices.Compact(compared)) < 5 {
		t.Errorf("only %v were compared", compared)
	}
}

const reusedConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields:
      phone: {path: [phone, "query:phone"], type: phone, region: US}
      name: {path: name, optional: true}
routes:
  - {name: call, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone, agent_dynamic_variables: {name: "{{name|you}}"}}}
`

func requestItem(e event.Event, call string) event.Item {
	return event.Item{Request: &event.Request{ID: event.RequestID(e.ID, "call"), Route: "call", Event: e, Call: []byte(call)}}
}

func TestReusedComparesWhatTheBusKeeps(t *testing.T) {
	t.Parallel()
	config := parse(t, reusedConfig)
	of := func(data string) event.Event {
		return event.Event{ID: event.EventID("crm", "1"), Source: "crm", Key: "1", Data: []byte(data), Received: received}
	}
	const ada, grace = `{"call_to":"+12025550142"}`, `{"call_to":"+12025550177"}`
	for _, c := range []struct {
		name         string
		stored, next event.Item
		want         bool
	}{
		{"the same", requestItem(of(`{"phone":"2025550142"}`), ada), requestItem(of(`{"phone":"+12025550142"}`), ada), false},
		{"another number", requestItem(of(`{"phone":"2025550142"}`), ada), requestItem(of(`{"phone":"2025550177"}`), grace), true},
		{"another name", requestItem(of(`{"phone":"2025550142","name":"A"}`), ada), requestItem(of(`{"phone":"2025550142","name":"B"}`), ada), true},
		{"the number is in the query, which is not kept", requestItem(of(`{}`), ada), requestItem(of(`{}`), grace), true},
		{"the same number in the query", requestItem(of(`{}`), ada), requestItem(of(`{}`), ada), false},
		{"a request of another service, without its event", requestItem(event.Event{}, ada), requestItem(of(`{"phone":"2025550142"}`), ada), false},
		{"a request of another service for another number", requestItem(event.Event{}, grace), requestItem(of(`{"phone":"2025550142"}`), ada), true},
		{"nothing is kept", event.Item{}, requestItem(of(`{"phone":"2025550142"}`), ada), false},
		{"the stored call cannot be read", requestItem(event.Event{}, `{`), requestItem(of(`{"phone":"2025550142"}`), ada), false},
	} {
		rejection, differs := config.Reused(c.stored, c.next)
		if differs != c.want {
			t.Errorf("%s: key_reused %t, want %t", c.name, differs, c.want)
		}
		if differs && (rejection.Result.RequestID == c.next.Request.ID || strings.Contains(fmt.Sprint(rejection.Result.Detail), "0177")) {
			t.Errorf("%s: got %+v", c.name, rejection.Result)
		}
	}
}
