package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"callbridge/mapping"
)

const understoodConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    type: body:type
    fields:
      phone: {path: phone, type: phone}
      country: {path: country, type: country, optional: true}
      consent: {path: consent, type: bool}
      vip: {path: vip, type: bool}
      stage: {path: stage}
      budget: {path: budget, type: number}
      tags: {path: tags, type: list}
      created: {path: created, type: time}
policy: {countries: [US]}
routes:
  - name: lead
    source: crm
    when: >-
      %s
    call: {call_to: phone}
`

// problemOf is the one problem of a rule, without its place.
func problemOf(t *testing.T, rule string) (place, problem string) {
	t.Helper()
	_, err := mapping.Parse("callbridge.yaml", []byte(fmt.Sprintf(understoodConfig, rule)), withSecret())
	if err == nil {
		return "", ""
	}
	place, problem, ok := strings.Cut(err.Error(), ": routes[0].when: ")
	if !ok || strings.Contains(problem, "\n") {
		t.Errorf("%s: want one problem of the rule, got %v", rule, err)
	}
	return place, problem
}

func TestWordsOfOtherLanguagesHaveHints(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		`not consent`:                      `"not" is not part of the rule language; write ! before`,
		`not(consent)`:                     `undeclared name "not"; write ! before`,
		`NOT consent`:                      `write ! before`,
		`consent and vip`:                  `"and" is not part of the rule language; write &&`,
		`consent AND vip`:                  `write &&`,
		`consent or vip`:                   `"or" is not part of the rule language; write ||`,
		`stage = "won"`:                    `"=" is not part of the rule language; write ==`,
		`stage="won"`:                      `write ==`,
		`stage == "a = b" and vip`:         `"and" is not part of the rule language; write &&`,
		`budget => 5`:                      `write >=`,
		`stage <> "won"`:                   `write !=`,
		`stage === "won"`:                  `write ==`,
		`consent & vip`:                    `write &&`,
		`consent | vip`:                    `write ||`,
		`stage is "won"`:                   `write ==`,
		`stage contains "won"`:             `write name.contains("text")`,
		`stage == “won”`:                   `straight quotes`,
		`{{stage}} == "won"`:               `without braces`,
		`stage in ("a", "b")`:              `a list stands in brackets`,
		`amount > 5`:                       `undeclared name "amount"; declare it under fields: of the source`,
		`stage == won`:                     `a text goes in quotes`,
		`present(amount)`:                  `undeclared name "amount"; declare it under fields:`,
		`vip == True`:                      `write true`,
		`is_empty(stage)`:                  `the functions are size, present,`,
		`stage == null`:                    `present(field)`,
		`vip == "true"`:                    `a bool needs no comparison`,
		`budget == "5"`:                    `a number stands without quotes`,
		`tags == "a"`:                      `write "text" in field`,
		`weekday(created) in ["Saturday"]`: `it is weekday(time, zone) → text`,
		`stage in "won"`:                   `write field in ["a", "b"]`,
	} {
		if _, got := problemOf(t, rule); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", rule, got, want)
		}
	}
	if place, _ := problemOf(t, `stage == "x" and vip`); place != "callbridge.yaml:20:20" {
		t.Errorf("the problem is at %s", place)
	}
	if _, got := problemOf(t, `vip && stage.contains("and or not = & |")`); got != "" {
		t.Errorf("a text in quotes: %s", got)
	}
}

func TestComparisonThatNeverHoldsIsAProblem(t *testing.T) {
	t.Parallel()
	const day, hour = `weekday(created, "Europe/Berlin")`, `local_hour(created, "Europe/Berlin")`
	for rule, want := range map[string]string{
		day + ` in ["Saturday"]`:                      `weekday() never gives "Saturday"; write "saturday"`,
		day + ` in ["saturday", "sunday"]`:            "",
		day + ` in ["saturday", "Sunday"]`:            `weekday() never gives "Sunday"; write "sunday"`,
		day + ` == "sat"`:                             `write "saturday"`,
		day + ` != "Saturday"`:                        `write "saturday"`,
		`"Saturday" == ` + day:                        `write "saturday"`,
		day + ` == "weekend"`:                         `it gives monday, tuesday`,
		`!(` + day + ` in ["Saturday"])`:              `write "saturday"`,
		hour + ` >= 24`:                               `local_hour() never fits 24 here; it gives 0 to 23`,
		hour + ` > 23`:                                `never fits 23`,
		`24 <= ` + hour:                               `never fits 24`,
		hour + ` < 0`:                                 `never fits 0`,
		hour + ` == 24`:                               `never fits 24`,
		hour + ` in [9, 24]`:                          `never fits 24`,
		hour + ` >= 0 && ` + hour + ` < 24`:           "",
		hour + ` == 9.5`:                              `never fits 9.5`,
		`size(tags) < 0`:                              `size() never fits 0 here`,
		`size(tags) == 0`:                             "",
		`lower(stage) == "Won"`:                       `lower() never gives "Won"; write "won"`,
		`contains_any(lower(stage), ["Chief", "x"])`:  `write "chief"`,
		`lower(stage).startsWith("W")`:                `write "w"`,
		`lower(stage) == "straße"`:                    "",
		`country == "Germany"`:                        `a field of type country is never "Germany"; it is a code of two capital letters`,
		`country in ["de"]`:                           `never "de"`,
		`country in ["DE", "AT"]`:                     "",
		`phone.startsWith("49")`:                      `a field of type phone is never, and never begins with, "49"`,
		`starts_with_any(phone, ["+49", "0043"])`:     `"0043"`,
		`phone == "(202) 555-0142"`:                   `it is + and digits`,
		`phone != "+12025550142"`:                     "",
		`phone.contains("555")`:                       "",
		`stage == "Won"`:                              "",
		`stage == "won" && stage == "lost"`:           `no event matches: "stage" would have to have two values at once`,
		`vip && !vip`:                                 `no event matches: "vip"`,
		`stage in ["a", "b"] && stage in ["b"]`:       "",
		`(stage == "won" || stage == "lost") && !vip`: "",
	} {
		_, got := problemOf(t, rule)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", rule, got, want)
		}
	}
}

func TestPathWithoutQuotesIsNamed(t *testing.T) {
	t.Parallel()
	const source = "sources:\n  crm:\n    verify: {kind: none, reason: test}\n    key: body:id\n"
	for line, want := range map[string]string{
		`    fields: {phone: {path: form_fields[phone], type: phone}}`:               "stands in quotes: \"form_fields[phone]\"",
		`    fields: {phone: {path: [mobile, form_fields[phone]], type: phone}}`:     `a path with brackets`,
		`    fields: {phone: {path: phones[type=mobile].number, type: phone}}`:       `stands in quotes: "phones[type=mobile].number"`,
		`    fields: {phone: {path: phones[*].number, type: list}}`:                  `stands in quotes: "phones[*].number"`,
		`    fields: {phone: {path: "a b".c}}`:                                       `stands in quotes: '"a b".c'`,
		`    split: [*]`:                                                             `stands in quotes: "[*]"`,
		`    split: [*].item`:                                                        `stands in quotes: "[*].item"`,
		`    split: *`:                                                               `stands in quotes`,
		`    key: [body:x[0], body:y]`:                                               `stands in quotes: "body:x[0]"`,
		`    fields: {phone: {path: @type}}`:                                         `stands in quotes: "@type"`,
		`    secret: "x", y[1]`:                                                      ``,
		`    fields: {phone: {path: phone, type: phone}, name: {path: "tags[*]" x}}`: ``,
	} {
		_, err := mapping.Parse("callbridge.yaml", []byte(source+line+"\nroutes: []\n"), mapping.Options{})
		if err == nil || !strings.Contains(err.Error(), "not YAML: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestKeyOfAFormIsReadByItsOwnName(t *testing.T) {
	t.Parallel()
	config := parseWith(t, `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: "form_fields[phone]", type: phone}}
