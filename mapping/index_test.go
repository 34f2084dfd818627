package mapping_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"callbridge/mapping"
)

const indexConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [body:id, sha256:body]
    type: [body:type, "lookup:type"]
    lookup: {when: ask, url: "https://api.example.com/{{key}}"}
    fields:
      ask: {path: ask, type: bool, default: false}
      phone: {path: phone, type: phone}
      consent: {path: consent, type: bool}
      stage: {path: stage}
      owner: {path: [owner, "lookup:owner"]}
      job: {path: job, optional: true}
      nation: {path: nation, type: country, optional: true}
      plan: {path: plan, default: free}
      score: {path: score, type: number}
      tags: {path: tags, type: list}
routes:
`

// route has a rule, which may say nothing.
func route(name, more, when string) string {
	if when != "" {
		more += fmt.Sprintf("when: %q, ", when)
	}
	return fmt.Sprintf("  - {name: %s, source: crm, %scall: {call_to: phone}}\n", name, more)
}

// sameAsEveryRule holds what the index decides against what all rules decide,
// and returns the routes that were asked.
func sameAsEveryRule(t *testing.T, config *mapping.Config, in mapping.Incoming) []string {
	t.Helper()
	plain := config.WithoutIndex()
	if got, want := config.Map(in), plain.Map(in); !reflect.DeepEqual(got, want) {
		t.Fatalf("event %s:\ngot  %+v\nwant %+v", in.Event.Data, got, want)
	}
	gotRequest, got := config.Lookup(in)
	if wantRequest, want := plain.Lookup(in); got != want || !reflect.DeepEqual(gotRequest, wantRequest) {
		t.Fatalf("event %s: look-up %v, want %v", in.Event.Data, got, want)
	}
	return config.Asked(in)
}

func single(t testing.TB, config *mapping.Config, body string) mapping.Incoming {
	t.Helper()
	return read(t, config, "crm", "application/json", body)[0]
}

const (
	asked  = true
	spared = false
)

// big makes a rule fail that tries each of the tags.
var big = `"tags": [` + strings.Repeat(`"a",`, 3000) + `"b"], "job": "` + strings.Repeat("x", 5000) + `"`

var indexCases = []struct {
	when, body string
	want       bool
}{
	{`stage == "won"`, `"stage": "won"`, asked},
	{`stage == "won"`, `"stage": " won "`, asked},
	{`stage == "won"`, `"stage": "lost"`, spared},
	{`stage == "won"`, `"stage": "Won"`, spared},
	{`stage == "5"`, `"stage": 5`, asked},
	{`stage == "5"`, `"stage": 6`, spared},
	{`"won" == stage`, `"stage": "lost"`, spared},
	{`stage in ["won", "open", "won"]`, `"stage": "won"`, asked},
	{`stage in ["won", "open"]`, `"stage": "lost"`, spared},
	{`stage in []`, `"stage": "lost"`, spared},
	{`stage == "won" || "open" == stage || stage in ["new"]`, `"stage": "new"`, asked},
	{`stage == "won" || "open" == stage || stage in ["new"]`, `"stage": "lost"`, spared},
	{`consent && (score > 5 && stage == "won")`, `"stage": "lost"`, spared},
	{`stage == "won" && stage == "lost"`, `"stage": "open"`, spared},
	{`type == "a"`, `"type": "b"`, spared},
	{`source == "crm"`, `"x": 1`, asked},
	{`key == "a"`, `"id": "b"`, spared},
	{`phone == "+12025550142"`, `"x": 1`, asked},
	{`phone == "+12025550142"`, `"phone": "+12025550143"`, spared},
	{`nation == "DE"`, `"nation": "Germany"`, asked},
	{`nation == "Germany"`, `"nation": "Germany"`, spared},
	{`plan == "free"`, `"x": 1`, asked},
	{`plan == "paid"`, `"x": 1`, spared},

	// Numbers, as exact as a double is.
	{`score == 50`, `"score": 51`, spared},
	{`score == 50`, `"score": "50.0"`, asked},
	{`score > 5`, `"score": 5`, spared},
	{`score >= 5`, `"score": 5`, asked},
	{`score < 5`, `"score": 5`, spared},
	{`score <= 5.5`, `"score": 5.5`, asked},
	{`5 < score`, `"score": 5`, spared},
	{`5 <= score`, `"score": 4`, spared},
	{`5 > score`, `"score": 4`, asked},
	{`5 >= score`, `"score": 6`, spared},
	{`consent && score > 5`, `"score": 5`, spared},
	{`score > 5`, `"x": 1`, asked},
	{`score > 5`, `"score": "few"`, asked},
	{`score > 9007199254740992`, `"score": 9007199254740993`, asked},
	{`score < 9007199254740993`, `"score": 9007199254740993`, asked},
	{`score > 5 && tags.all(tag, !job.contains(tag))`, `"score": 5, ` + big, spared},
	{`score > 5 || consent`, `"score": 5, "consent": true`, asked},
	{`score + 1 > 5`, `"score": 1`, asked},
	{`!(score > 5)`, `"score": 1`, asked},
	{`score > score`, `"score": 1`, asked},
	{`size(tags) > 5`, `"tags": []`, asked},

	// What the event does not have, or not yet, leaves a rule undecided.
	{`stage == "won"`, `"x": 1`, asked},
	{`stage == "won"`, `"stage": ""`, asked},
	{`stage == "won"`, `"stage": {"now": "lost"}`, asked},
	{`stage in []`, `"x": 1`, asked},
	{`job == "cook"`, `"x": 1`, asked},
	{`nation == "DE"`, `"nation": "Utopia"`, asked},
	{`type == "a"`, `"x": 1`, asked},
	{`type == "a"`, `"ask": true`, asked},
	{`owner == "ann"`, `"ask": true`, asked},
	{`owner == "ann"`, `"ask": true, "owner": "bob"`, spared},

	// The rest of a rule may be unknown or fail: it is false all the same.
	{`consent && stage == "won"`, `"stage": "lost"`, spared},
	{`consent && stage == "won"`, `"stage": "lost", "consent": "perhaps"`, spared},
	{`tags[3] == "x" && stage == "won"`, `"stage": "lost", "tags": ["a"]`, spared},
	{`tags[3] == "x" && stage == "won"`, `"stage": "won", "tags": ["a"]`, asked},

	// A rule that is stopped because of what it costs fails before its test.
	{`stage == "won" && tags.all(tag, !job.contains(tag))`, `"stage": "lost", ` + big, spared},
	{`plan == "free" && stage in ["won", "open"] && tags.all(tag, !job.contains(tag))`, `"stage": "lost", ` + big, spared},
	{`tags.all(tag, !job.contains(tag)) && stage == "won"`, `"stage": "lost", ` + big, asked},
	{`plan == "free" && tags.all(tag, !job.contains(tag)) && stage == "won"`, `"stage": "lost", ` + big, asked},

	// No tests, though they look like some.
	{``, `"stage": "lost"`, asked},
	{`stage != "won"`, `"stage": "lost"`, asked},
	{`!(stage == "won")`, `"stage": "lost"`, asked},
	{`!(stage in ["won"])`, `"stage": "lost"`, asked},
	{`stage == "won" || owner == "ann"`, `"stage": "lost", "owner": "bob"`, asked},
	{`stage == "won" || consent`, `"stage": "lost", "consent": true`, asked},
	{`stage == job`, `"stage": "lost", "job": "won"`, asked},
	{`stage in ["won", job]`, `"stage": "lost", "job": "lost"`, asked},
	{`lower(stage) == "won"`, `"stage": "WON"`, asked},
	{`consent ? stage == "won" : true`, `"stage": "lost", "consent": false`, asked},
	{`score in []`, `"score": 51`, asked},
	{`present(stage) in []`, `"stage": "lost"`, asked},
	{`"won" in tags`, `"tags": ["lost"]`, asked},
	{`"won" == "lost"`, `"stage": "lost"`, asked},
	{`tags.exists(stage, stage == "won")`, `"stage": "lost", "tags": ["won"]`, asked},
}

func TestOnlyRoutesThatMayTakeAnEventAreAsked(t *testing.T) {
	t.Parallel()
	for _, c := range indexCases {
		t.Run(fmt.Sprintf("%s with %.40s", c.when, c.body), func(t *testing.T) {
			t.Parallel()
			config := parse(t, indexConfig+route("one", "mode: live, ", c.when)+route("two", "mode: live, ", c.when))
			var want []string
			if c.want == asked {
				want = []string{"one", "two"}
			}
			in := single(t, config, `{`+c.body+`}`)
			if got := sameAsEveryRule(t, config, in); !slices.Equal(got, want) {
				t.Errorf("asked were %v, want %v", got, want)
			}
			if got, want := config.Explain(in), config.WithoutIndex().Explain(in); !reflect.DeepEqual(got, want) {
				t.Errorf("explained as\n%+v, want\n%+v", got, want)
			}
		})
	}
}

func TestRoutesAreAskedInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	config := parse(t, indexConfig+
		route("all", "", "")+
		route("ann", "", `owner == "ann" && type == "a"`)+
		route("won", "", `stage == "won"`)+
		route("bob", "", `owner in ["bob", "ann"]`)+
		route("rich", "", `score > 5`)+
		route("open", "stop: true, ", `stage == "open" || stage == "won"`)+
		route("cem", "", `owner == "cem"`)+
		route("last", "enabled: false, ", `owner == "ann"`))
	for body, want := range map[string]string{
		`{"type": "a", "owner": "ann", "stage": "won"}`: "all ann won bob rich open last",
		`{"type": "a", "owner": "bob", "stage": "won"}`: "all won bob rich open",
		`{"type": "b", "owner": "ann"}`:                 "all ann won bob rich open last",
		`{"owner": "cem", "stage": "open"}`:             "all rich open cem",
		`{"stage": "lost"}`:                             "all ann bob rich cem last",
		`{"owner": "dan", "stage": "lost"}`:             "all rich",
	} {
		for _, config := range []*mapping.Config{config, config.WithMode(mapping.Live)} {
			if got := sameAsEveryRule(t, config, single(t, config, body)); strings.Join(got, " ") != want {
				t.Errorf("%s: asked were %v, want %s", body, got, want)
			}
		}
	}
}

func TestRoutesThatWantANumberAreFoundByIt(t *testing.T) {
	t.Parallel()
	config := parse(t, indexConfig+
		route("twenty", "", `score >= 20`)+
		route("over-ten", "", `score > 10 && stage == "won"`)+
		route("ten", "", `10 <= score`)+
		route("below-ten", "", `score < 10`)+
		route("all", "", ``)+
		route("to-ten", "", `score <= 10 && score > 7`)+
		route("to-five", "", `5 >= score`)+
		route("lost-over-ten", "", `score > 10 && stage == "lost"`))
	for body, want := range map[string]string{
		`{"score": 20, "stage": "won"}`: "twenty over-ten ten all",
		`{"score": 19, "stage": "won"}`: "over-ten ten all",
		`{"score": 10, "stage": "won"}`: "ten all to-ten",
		`{"score": 9.5}`:                "below-ten all to-ten",
		`{"score": 7}`:                  "below-ten all",
		`{"score": -1e9}`:               "below-ten all to-five",
		`{"score": 11, "stage": "off"}`: "ten all",
		`{"score": 11}`:                 "over-ten ten all lost-over-ten",
		`{"stage": "won"}`:              "twenty over-ten ten below-ten all to-ten to-five",
		`{}`:                            "twenty over-ten ten below-ten all to-ten to-five lost-over-ten",
	} {
		if got := sameAsEveryRule(t, config, single(t, config, body)); strings.Join(got, " ") != want {
			t.Errorf("%s: asked were %v, want %s", body, got, want)
		}
	}
}
