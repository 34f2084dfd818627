package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbridge/mapping"
)

const callConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    type: body:type
    time: body:time
    fields:
      phone: {path: phone, type: phone}
      name: {path: name, optional: true}
      product: {path: product}
      price: {path: price, type: number}
      contact: {path: contact}
      flag: {path: flag, type: bool}
      direction: {path: direction}
      day: {path: day, type: time, optional: true}
routes:
  - name: lead
    source: crm
    mode: live
    purpose: service
    call:
      call_to: phone
      %s
policy: {countries: [US], hours: any}
`

// call maps one event with some keys of a call, and returns the decision and,
// if there is one, the call.
func call(t *testing.T, keys, body string) (outcome, map[string]any) {
	t.Helper()
	config := parse(t, fmt.Sprintf(callConfig, keys))
	in := read(t, config, "crm", "application/json", `{"id": "k", "phone": "+12025550142", `+body+`}`)
	o := outcomeOf(config.Map(in[0])[0])
	var made map[string]any
	if len(o.Call) > 0 {
		decoder := json.NewDecoder(strings.NewReader(string(o.Call)))
		decoder.UseNumber()
		if err := decoder.Decode(&made); err != nil {
			t.Fatal(err)
		}
	}
	return o, made
}

const timeConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    %s
    fields:
      phone: {path: phone, type: phone}
      start: {path: start, type: time}
      tz: {path: tz, optional: true}
      other: {path: other, optional: true}
routes:
  - name: lead
    source: crm
    mode: dry_run
    call: {call_to: phone, agent_dynamic_variables: {v: %q}}
`

func TestTimesAreSpokenInThePersonsZone(t *testing.T) {
	t.Parallel()
	const person, utc = "person: {timezone: tz}", `"start": "2026-12-01T01:30:00Z"`
	for _, tt := range []struct{ source, text, body, want string }{
		{person, "{{start:Monday 2 January, 3:04 PM}}", utc + `, "tz": "America/Los_Angeles"`, "Monday 30 November, 5:30 PM"},
		{person, "{{start:Monday 2 January, 3:04 PM}}", utc + `, "tz": "us_slash_pacific"`, "Monday 30 November, 5:30 PM"},
		{person, "{{start:Monday 2 January, 3:04 PM}}", utc + `, "tz": "Pacific Time (US & Canada)"`, "Monday 30 November, 5:30 PM"},
		{person, "{{start:Monday 2 January, 3:04 PM}}", utc, "Tuesday 1 December, 1:30 AM UTC"},
		{person, "{{start:Monday 2 January, 3:04 PM}}", utc + `, "tz": "PST"`, "Tuesday 1 December, 1:30 AM UTC"},
		{person, "{{start:Monday 2 January}}", utc, "Tuesday 1 December"},
		{person, "{{start in other:3:04 PM}}", utc + `, "tz": "UTC", "other": "Europe/Berlin"`, "2:30 AM"},
		{person, "{{start:3:04 PM}}", `"start": "2026-12-01T01:30:00+05:00"`, "1:30 AM UTC+05:00"},
		{person, "{{start:3:04 PM}}", `"start": "2026-12-01T01:30:00+05:00", "tz": "Asia/Karachi"`, "1:30 AM"},
		{"zone: Europe/Berlin", "{{start:3:04 PM}}", `"start": "2026-12-01T01:30:00"`, "1:30 AM"},
		{"zone: [body:tz]", "{{start:3:04 PM}}", `"start": "2026-12-01T01:30:00", "tz": "Europe/Berlin"`, "1:30 AM"},
	} {
		config := parse(t, fmt.Sprintf(timeConfig, tt.source, tt.text))
		in := read(t, config, "crm", "application/json", `{"id": "k", "phone": "+12025550142", `+tt.body+`}`)
		var made struct {
			Variables map[string]string `json:"agent_dynamic_variables"`
		}
		if err := json.Unmarshal(outcomeOf(config.Map(in[0])[0]).Call, &made); err != nil {
			t.Fatalf("%s: %v", tt.body, err)
		}
		if got := made.Variables["v"]; got != tt.want {
			t.Errorf("%s of %s is said as %q, want %q", tt.text, tt.body, got, tt.want)
		}
	}
}

