package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/rule"
)

// parse is Parse for configurations that are right.
func parse(t testing.TB, text string) *mapping.Config {
	t.Helper()
	return parseWith(t, text, "open sesame")
}

// longSecret is a secret without a warning.
const longSecret = "a secret that is long enough"

// parseWith is parse with another value of ${SECRET}.
func parseWith(t testing.TB, text, secret string) *mapping.Config {
	t.Helper()
	config, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{
		LookupEnv: func(name string) (string, bool) { return secret, name == "SECRET" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

const rulesConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [body:id, sha256:body]
    type: body:type
    time: body:time
    fields:
      phone: {path: phone, type: phone}
      consent: {path: consent, type: bool}
      do_not_call: {path: do_not_call, type: bool}
      stage: {path: stage}
      score: {path: score, type: number}
      nickname: {path: nickname, optional: true}
      vip: {path: vip, type: bool, optional: true}
      rating: {path: rating, type: number, default: 3}
      job: {path: job}
      tags: {path: tags, type: list}
      created: {path: created, type: time}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, policy: {countries: [US]}, when: %q, call: {call_to: phone}}
`

// decide maps one JSON event with one rule to "requested", or to the outcome,
// reason and field of the result.
func decide(t testing.TB, when, body string) string {
	t.Helper()
	return decideWith(t, parse(t, fmt.Sprintf(rulesConfig, when)), body)
}

// decideWith returns outcome, reason and field of the only decision about a webhook.
func decideWith(t testing.TB, config *mapping.Config, body string) string {
	t.Helper()
	o := outcomeOf(mapOne(t, config, body))
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Outcome, o.Reason, o.Field))
}

func mapOne(t testing.TB, config *mapping.Config, body string) mapping.Decision {
	t.Helper()
	decisions := config.Map(read(t, config, "crm", "application/json", body)[0])
	if len(decisions) != 1 {
		t.Fatalf("%d decisions, want 1", len(decisions))
	}
	return decisions[0]
}

const (
	skipped   = "skipped no_route"
	requested = "requested"
)

var trapCases = []struct{ when, body, want string }{
	// The seven traps.
	{`consent && true`, `"consent": "false"`, skipped},
	{`!do_not_call`, `"x": 1`, "rejected missing_field do_not_call"},
	{`stage != "customer"`, `"x": 1`, "rejected missing_field stage"},
	{`score >= 50`, `"score": "7"`, skipped},
	{`score < 50`, `"score": null`, "rejected missing_field score"},
	{`score >= 50`, `"score": 72`, requested},
	{`!consent`, `"consent": false`, requested},

	{`consent`, `"consent": "maybe"`, "rejected bad_field consent"},
	{`!consent`, `"consent": ""`, "rejected missing_field consent"},
	{`!consent`, `"consent": {"value": false}`, "rejected bad_field consent"},
	{`score < 50`, `"score": "1,200"`, "rejected bad_field score"},
	{`score == 50`, `"score": "50.0"`, requested},
	{`score in [1, 50]`, `"score": 50`, requested},
	{`score > 9007199254740992`, `"score": 9007199254740993`, requested},
	{`type != "ping"`, `"x": 1`, "rejected missing_field type"},
	{`time < timestamp("2030-01-01T00:00:00Z")`, `"time": "soon"`, "rejected bad_field time"},

	// A field that decides nothing may be missing.
	{`stage == "lead" && consent`, `"stage": "customer"`, skipped},
	{`consent && stage == "lead"`, `"stage": "customer"`, skipped},
	{`stage == "lead" || consent`, `"stage": "lead"`, requested},
	{`stage == "lead" ? consent : score > 5`, `"stage": "x", "score": 6`, requested},

	// Optional fields leave a route undecided, and then it does not match.
	{`vip`, `"x": 1`, skipped},
	{`!vip`, `"x": 1`, skipped},
	{`!vip`, `"vip": "perhaps"`, skipped},
	{`vip || score > 5`, `"score": 6`, requested},
	{`vip && consent`, `"x": 1`, "rejected missing_field consent"},
	{`!present(nickname)`, `"nickname": " "`, requested},
	{`present(nickname) && nickname == "al"`, `"nickname": "al"`, requested},
	{`!present(vip)`, `"vip": "perhaps"`, skipped},
	{`!present(consent)`, `"consent": "perhaps"`, "rejected bad_field consent"},

	// A default stands for nothing, not for something unreadable.
	{`rating == 3`, `"x": 1`, requested},
	{`rating == 3`, `"rating": "three"`, "rejected bad_field rating"},

	// What fails while it runs.
	{`tags[3] == "x"`, `"tags": ["a"]`, "rejected rule_failed"},
	{`"x" in tags`, `"tags": "x"`, requested},
	{`tags.exists(tag, tag.startsWith("a"))`, `"tags": ["b", "a1"]`, requested},
	{`local_hour(created, stage) > 3`, `"created": 1795000000, "stage": "Nowhere/At all"`, "rejected rule_failed"},
}

// TestOddFieldsNeverLeadToACall holds what other rule languages get wrong with
// what CRMs send: texts for bools and numbers, null, and nothing at all.
func TestOddFieldsNeverLeadToACall(t *testing.T) {
	t.Parallel()
	for _, c := range trapCases {
		t.Run(c.when+" with "+c.body, func(t *testing.T) {
			t.Parallel()
			if got := decide(t, c.when, `{"phone": "+12025550142", `+c.body+`}`); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestFunctionsDoWhatTheirExamplesSay evaluates the examples of the
// documentation, which hold for this event.
func TestFunctionsDoWhatTheirExamplesSay(t *testing.T) {
	t.Parallel()
	const body = `{"phone": "+12025550142", "job": "Head of Sales", "created": "2026-11-20T09:00:00-05:00"}`
	for _, f := range rule.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			if got := decide(t, f.Example, body); got != "requested" {
				t.Errorf("%s: got %q", f.Example, got)
			}
			if got := decide(t, "!("+f.Example+")", body); got != "skipped no_route" {
				t.Errorf("not %s: got %q", f.Example, got)
			}
		})
	}
}

func TestTimeFunctionsCountFromTheMomentTheWebhookCame(t *testing.T) {
	t.Parallel()
	const body = `{"phone": "+12025550142", "created": "2026-11-21T00:00:00Z"}` // received 23 November, 12:00
	for _, when := range []string{
		`days_since(created) == 2.5`, `hours_since(created) == 60`,
		`hours_since(timestamp("2026-11-24T12:00:00Z")) == -24`,
		`weekday(created, "America/New_York") == "friday"`, `local_hour(created, "Asia/Kolkata") == 5`,
	} {
		if got := decide(t, when, body); got != "requested" {
			t.Errorf("%s: got %q", when, got)
		}
	}
}

// TestTimesInZonesFollowOurZoneData: Vancouver has not changed its clocks in the autumn of
// 2026, which the data inside Go 1.26.8 do not know. CEL's own functions would read those.
func TestTimesInZonesFollowOurZoneData(t *testing.T) {
	t.Parallel()
	const body = `{"phone": "+12025550142", "created": "2026-12-01T07:34:56.789Z"}`
	for _, when := range []string{
		`local_hour(created, "America/Vancouver") == 0`, `weekday(created, "America/Vancouver") == "tuesday"`,
		`created.getHours("America/Vancouver") == 0`, `created.getDate("America/Vancouver") == 1`,
		`created.getDayOfMonth("America/Vancouver") == 0`, `created.getMonth("America/Vancouver") == 11`,
		`created.getDayOfWeek("America/Vancouver") == 2`, `created.getDayOfYear("America/Vancouver") == 334`,
		`created.getFullYear("America/Vancouver") == 2026`, `created.getMinutes("America/Vancouver") == 34`,
		`created.getSeconds("America/Vancouver") == 56`, `created.getMilliseconds("America/Vancouver") == 789`,
		`created.getHours("-08:00") == 23`, `created.getHours("02:00") == 9`, `created.getHours() == 7`,
	} {
		if got := decide(t, when, body); got != "requested" {
			t.Errorf("%s: got %q", when, got)
		}
	}
}

func TestARuleThatCostsTooMuchIsStopped(t *testing.T) {
	t.Parallel()
	tags, stage := strings.Repeat(`"a",`, 2000)+`"b"`, strings.Repeat("x", 5000)
	got := decide(t, `tags.all(tag, !stage.contains(tag))`,
		`{"phone": "+12025550142", "tags": [`+tags+`], "stage": "`+stage+`"}`)
	if want := "rejected " + string(event.ReasonRuleFailed); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
