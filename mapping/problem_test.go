package mapping_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"callbridge/mapping"
)

// valid is what each case of the table breaks in one place.
const valid = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields:
      phone: {path: phone, type: phone}
      lead_score: {path: score, type: number}
      name: {path: name, optional: true}
      created: {path: created, type: time}
      tags: {path: tags, type: list}
routes:
  - name: lead
    source: crm
    mode: live
    when: lead_score >= 50
    call:
      call_to: phone
      notes: hello
    purpose: service
policy: {countries: [US], hours: any}
`

type problemCase struct {
	name     string
	old, new string
	want     string
}

var problemCases = []problemCase{
	{"unknown key of a source", "key: body:id", "kye: body:id",
		`callbridge.yaml:3:5: sources.crm: "key" is missing; say what identifies an event, for example [body:id, sha256:body]
callbridge.yaml:4:5: sources.crm: unknown key "kye"; did you mean "key"?`},
	{"unknown top-level key", "routes:", "route:",
		`callbridge.yaml:11:1: unknown key "route"; did you mean "routes"?`},
	{"unknown key of a field", "optional: true", "optionl: true",
		`callbridge.yaml:8:26: sources.crm.fields.name: unknown key "optionl"; did you mean "optional"?`},
	{"unknown key of a route", "mode: live", "modus: live",
		`callbridge.yaml:14:5: routes[0]: unknown key "modus"; did you mean "mode"?`},
	{"unknown key of the call", "notes: hello", "note: hello",
		`callbridge.yaml:18:7: routes[0].call: unknown key "note"; did you mean "notes"?`},
	{"unknown key of a verifier", "header: X-Api-Key", "haeder: X-Api-Key",
		`callbridge.yaml:3:27: sources.crm.verify: unknown key "haeder"; did you mean "header"?`},
	{"duplicate key", "    mode: live\n", "    mode: live\n    mode: live\n",
		`callbridge.yaml:15:5: routes[0]: the key "mode" is repeated`},
	{"wrong node kind", "name: {path: name, optional: true}", "name: name",
		`callbridge.yaml:8:13: sources.crm.fields.name: found a single value where a mapping (key: value) belongs`},
	{"source name", "  crm:", "  CRM!:",
		`callbridge.yaml:2:3: sources: a source name is 1 to 40 of a-z, 0-9 and -
callbridge.yaml:13:13: routes[0].source: no source "crm"; did you mean "CRM!"?`},
	{"no verifier", "    verify: {kind: token, header: X-Api-Key, values: [\"${SECRET}\"]}\n", "",
		`callbridge.yaml:3:5: sources.crm: "verify" is missing: anyone could send here; add verify: and a secret, for example {kind: token, header: X-Api-Key, values: ["${KEY}"]}`},
	{"no key", "    key: body:id\n", "",
		`callbridge.yaml:3:5: sources.crm: "key" is missing; say what identifies an event, for example [body:id, sha256:body]`},
	{"value without origin", "key: body:id", "key: id",
		`callbridge.yaml:4:10: sources.crm.key: "id" does not say where the value is; begin with body:, root:, header:, query:, lookup:, sha256: or text:`},
	{"key that is always the same", "key: body:id", "key: [body:id, text:x]",
		`callbridge.yaml:4:10: sources.crm.key: text: is the same for every event, so only the first would be called; name something that differs`},
	{"empty rule", "lead_score >= 50", `""`,
		`callbridge.yaml:15:11: routes[0].when: is empty; leave the key out to take every event`},
	{"rule that begins with an exclamation mark", "lead_score >= 50", `!consent`,
		`callbridge.yaml:15:11: routes[0].when: YAML takes !consent for a tag, not for a part of the rule; put the rule in quotes, for example "!consent"`},
	{"and goes on", "lead_score >= 50", `!consent && lead_score >= 50`,
		`callbridge.yaml:15:11: routes[0].when: YAML takes !consent for a tag, not for a part of the rule; put the rule in quotes, for example "!consent"`},
	{"rule of nothing", "lead_score >= 50", ``,
		`callbridge.yaml:15:10: routes[0].when: has no value`},
	{"unknown path", "path: score", "path: score..x",
		`callbridge.yaml:7:32: sources.crm.fields.lead_score.path: expected a key; an item of a list is written list[0]; a key with other characters goes in quotes: "First Name"`},
	{"unknown field type", "type: number", "type: numbr",
		`callbridge.yaml:7:39: sources.crm.fields.lead_score.type: "numbr" is not allowed here; did you mean "number"?`},
	{"taken field name", "name: {path", "type: {path",
		`callbridge.yaml:8:7: sources.crm.fields: the field name "type" is taken; source, key, type and time are built in`},
	{"field name of CEL", "name: {path", "in: {path",
		`callbridge.yaml:8:7: sources.crm.fields: the field name "in" is a word of the rule language`},
	{"key of another type", "path: score, type: number", "path: score, type: number, region: US",
		`callbridge.yaml:7:55: sources.crm.fields.lead_score.region: is only for type phone, and this field is number`},
	{"bad default", "type: number}", "type: number, default: many}",
		`callbridge.yaml:7:56: sources.crm.fields.lead_score.default: the default is not a valid number: found the text "many" where number belongs`},
	{"bad region", "type: phone}", "type: phone, region: usa}",
		`callbridge.yaml:6:49: sources.crm.fields.phone.region: "usa" is not a country code; write US`},
	{"bad time format", "type: time}", "type: time, format: rfc339}",
		`callbridge.yaml:9:52: sources.crm.fields.created.format: "rfc339" is not a time format; did you mean "rfc3339"?`},
	{"bad time layout", "type: time}", "type: time, format: dd.mm.yyyy}",
		`callbridge.yaml:9:52: sources.crm.fields.created.format: "dd.mm.yyyy" is not a time format; write rfc3339, unix, unix_ms, date, dotnet or an example such as "02.01.2006 15:04"`},
	{"bad max_age", "key: body:id", "key: body:id\n    max_age: soon",
		`callbridge.yaml:5:14: sources.crm.max_age: must be a duration above 0; for example 24h or 15m