func TestExplainSaysThatAZoneIsUnknown(t *testing.T) {
	t.Parallel()
	config := parse(t, fmt.Sprintf(timeConfig, "person: {timezone: tz}", "{{start:3:04 PM}}"))
	in := read(t, config, "crm", "application/json", `{"id": "k", "phone": "+12025550142", "start": "2026-12-01T01:30:00Z", "tz": "PST"}`)
	for _, f := range config.Explain(in[0]).Fields {
		if f.Name == "tz" && !strings.HasPrefix(f.Detail, "not a time zone") {
			t.Errorf("the detail is %q", f.Detail)
		}
	}
}

func TestEventsOfTheFutureAreNotNewForEver(t *testing.T) {
	t.Parallel()
	config := parse(t, fmt.Sprintf(timeConfig, "time: body:at\n    zone: America/New_York\n    max_age: 4h", "x"))
	here, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := received
	for at, want := range map[string]string{
		now.In(here).Format("2006-01-02T15:04:05"):         "skipped dry_run",
		now.AddDate(1, 0, 0).Format("2006-01-02T15:04:05"): "rejected bad_field",
		now.Add(-5 * time.Hour).Format(time.RFC3339):       "skipped too_old",
		"20261128100000": "rejected bad_field",
	} {
		in := read(t, config, "crm", "application/json", fmt.Sprintf(`{"id": "k", "phone": "+12025550142", "start": "2026-12-01", "at": %q}`, at))
		o := outcomeOf(config.Map(in[0])[0])
		if got := strings.TrimSpace(fmt.Sprint(o.Outcome, " ", o.Reason)); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
}

func TestVariablesAreFitToBeSpoken(t *testing.T) {
	t.Parallel()
	const missing = "rejected missing_field "
	for _, c := range []struct{ text, body, want string }{
		{"Hi {{product}}!", `"product": "Heat pump"`, "Hi Heat pump!"},
		{"{{ name | you }}", `"x": 1`, "you"},
		{"{{name|you}}", `"name": "Ada"`, "Ada"},
		{"{{name|you}}", `"name": {"odd": 1}`, "you"},
		{"{{product|none}}", `"x": 1`, "none"},
		{"{{product}}", `"x": 1`, missing + "product"},
		{"{{product}}", `"product": ["x"]`, "rejected bad_field product"},
		{"{{name|}}", `"x": 1`, missing + "name"},
		{"{{product}}", `"product": "\u0000\u0007"`, missing + "product"},
		{"{{price}}", `"price": 4.8e+03`, "4800"},
		{"{{price}}", `"price": "0.10"`, "0.10"},
		{"{{flag}}", `"flag": "yes"`, "true"},
		{"{{key}} {{source}} {{type}}", `"type": "lead"`, "k crm lead"},
		{"{{type}}", `"x": 1`, missing + "type"},
		{"{{time}}", `"time": 1795000000`, "2026-11-18T11:06:40Z"},
		{"{{day:2 January 2006|}}, {{day:15:04|}}", `"day": "2026-12-24T09:30:00+01:00"`, "24 December 2026, 09:30 UTC+01:00"},
		{"{{day:Monday|soon}}", `"x": 1`, "soon"},
		{"{{product}}", `"product": "a\r\nb\tc\u2028d"`, "a b c d"},
		{"{{product}}", `"product": "{{secret}} {%if%} {{{x}}}"`, missing + "product"},
		{"{{product}}", `"product": "roof {{{secret}}} {%if tiles {{x"`, "roof {} { %if tiles { {x"},
		{"{ {{product}}", `"product": "{x"`, "{ {x"},
		{"{{product}}{{price}}", `"product": "{", "price": 1`, "{1"},
		{"{{product}}", `"product": "` + strings.Repeat("ü", 600) + `"`, strings.Repeat("ü", 200)},
	} {
		t.Run(c.text+" of "+c.body[:min(len(c.body), 40)], func(t *testing.T) {
			t.Parallel()
			o, made := call(t, fmt.Sprintf("agent_dynamic_variables: {v: %q}", c.text), c.body)
			got := strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Outcome, o.Reason, o.Field))
			if made != nil {
				got = fmt.Sprint(made["agent_dynamic_variables"].(map[string]any)["v"])
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestEveryKeyOfTheCall(t *testing.T) {
	t.Parallel()
	const id = "11111111-2222-4333-8444-555555555555"
	for _, c := range []struct{ keys, body, want string }{
		{"company_id: " + id, `"x": 1`, id},
		{"campaign_id: contact", `"contact": "` + id + `"`, id},
		{"contact_id: \"{{contact}}\"", `"contact": "` + id + `"`, id},
		{"ai_agent_id: contact", `"contact": "{` + id + `}"`, "rejected bad_call ai_agent_id"},
		{"contact_id: contact", `"contact": 17`, "rejected bad_call contact_id"},
		{"contact_id: contact", `"x": 1`, "rejected missing_field contact"},
		{"call_from: +18005550100", `"x": 1`, "+18005550100"},
		{"call_from: phone", `"x": 1`, "+12025550142"},
		{"call_direction: inbound", `"x": 1`, "inbound"},
		{"call_direction: \"{{direction}}\"", `"direction": "inbound"`, "inbound"},
		{"call_direction: \"{{direction}}\"", `"direction": "up"`, "rejected bad_call call_direction"},
		{"is_test: true", `"x": 1`, "true"},
		{"is_test: flag", `"flag": "no"`, "false"},
		{"is_test: \"{{flag}}\"", `"flag": "perhaps"`, "rejected bad_field flag"},
		{"call_provider: twilio", `"x": 1`, "twilio"},
		{"notes: \"for {{product}}\"", `"product": "a\nb"`, "for a b"},
		{"workspace: sales", `"x": 1`, "sales"},
		{"workspace_id: 0012", `"x": 1`, "0012"},
		{"call_sid: CA1", `"x": 1`, "CA1"},
	} {
		t.Run(c.keys+" of "+c.body, func(t *testing.T) {
			t.Parallel()
			key, _, _ := strings.Cut(c.keys, ":")
			o, made := call(t, c.keys, c.body)
			got := strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Outcome, o.Reason, o.Field))
			if made != nil {
				got = fmt.Sprint(made[key])
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMetadataKeepsTypesAndDigits(t *testing.T) {
	t.Parallel()
	const keys = `metadata: {n: "{{price}}", b: "{{flag}}", t: "no {{price}}", gone: "{{name}}", also: "x {{name}}",
        l: [1.50, "{{price}}", "{{name}}", null], o: {deep: {}, z: 1e3}, s: "007", w: 007, y: yes}`
	_, made := call(t, keys, `"price": 9007199254740993.10, "flag": "on"`)
	got, err := json.Marshal(made["metadata"])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"b":true,"callbridge_request_id":"` + requestID(t, made) + `","l":[1.50,9007199254740993.10,null],` +
		`"n":9007199254740993.10,"o":{"deep":{},"z":1e3},"s":"007","t":"no 9007199254740993.10","w":"007","y":"yes"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func requestID(t *testing.T, made map[string]any) string {
	t.Helper()
	id, ok := strings.CutPrefix(fmt.Sprint(made["notes"]), "callbridge ")
	if !ok {
		t.Fatalf("notes %v do not name the request", made["notes"])
	}
	return id
}

func TestMetadataThatIsTheNameOfAFieldIsAWarning(t *testing.T) {
	t.Parallel()
	config := parseWith(t, fmt.Sprintf(callConfig, "metadata: {channel: phone}\n      ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"), longSecret)
	want := `callbridge.yaml:23:27: routes[0].call.metadata.channel: "phone" is a word here, though a field has this name; write "{{phone}}" for its value`
	if got := mapping.Problems(config.Warnings()).Error(); got != want {
		t.Errorf("got %s", got)
	}
}