policy: {countries: [US]}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, call: {call_to: phone}}
`, longSecret)
	for contentType, body := range map[string]string{
		"application/x-www-form-urlencoded": "id=1&form_fields%5Bphone%5D=%2B12025550142",
		"application/json":                  `{"id": 1, "form_fields[phone]": "+12025550142"}`,
	} {
		if got := outcomeOf(config.Map(read(t, config, "crm", contentType, body)[0])[0]); got.Outcome != "requested" {
			t.Errorf("%s: got %+v", contentType, got)
		}
	}
}

func TestWhatIsFoundInsteadIsNamed(t *testing.T) {
	t.Parallel()
	const source = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: %s
    time: body:at
    time_format: unix
    max_age: 48h
    fields:
      phone: {path: [data.phone, "data.more[0].phone"], type: phone}
      consent: {path: consent, type: bool}
policy: {countries: [US]}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, when: consent, call: {call_to: phone}}
`
	for name, c := range map[string]struct{ key, body, want string }{
		"JSON in a text":         {"body:id", `{"id":1,"at":1795433000,"consent":true,"data":"{\"phone\":\"+12025550142\"}"}`, `data is a text with JSON inside, which is not read: have the CRM send it as JSON`},
		"JSON in a deeper text":  {"body:id", `{"id":1,"at":1795433000,"consent":true,"data":{"more":["{\"phone\":\"+12025550142\"}"]}}`, `data.more[0] is a text with JSON inside`},
		"JSON as the value":      {"body:id", `{"id":1,"at":1795433000,"consent":"{\"a\":true}","data":{"phone":"+12025550142"}}`, `found a text with JSON inside where bool belongs`},
		"a list in the way":      {"body:id", `{"id":1,"at":1795433000,"consent":true,"data":[{"phone":"+12025550142"}]}`, `data is a list: pick an item, as in "list[0].key"`},
		"a list without split":   {"body:id", `[{"id":1,"at":1795433000}]`, `the body is a list; write split: "[*]"`},
		"a list as one event":    {"sha256:body", `[{"id":1}]`, `the body is a list: pick an item`},
		"a body of encoded JSON": {"body:id", `"{\"id\":1}"`, `the body is a text with JSON inside`},
		"milliseconds":           {"body:id", `{"id":1,"at":1795433000123,"consent":true,"data":{"phone":"+12025550142"}}`, `it may be milliseconds since 1970: format: unix_ms`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := parseWith(t, fmt.Sprintf(source, c.key), longSecret)
			x := config.Explain(read(t, config, "crm", "application/json", c.body)[0])
			details := x.Problem
			for _, f := range x.Fields {
				details += "\n" + f.Detail
			}
			if !strings.Contains(details, c.want) || x.Decisions[0].Outcome != "rejected" {
				t.Errorf("got %s, %+v", details, x.Decisions)
			}
		})
	}
}