callbridge.yaml:5:14: sources.crm.max_age: needs "time"; say where the CRM writes when it happened`},
	{"bad mode", "mode: live", "mode: alive",
		`callbridge.yaml:14:11: routes[0].mode: "alive" is not allowed here; did you mean "live"?`},
	{"allow without allow_list", "mode: live", "mode: live\n    allow: [+12025550100]",
		`callbridge.yaml:15:12: routes[0].allow: is only for mode allow_list`},
	{"allow_list without allow", "mode: live", "mode: allow_list",
		`callbridge.yaml:12:5: routes[0]: mode allow_list needs "allow"; name the numbers that may be dialled, for example ["+12025550100"]`},
	{"allow with no number", "mode: live", "mode: allow_list\n    allow: [2025550100]",
		`callbridge.yaml:15:13: routes[0].allow[0]: not a phone number; write it with + and country code, for example "+12025550100"`},
	{"unknown source", "source: crm", "source: [crm, crn]",
		`callbridge.yaml:13:19: routes[0].source[1]: no source "crn"; did you mean "crm"?`},
	{"unknown region", "mode: live", "mode: live\n    policy: {countries: [USA]}",
		`callbridge.yaml:15:26: routes[0].policy.countries[0]: "USA" is not a country code; write US`},
	{"country that is none", "countries: [US]", "countries: [EU]",
		`callbridge.yaml:20:22: policy.countries[0]: "EU" is not a country code; write two letters, for example US or DE`},
	{"no country", "countries: [US]", "countries: []",
		`callbridge.yaml:20:21: policy.countries: names no country; for example [US, CA]`},
	{"unknown key of the policy", "countries: [US]", "countries: [US], country: US",
		`callbridge.yaml:20:27: policy: unknown key "country"; did you mean "countries"?`},
	{"live without a policy", "policy: {countries: [US], hours: any}\n", "",
		`callbridge.yaml:12:5: routes[0]: mode live needs "policy" with countries; name the countries whose numbers may be dialled, here or for all routes: policy: {countries: [US, CA]}`},
	{"live without a purpose", "    purpose: service\n", "",
		`callbridge.yaml:12:5: routes[0]: mode live needs "purpose"; write marketing, or service for calls that the person has asked for`},
	{"purpose that is none", "purpose: service", "purpose: sales",
		`callbridge.yaml:19:14: routes[0].purpose: "sales" is not allowed here; write marketing, service`},
	{"marketing without consent", "purpose: service", "purpose: marketing",
		`callbridge.yaml:12:5: routes[0]: purpose marketing needs "consent"; name the field of type bool that is true if the person has agreed to be called`},
	{"consent of no field", "purpose: service", "consent: agred\n    purpose: marketing",
		`callbridge.yaml:19:14: routes[0].consent: the source "crm" has no field "agred"`},
	{"consent of another type", "purpose: service", "consent: name\n    purpose: marketing",
		`callbridge.yaml:19:14: routes[0].consent: "name" is of type string, not bool; declare the field with type: bool`},
	{"do_not_call of another type", "purpose: service", "do_not_call: [tags]\n    purpose: service",
		`callbridge.yaml:19:19: routes[0].do_not_call[0]: "tags" is of type list, not bool; declare the field with type: bool`},
	{"consent_at that is no time", "purpose: service", "consent_at: name\n    purpose: service",
		`callbridge.yaml:19:17: routes[0].consent_at: "name" is of type string, not time; declare the field with type: time`},
	{"the key that policy replaces", "mode: live", "mode: live\n    regions: [US, CA]",
		`callbridge.yaml:15:5: routes[0]: "regions" is not read any more; write policy: {countries: [US, CA]}`},
	{"not a bool", "mode: live", "mode: live\n    stop: yes",
		`callbridge.yaml:15:11: routes[0].stop: must be true or false`},
	{"undeclared name in a rule", "lead_score >= 50", "leadscore >= 50",
		`callbridge.yaml:15:11: routes[0].when: undeclared name "leadscore"; did you mean "lead_score"?`},
	{"undeclared function", "lead_score >= 50", "days_sinc(created) < 1",
		`callbridge.yaml:15:11: routes[0].when: undeclared name "days_sinc"; did you mean "days_since"?`},
	{"wrong types in a rule", "lead_score >= 50", `name == "a" && lead_score >= "50"`,
		`callbridge.yaml:15:37: routes[0].when: ">=" does not take (number, string); a number stands without quotes and a text in quotes; see the type of the field`},
	{"no bool", "lead_score >= 50", "lead_score + 1",
		`callbridge.yaml:15:11: routes[0].when: the rule is a number, not true or false; compare it with something`},
	{"syntax", "lead_score >= 50", "lead_score >= 50 and true",
		`callbridge.yaml:15:28: routes[0].when: "and" is not part of the rule language; write &&`},
	{"single equals sign", "lead_score >= 50", "lead_score = 50",
		`callbridge.yaml:15:22: routes[0].when: "=" is not part of the rule language; write ==`},
	{"half a rule", "lead_score >= 50", "lead_score >= ",
		`callbridge.yaml:15:24: routes[0].when: syntax error: mismatched input end of the rule`},
	{"literal block", "when: lead_score >= 50", "when: |\n\n      lead_score >= 50 &&\n        naem == \"x\"",
		`callbridge.yaml:18:9: routes[0].when: undeclared name "naem"; did you mean "name"?`},
	{"folded block", "when: lead_score >= 50", "when: >-\n      lead_score >= 50\n      && naem == \"x\"",
		`callbridge.yaml:17:10: routes[0].when: undeclared name "naem"; did you mean "name"?`},
	{"double quotes", "when: lead_score >= 50", `when: "name == \"x\" && naem == \"y\""`,
		`callbridge.yaml:15:29: routes[0].when: undeclared name "naem"; did you mean "name"?`},
	{"single quotes", "when: lead_score >= 50", `when: 'name == ''x'' && naem == "y"'`,
		`callbridge.yaml:15:29: routes[0].when: undeclared name "naem"; did you mean "name"?`},
	{"plain text of two lines", "when: lead_score >= 50", "when: lead_score >= 50\n      && naem == name",
		`callbridge.yaml:16:10: routes[0].when: undeclared name "naem"; did you mean "name"?`},
	{"present of no field", "lead_score >= 50", "present(naem)",
		`callbridge.yaml:15:19: routes[0].when: undeclared name "naem"; did you mean "name"?`},
	{"days_since of no time", "lead_score >= 50", "days_since(name) > 1",
		`callbridge.yaml:15:21: routes[0].when: days_since and hours_since take a field of type time`},
	{"time zone", "lead_score >= 50", `local_hour(created, "Europe/Berln") > 8`,
		`callbridge.yaml:15:31: routes[0].when: no time zone "Europe/Berln"; write it as "Europe/Berlin"`},
	{"time zone of a function of CEL", "lead_score >= 50", `created.getHours("Europe/Berln") > 8`,
		`callbridge.yaml:15:28: routes[0].when: no time zone "Europe/Berln"; write it as "Europe/Berlin"`},
	{"regular expression", "lead_score >= 50", `name.matches("(")`,
		`callbridge.yaml:15:24: routes[0].when: invalid matches argument`},
	{"cost", "when: lead_score >= 50", `when: "tags.all(a, tags.all(b, tags.all(c, tags.all(d, name + a != b + c + d))))"`,
		`callbridge.yaml:15:11: routes[0].when: the rule may take too long on a large event; loop over fewer lists`},
	{"no call_to", "call_to: phone", "call_from: +12025550100",
		`callbridge.yaml:17:7: routes[0].call: "call_to" is missing; name the field with the number to dial`},
	{"call_to of another type", "call_to: phone", "call_to: lead_score",
		`callbridge.yaml:17:16: routes[0].call.call_to: "lead_score" is of type number, not phone; declare the field with type: phone`},
	{"call_to that may be missing", "call_to: phone", "call_to: name",
		`callbridge.yaml:17:16: routes[0].call.call_to: "name" is optional and may be missing here; write {{name|what to say instead}}, or ask for it in the rule: present(name)`},
	{"call_to of a text", "call_to: phone", "call_to: \"+1{{lead_score}}\"",
		`callbridge.yaml:17:16: routes[0].call.call_to: a number is one field or one literal; write the name of the field alone`},
	{"call_to with fallback", "call_to: phone", "call_to: \"{{phone|+12025550100}}\"",
		`callbridge.yaml:17:16: routes[0].call.call_to: the number to dial has no fallback; a person unrelated to the event would be called`},
	{"call_to unknown", "call_to: phone", "call_to: phnoe",
		`callbridge.yaml:17:16: routes[0].call.call_to: neither a phone number with + and country code nor a declared name; did you mean "phone"?`},
	{"call_to in national form", "call_to: phone", "call_to: 2025550100",
		`callbridge.yaml:17:16: routes[0].call.call_to: neither a phone number with + and country code nor a declared name`},
	{"id that is no UUID", "notes: hello", "campaign_id: 1234",
		`callbridge.yaml:18:20: routes[0].call.campaign_id: "1234" is neither a UUID nor a declared name`},
	{"direction", "notes: hello", "call_direction: outbond",
		`callbridge.yaml:18:23: routes[0].call.call_direction: "outbond" is not allowed here; did you mean "outbound"?`},
	{"is_test", "notes: hello", "is_test: lead_score",
		`callbridge.yaml:18:16: routes[0].call.is_test: must be true, false or a field of type bool`},
	{"bare field name in a text", "notes: hello", "notes: name",
		`callbridge.yaml:18:14: routes[0].call.notes: "name" is the name of a field, not its value; write "{{name}}" for its value`},
	{"undeclared name in a text", "notes: hello", `notes: "hello {{nmae}}"`,
		`callbridge.yaml:18:14: routes[0].call.notes: undeclared name "nmae" in {{nmae}}; did you mean "name"?`},
	{"optional field without fallback", "notes: hello", `notes: "hello {{name}}"`,
		`callbridge.yaml:18:14: routes[0].call.notes: "name" is optional and may be missing here; write {{name|what to say instead}}, or ask for it in the rule: present(name)`},
	{"tag that does not end", "notes: hello", `notes: "hello {{name"`,
		`callbridge.yaml:18:14: routes[0].call.notes: {{ without }}`},
	{"format of no time", "notes: hello", `notes: "{{lead_score:2 January}}"`,
		`callbridge.yaml:18:14: routes[0].call.notes: "lead_score" is not a time, so "2 January" does not fit`},
	{"format that says nothing", "notes: hello", `notes: "{{created:whenever}}"`,
		`callbridge.yaml:18:14: routes[0].call.notes: "whenever" is not a time format; for example {{created:2 January 2006}}`},
	{"variable name", "notes: hello", "agent_dynamic_variables: {first name: x}",
		`callbridge.yaml:18:33: routes[0].call.agent_dynamic_variables: a variable is letters, digits and _, and begins with a letter`},
	{"empty variable", "notes: hello", "agent_dynamic_variables: {x: \"\"}",
		`callbridge.yaml:18:36: routes[0].call.agent_dynamic_variables.x: is empty; an agent would read nothing; leave the variable out`},
	{"variable that is a field name", "notes: hello", "agent_dynamic_variables: {x: name}",
		`callbridge.yaml:18:36: routes[0].call.agent_dynamic_variables.x: "name" is the name of a field, not its value; write "{{name}}" for its value`},
	{"callbridge's metadata", "notes: hello", "metadata: {callbridge_request_id: x}",
		`callbridge.yaml:18:18: routes[0].call.metadata: callbridge_request_id is callbridge's own; use another key`},
	{"route name twice", "purpose: service", "purpose: service\n  - {name: lead, source: crm, call: {call_to: phone}}",
		`callbridge.yaml:20:12: routes[1].name: there is a route "lead" already`},
	{"alias", "notes: hello", "notes: &x hello\n      workspace: *x",
		`callbridge.yaml:19:18: routes[0].call.workspace: YAML aliases (*name) are not supported; write the value out`},
	{"two documents", "purpose: service\n", "purpose: service\n---\nsources: {}\n",
		`callbridge.yaml:20:1: more than one YAML document; remove the line with ---`},
	{"no YAML", "call_to: phone", "call_to: [phone",
		`callbridge.yaml:20:7: not YAML: mapping values are not allowed in this context`},
	{"unknown preset", "    verify:", "    preset: hubspot-workflo\n    verify:",
		`callbridge.yaml:3:13: sources.crm.preset: no preset "hubspot-workflo"; did you mean "hubspot-workflow"?`},
	{"literal secret", "${SECRET}", "hunter2",
		`callbridge.yaml:3:55: sources.crm.verify.values: a secret must not be written in this file; write "${NAME}" for an environment variable or "${file:/path}"`},
	{"unset secret", "${SECRET}", "${NO_SUCH}",
		`callbridge.yaml:3:55: sources.crm.verify.values: the environment variable NO_SUCH is not set`},
	{"secret elsewhere", "notes: hello", "notes: ${SECRET}",
		`callbridge.yaml:18:14: routes[0].call.notes: ${…} is only for secrets; write the value itself`},
	{"reference in a rule", "lead_score >= 50", `name == "${SECRET}"`,
		`callbridge.yaml:15:11: routes[0].when: ${…} is only for secrets; write the value itself`},
	{"fault of a verifier", "kind: token", "kind: tokn",
		`callbridge.yaml:3:20: sources.crm.verify.kind: "tokn" is unknown; hmac, digest, publickey, token, basic, jwt or none`},
	{"two at once", "lead_score >= 50\n    call:\n      call_to: phone", "leadscore >= 50\n    call:\n      call_to: phon",
		`callbridge.yaml:15:11: routes[0].when: undeclared name "leadscore"; did you mean "lead_score"?
callbridge.yaml:17:16: routes[0].call.call_to: neither a phone number with + and country code nor a declared name; did you mean "phone"?`},
}

