package outcome_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"callbridge/follow/outcome"
	"callbridge/internal/testkit"
	"callbridge/mapping/config"
)

func TestOwnWordsAndRulesComeFirst(t *testing.T) {
	t.Parallel()
	const own = `
statuses: {wrapped_up: final}
how: {ring_no_pickup: no_answer, sip_480: failed}
machines: {amd_machine: voicemail}
answers: {spouse: person}
tasks: {booked: done}
flags: {nope: "no"}
quotes: {answered_by: [who]}
rules:
  - {when: 'disconnect_reason.startsWith("error_")', class: provider_failed}
  - {name: fax, when: 'has(agent_post_call_outcomes.kind) && agent_post_call_outcomes.kind == "fax"', class: invalid_number}
  - {name: short, when: 'call_duration < 5 && person_turns == 1 && person_said.contains("wrong number")', class: invalid_number}
  - {name: asked, when: 'answered_by == "person" && task == "done" && call_rating >= 4', class: reached}
`
	rules, err := outcome.Parse("outcomes.yaml", []byte(own))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, object string
		class        outcome.Class
		rule         string
	}{
		{"status", `{"call_status": "wrapped_up", "disconnect_reason": "no_answer"}`, outcome.NoAnswer, "no-answer"},
		{"how", `{"call_status": "completed", "disconnect_reason": "Ring: no pickup"}`, outcome.NoAnswer, "no-answer"},
		{"how replaced", `{"call_status": "failed", "disconnect_reason": "SIP 480"}`, outcome.ProviderFailed, "failed"},
		{"machine", `{"call_status": "completed", "disconnect_reason": "amd-machine"}`, outcome.Voicemail, "voicemail"},
		{"answer", `{"call_status": "completed", "agent_post_call_outcomes": {"who": "Spouse"}}`, outcome.Reached, "person"},
		{"quotes replaced", `{"call_status": "completed", "agent_post_call_outcomes": {"answered_by": "person"}}`, outcome.Unclassified, ""},
		{"rule without a name", `{"call_status": "failed", "disconnect_reason": "error_llm"}`, outcome.ProviderFailed, "outcomes.rules[0]"},
		{"member of the outcomes", `{"call_status": "failed", "agent_post_call_outcomes": {"Kind": "fax"}}`, outcome.InvalidNumber, "fax"},
		{"its absence", `{"call_status": "busy", "agent_post_call_outcomes": {}}`, outcome.Busy, "busy"},
		{"floor", `{"call_status": "completed", "call_duration": 3, "transcript": "User: Wrong number."}`, outcome.Unclassified, "short"},
		{"task", `{"call_status": "completed", "call_rating": 4, "agent_task_status": "Booked", "transcript": "User: Yes."}`, outcome.Reached, "asked"},
		{"a value that is missing", `{"call_status": "completed", "agent_task_status": "booked", "transcript": "User: Yes."}`, outcome.Reached, "person"},
	} {
		report := rules.Evaluate([]byte(c.object))
		if report.Class != c.class || report.Rule != c.rule {
			t.Errorf("%s: %s by %q, want %s by %q: %s", c.name, report.Class, report.Rule, c.class, c.rule, testkit.JSON(t, report))
		}
	}
	if report := outcome.Default().Evaluate([]byte(`{"call_status": "wrapped_up"}`)); report.Final() {
		t.Error("words of one file are known to others")
	}
}