func TestSplitThatLeadsToTheListIsNamed(t *testing.T) {
	t.Parallel()
	config := parseWith(t, strings.Replace(fmt.Sprintf(understoodConfig, "vip"), "key: body:id", "key: body:id\n    split: events", 1), longSecret)
	x := config.Explain(read(t, config, "crm", "application/json", `{"events": [{"id": 1}]}`)[0])
	if want := `split leads to a list; write "events[*]"`; !strings.Contains(x.Problem, want) {
		t.Errorf("got %q, want %s", x.Problem, want)
	}
}

func TestFieldWithItsOwnPathKeepsTheTypeOfThePreset(t *testing.T) {
	t.Parallel()
	config := parseWith(t, `sources:
  crm:
    preset: generic
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    fields:
      phone: {path: mobile, region: US}
      first_name: {path: score, type: number}
policy: {countries: [US]}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, when: first_name > 5, call: {call_to: phone}}
`, longSecret)
	got := outcomeOf(config.Map(read(t, config, "crm", "application/json", `{"id": 1, "mobile": "(202) 555-0142", "score": 6}`)[0])[0])
	if got.Outcome != "requested" || !strings.Contains(string(got.Call), "+12025550142") {
		t.Errorf("got %+v", got)
	}
}

func TestUndeclaredNameOfACallSaysWhereToDeclareIt(t *testing.T) {
	t.Parallel()
	_, err := mapping.Parse("callbridge.yaml", []byte(strings.Replace(fmt.Sprintf(understoodConfig, "vip"), "call_to: phone", `call_to: phone, notes: "{{amount}}"`, 1)), withSecret())
	if want := `undeclared name "amount" in {{amount}}; declare it under fields: of the source`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