// Who runs check where the secrets are not is to see the mistakes of the file.
func TestUnsetSecretHidesNoMistakeOfARoute(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("${SECRET}", "${NO_SUCH}", "lead_score >= 50", "leadscore >= 50").Replace(valid)
	_, err := mapping.Parse("callbridge.yaml", []byte(text), withSecret())
	want := `callbridge.yaml:3:55: sources.crm.verify.values: the environment variable NO_SUCH is not set
callbridge.yaml:15:11: routes[0].when: undeclared name "leadscore"; did you mean "lead_score"?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestFieldsThatCannotBeMeantAreProblems(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		"{path: x, type: phone, country: AT}":                                 "is the path of the value that has the country",
		`{path: x, type: phone, country: "+43"}`:                              "is the path of the value that has the country",
		"{path: x, type: phone, trunk: optional}":                             "needs region or country",
		"{path: x, type: phone, region: DE, trunk: optional, plus: optional}": "does not go with plus: optional",
		"{path: x, type: time, zone: EST}":                                    `"EST" is not a time zone`,
		"{path: x, type: time, zone: New York}":                               `"New York" is not a time zone`,
		"{path: x, type: time, zone: Amercia/New_York}":                       `"Amercia/New_York" is not a time zone`,
		`{path: x, type: time, format: "YYYY-MM-DD"}`:                         "is not a time format",
		`{path: x, type: time, format: "30.11.2026 17:30"}`:                   "is not a time format",
	} {
		_, err := mapping.Parse("callbridge.yaml", []byte(fmt.Sprintf(strings.Replace(fieldConfig, "{path: x%s}", "%s", 1), keys)), withSecret())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", keys, err, want)
		}
	}
	for _, layout := range []string{"Monday 30 November, 17:30", "5:30 PM", "YYYY HH:mm", "DD.MM.YYYY"} {
		_, err := mapping.Parse("callbridge.yaml", []byte(fmt.Sprintf(timeConfig, "", "{{start:"+layout+"}}")), withSecret())
		if err == nil || !strings.Contains(err.Error(), "is no part of the model date") {
			t.Errorf("{{start:%s}}: got %v", layout, err)
		}
	}
}

func TestLoadSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	for _, c := range problemCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(valid, c.old, c.new, 1)
			_, err := mapping.Parse("callbridge.yaml", []byte(text), withSecret())
			var problems mapping.Problems
			if !errors.As(err, &problems) || err.Error() != c.want {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}