func TestProblemsHaveTheirPosition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, want string }{
		{"empty", ``, `outcomes.yaml: the file is empty; it needs the keys of outcomes`},
		{"not YAML", `rules: [`, `outcomes.yaml:`},
		{"a list", `- when: x`, `found a list where a mapping (key: value) belongs`},
		{"unknown key", `rule: []`, `outcomes.yaml:1:1: unknown key "rule"; did you mean "rules"?`},
		{"state", `statuses: {wrapped_up: closed}`, `outcomes.yaml:1:24: statuses.wrapped_up: "closed" is not allowed here; write open, final`},
		{"spelling", `statuses: {Wrapped-Up: final}`, `outcomes.yaml:1:12: statuses: a word is in lower case with _ between its parts; write "wrapped_up"`},
		{"bare completed", `how: {completed: no_answer}`, `outcomes.yaml:1:18: how.completed: "completed" says only that the call is over; what answered is in answered_by of the agent's outcomes`},
		{"bare completed as machine", `machines: {ended: voicemail}`, `"ended" says only that the call is over`},
		{"bare completed as answer", `answers: {done: person}`, `"done" says only that the call is over`},
		{"person by reason", `machines: {user_hangup: person}`, `machines.user_hangup: "person" is not allowed here; write voicemail, screening, ivr`},
		{"end", `how: {odd: unsure}`, `how.odd: "unsure" is not allowed here`},
		{"quotes", `quotes: {answered: [who]}`, `quotes: unknown key "answered"; did you mean "answered_by"?`},
		{"name of an outcome", `quotes: {answered_by: [Who Answered]}`, `quotes.answered_by[0]: the name of an outcome is compared in lower case with _ between its parts; write "who_answered"`},
		{"rules", `rules: {when: x}`, `rules: found a mapping (key: value) where a list of rules belongs`},
		{"class", `rules: [{when: 'is_test', class: answered}]`, `rules[0].class: "answered" is not allowed here`},
		{"unresolved", `rules: [{when: 'is_test', class: unresolved}]`, `rules[0].class: "unresolved" is not allowed here`},
		{"no class", `rules: [{when: 'is_test'}]`, `rules[0]: has no class; write class: and one of reached, voicemail`},
		{"no when", `rules: [{class: busy}]`, `rules[0]: has no when; write when: and a condition`},
		{"name of a rule", `rules: [{name: My rule, when: 'is_test', class: busy}]`, `rules[0].name: a name has 1 to 64 of a-z, 0-9 and -`},
		{"name in a rule", `rules: [{when: 'call_state == "busy"', class: busy}]`, `outcomes.yaml:1:17: rules[0].when: undeclared name "call_state"; did you mean "call_status"?`},
		{"far name in a rule", `rules: [{when: 'zzzzzzzzzz == "busy"', class: busy}]`, `undeclared name "zzzzzzzzzz"; the names are call_status, disconnect_reason`},
		{"word in a rule", `rules: [{when: 'call_status == "No-Answer"', class: no_answer}]`, `outcomes.yaml:1:32: rules[0].when: a word is in lower case with _ between its parts, and never "No-Answer"; write "no_answer"`},
		{"word in a list", `rules: [{when: 'how_ended in ["busy", "no answer"]', class: busy}]`, `write "no_answer"`},
		{"type of a rule", `rules: [{when: 'call_status', class: busy}]`, `the rule is a string, not true or false`},
		{"types in a rule", `rules: [{when: 'call_duration == "3"', class: busy}]`, `rules[0].when: "==" does not take (number, string)`},
		{"secret", `rules: [{when: 'call_status == "${TOKEN}"', class: busy}]`, `${…} is only for secrets`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := outcome.Parse("outcomes.yaml", []byte(c.file))
			var problems config.Problems
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestRulesReadTheCallObject compiles a rule for each kind of name, and compares the
// page with the tables.
func TestRulesReadTheCallObject(t *testing.T) {
	t.Parallel()
	for _, when := range []string{
		`call_status == "completed"`, `disconnect_reason in ["a", "b"]`, `transcript.contains("hello")`, `agent_task_status != ""`,
		`call_duration > 3`, `days_since(started_at) < 1`, `ended_at > started_at`, `present(retry_at)`, `is_test`,
		`"interested" in agent_post_call_outcomes`, `metadata.source == "hubspot"`, `agent_dynamic_variables["first_name"] == "Ada"`,
		`how_ended == "busy"`, `answered_by == "ivr"`, `task == "done"`, `opt_out == "yes"`, `unclear_turns + ivr_turns == 0`,
		`voicemail_turns > screening_turns`, `transcript_language.startsWith("de")`, `call_rating * 2 >= 8`,
	} {
		if _, err := outcome.Parse("outcomes.yaml", []byte("rules:\n  - when: |\n      "+when+"\n    class: busy\n")); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	names := make([]string, len(outcome.Keys))
	for i, key := range outcome.Keys {
		names[i] = key.Name
	}
	page := testkit.Read(t, "docs/outcomes.md")
	for _, class := range outcome.Classes() {
		names = append(names, string(class))
	}
	for _, name := range slices.Concat(names, outcome.Ends) {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/outcomes.md does not name %s", name)
		}
	}
	example := testkit.Block(t, "docs/outcomes.md", "yaml")
	if _, err := outcome.Parse("outcomes.yaml", []byte(example)); err != nil {
		t.Errorf("the example of docs/outcomes.md: %v", err)
	}
}
