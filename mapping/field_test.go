package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"callbridge/mapping/field"
)

const fieldConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: sha256:body
    null_words: ["null", "N/A"]
    tables: {stages: {1: New, 2: Won}}
    fields:
      x: {path: x%s}
routes: []
`

func thousands(text string) string {
	return fmt.Sprintf("unreadable: found the text %q, which is thousands in one country and a fraction in another: set decimal: \".\" or decimal: \",\" (body:x)", text)
}

// fieldValue reads the field x of {"x": …} and returns its type, its state and
// what metadata would get, or why there is nothing.
func fieldValue(t *testing.T, keys, body string) string {
	t.Helper()
	return fieldOf(t, fieldConfig, keys, body)
}

// fieldOf returns the field x of a configuration with further keys for it.
func fieldOf(t *testing.T, text, keys, body string) string {
	t.Helper()
	config := parse(t, fmt.Sprintf(text, keys))
	x := config.Explain(read(t, config, "crm", "application/json", body)[0]).Reveal()
	for _, f := range x.Fields {
		if f.Name == "x" && f.State == "there" {
			return fmt.Sprint(f.Value)
		}
		if f.Name == "x" {
			return f.State + ": " + f.Detail
		}
	}
	t.Fatal("no field x")
	return ""
}

const nothing = "missing: nothing at body:x"

func odd(found, kind string) string {
	return fmt.Sprintf("unreadable: found %s where %s belongs (body:x)", found, kind)
}

func otherFormat(found string) string {
	return strings.TrimSuffix(odd(found, "time"), " (body:x)") + field.FormatHint + " (body:x)"
}

// fieldCases are the keys of the field x beside its path, the JSON at x, and
// what comes out.
var fieldCases = []struct{ keys, value, want string }{
	{"", `"Ada"`, "Ada"},
	{"", `" Ada "`, "Ada"},
	{"", `12345678901234567890`, "12345678901234567890"},
	{"", `true`, "true"},
	{"", `{"a": 1}`, odd("an object", "string")},
	{"", `["a"]`, odd("a list", "string")},
	{"", `""`, nothing},
	{"", `"  \t"`, nothing},
	{"", `null`, nothing},
	{"", `"n/a"`, nothing},
	{"", `[]`, nothing},
	{", default: friend", `"NULL"`, "friend"},

	{", type: number", `72`, "72"},
	{", type: number", `"72.50"`, "72.50"},
	{", type: number", `" 007 "`, "7"},
	{", type: number", `-1.5e3`, "-1500"},
	{", type: number", `"125e-2"`, "1.25"},
	{", type: number", `9007199254740993`, "9007199254740993"},
	{", type: number", `"1,200"`, thousands("1,200")},
	{", type: number", `"75.000"`, thousands("75.000")},
	{", type: number", `"-1.200"`, thousands("-1.200")},
	{", type: number", `75.000`, "75.000"},
	{", type: number", `"0.500"`, "0.500"},
	{", type: number", `"1234.500"`, "1234.500"},
	{`, type: number, decimal: ","`, `"75.000"`, "75000"},
	{`, type: number, decimal: ","`, `"1.200,50"`, "1200.5"},
	{`, type: number, decimal: ","`, `"1 200 300"`, "1200300"},
	{`, type: number, decimal: ","`, `"1,200"`, "1.2"},
	{`, type: number, decimal: ","`, `1.5`, "1.5"},
	{`, type: number, decimal: ","`, `"1,2,3"`, "unreadable: found the text \"1,2,3\" where a number with \",\" as its decimal sign belongs (body:x)"},
	{`, type: number, decimal: ","`, `"12.00"`, "unreadable: found the text \"12.00\" where a number with \",\" as its decimal sign belongs (body:x)"},
	{`, type: number, decimal: "."`, `"75.000"`, "75"},
	{`, type: number, decimal: "."`, `"1,200"`, "1200"},
	{`, type: number, decimal: "."`, `"1'200.5"`, "1200.5"},
	{`, type: number, decimal: "."`, `"1,200.300.4"`, "unreadable: found the text \"1,20•••04\" where a number with \".\" as its decimal sign belongs (body:x)"},
	{", type: number", `"50%"`, odd(`the text "50%"`, "number")},
	{", type: number", `"0x10"`, odd(`the text "0x10"`, "number")},
	{", type: number", `"0.50"`, "0.50"},
	{", type: number", `"72."`, odd(`the text "72."`, "number")},
	{", type: number", `".5"`, odd(`the text ".5"`, "number")},
	{", type: number", `"1.2.3"`, odd(`the text "1.2.3"`, "number")},
	{", type: number", `"NaN"`, nothing},
	{", type: number", `"N/A"`, nothing},
	{", type: number", `true`, odd("true", "number")},
	{", type: number", `"2025550142"`, "2025550142"},

	{", type: bool", `"FALSE"`, "false"},
	{", type: bool", `"Yes"`, "true"},
	{", type: bool", `0`, "false"},
	{", type: bool", `"off"`, "false"},
	{", type: bool", `2`, odd("the number 2", "bool")},
	{", type: bool", `"ja"`, odd(`the text "ja"`, "bool")},
	{", type: bool, true_words: [Ja, oui], false_words: nein", `"ja"`, "true"},
	{", type: bool, true_words: [Ja, oui], false_words: nein", `"NEIN"`, "false"},
	{", type: bool, true_words: [Ja, oui], false_words: nein", `"yes"`, "true"},
	{", type: bool, false_words: on", `"on"`, "false"},
	{", type: bool, true_unless: [inactive, \"\"]", `"permanent"`, "true"},
	{", type: bool, true_unless: inactive", `" Inactive "`, "false"},
	{", type: bool, true_unless: inactive", `false`, "true"},
	{", type: bool, true_unless: inactive", `{"a": 1}`, odd("an object", "bool")},
	{", type: bool, true_unless: inactive", `"{{contact.dnd}}"`, "true"},
	{", type: bool, true_unless: inactive", `"N/A"`, "true"},
	{", type: bool, true_unless: inactive", `"-"`, "true"},
	{", type: bool, true_unless: inactive", `"<b>inactive</b>"`, "false"},
	{", type: bool, true_unless: inactive", `"<p></p>"`, "true"},
	{", type: bool, true_unless: inactive", `""`, nothing},
	{", type: bool, true_unless: inactive", `null`, nothing},
	{", type: bool, true_unless: inactive", `[]`, nothing},
	{", type: bool, true_unless: inactive, default: false", `"null"`, "true"},
	{", type: bool, true_unless: [inactive, \"false\"], default: false", `null`, "false"},
	{", type: bool", `"call +1 202 555 0142"`, odd(`the text "call +12•••••••42"`, "bool")},
	{", type: bool", `"a text that is rather long"`, odd("a text of 26 characters", "bool")},

	{", type: time", `"2026-11-23T10:00:00+01:00"`, "2026-11-23T10:00:00+01:00"},
	{", type: time", `"2026-11-23T10:00:00.123456"`, "2026-11-23T10:00:00.123456Z"},
	{", type: time", `"2026-11-23T10:00:00+0000"`, "2026-11-23T10:00:00Z"},
	{", type: time", `"2026-11-23 10:00:00"`, "2026-11-23T10:00:00Z"},
	{", type: time", `"2026-11-23"`, "2026-11-23T00:00:00Z"},
	{", type: time", `1795000000`, "2026-11-18T11:06:40Z"},
	{", type: time", `"1795000000123"`, "2026-11-18T11:06:40.123Z"},
	{", type: time", `1795000000.25`, "2026-11-18T11:06:40.25Z"},
	{", type: time", `"11/12/2026"`, otherFormat(`the text "11/12/2026"`)},
	{", type: time", `20261123`, otherFormat("the number 20••••23")},
	{", type: time, format: 01/02/2006", `"11/12/2026"`, "2026-11-12T00:00:00Z"},
	{", type: time, format: [unix_ms]", `1795000000`, "unreadable: found the number 17••••••00 where time belongs; it may be seconds since 1970: format: unix (body:x)"},
	{", type: time, format: unix", `1795000000123`, "unreadable: found the number 17•••••••••23 where time belongs; it may be milliseconds since 1970: format: unix_ms (body:x)"},
	{", type: time", `"20261128100000"`, otherFormat(`the text "20••••••••••00"`)},
	{", type: time, format: \"20060102150405\", zone: Europe/Berlin", `"20261128100000"`, "2026-11-28T10:00:00+01:00"},
	{", type: time, zone: America/New_York", `"2026-07-01T09:30:00"`, "2026-07-01T09:30:00-04:00"},
	{", type: time, zone: America/New_York", `"2026-07-01T09:30:00Z"`, "2026-07-01T09:30:00Z"},
	{", type: time, zone: \"body:tz\"", `"2026-07-01T09:30:00", "tz": "us_slash_pacific"`, "2026-07-01T09:30:00-07:00"},
	{", type: time, zone: \"body:tz\"", `"2026-07-01T09:30:00", "tz": "Narnia"`, "unreadable: found the text \"Narnia\" where a time zone belongs (body:tz) (body:x)"},
	{", type: time, zone: \"body:tz\"", `"2026-07-01T09:30:00"`, "2026-07-01T09:30:00Z"},
	{", type: time", `"/Date(1795000000123-0700)/"`, "2026-11-18T11:06:40.123Z"},
	{", type: time", `"/Date(-1000)/"`, "1969-12-31T23:59:59Z"},
	{", type: time, format: dotnet", `"/Date(1795000000123)"`, odd(`the text "/Date(1795000000123)"`, "time")},

	{", type: country", `"deutschland"`, "DE"},
	{", type: country", `"USA"`, "US"},
	{", type: country", `"Atlantis"`, odd(`the text "Atlantis"`, "country")},

	{", type: phone", `"+1 (202) 555-0142"`, "+12025550142"},
	{", type: phone", `"2025550142"`, "unreadable: no_region: 20••••••42: no country code, and the country is unknown (body:x)"},
	{", type: phone, region: US", `2025550142`, "+12025550142"},
	{", type: phone, region: US, country: land", `"020 7946 0123", "land": "United Kingdom"`, "+442079460123"},
	{", type: phone, region: US, country: land", `"2025550142", "land": null`, "+12025550142"},
	{", type: phone", `true`, "unreadable: found true where a phone number belongs (body:x)"},

	{", type: list", `["a", " b ", null, "", 3]`, "[a b 3]"},
	{", type: list", `"a;b"`, "[a;b]"},
	{", type: list, separator: \";\"", `"a; b;;"`, "[a b]"},
	{", type: list", `[{"a": 1}]`, "unreadable: found a list with an object in it (body:x)"},
	{", type: list", `["a", "{{tag}}", "N/A"]`, "[a]"},
	{", type: list, table: stages", `["1", "2"]`, "[New Won]"},
	{", table: stages", `1`, "New"},
	{", table: stages", `"3"`, `unreadable: the table has no "3" (body:x)`},
	{", take: first_word", `"Ada Lovelace"`, "Ada"},

	{"", `"{{contact.first_name}}"`, nothing},
	{"", `"*|FNAME|*"`, nothing},
	{"", `"%FIRSTNAME%"`, nothing},
	{"", `"%%First_Name%%"`, nothing},
	{"", `"[First Name]"`, nothing},
	{"", `"${Leads.First Name}"`, nothing},
	{"", `"{!Lead.FirstName}"`, nothing},
	{"", `"{contactfield=firstname}"`, nothing},
	{"", `"<<First Name>>"`, nothing},
	{"", `"[object Object]"`, nothing},
	{"", `"undefined"`, nothing},
	{"", `"None"`, nothing},
	{"", `"-"`, nothing},
	{"", `"."`, nothing},
	{"", `"Ada {{contact.last_name}}"`, "Ada"},
	{"", `"{{first}} {{last}}"`, nothing},
	{"", `"{Ada"`, "{Ada"},
	{"", `"100%"`, "100%"},
	{"", `"[urgent] call back"`, "[urgent] call back"},
	{"", `"Nona"`, "Nona"},

	{"", `"<p>Roof &amp; tiles</p>"`, "Roof & tiles"},
	{"", `"<p>one</p><p>two</p>"`, "one\n\ntwo"},
	{"", `"O&#39;Brien"`, "O'Brien"},
	{"", `"<b>Ada</b> <script>alert(1)</script>"`, "Ada"},
	{"", `"a < b, AT&T, Black&notes, <ada@example.com>, <3"`, "a < b, AT&T, Black&notes, <ada@example.com>, <3"},
	{"", `"<p><br></p>"`, nothing},
	{"", `"\u3164"`, nothing},
	{"", `"\u2800 \u200b"`, nothing},
	{"", `"Ada\udb40\udc41\udb40\udc42"`, "Ada"},
	{"", `"Zoë 👩\u200d🔧"`, "Zoë 👩\u200d🔧"},
	{", type: phone", `"\u202a+1 202\u00a0555\u200b0142\udb40\udc41"`, "+12025550142"},
	{", type: phone", `"<a href='tel:1'>+1 202 555 0142</a>"`, "+12025550142"},
	{", type: list, default: [a, b]", `null`, "[a b]"},
}

func TestFieldsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, c := range fieldCases {
		t.Run(c.keys+" of "+c.value, func(t *testing.T) {
			t.Parallel()
			got := fieldValue(t, c.keys, `{"x": `+c.value+`}`)
			if c.want == nothing && strings.HasSuffix(got, ", which stands for no value (body:x)") {
				got = nothing
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPlaceholdersAreNamedAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	got := fieldValue(t, "", `{"x": "*|FNAME|*"}`)
	if want := `missing: found the text "*|FNAME|*", which stands for no value (body:x)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPathsOfAField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, path, body, want string }{
		{"the first that is there", "[a, b, c]", `{"a": " ", "b": null, "c": 3}`, "3"},
		{"the text around an object", "[p.value, p]", `{"p": "x"}`, "x"},
		{"the object around a text", "[p, p.value]", `{"p": {"value": "x"}}`, "x"},
		{"an object whose text is empty", "[p.value, p]", `{"p": {"value": ""}}`, "missing: nothing at body:p.value, body:p"},
		{"an object of no other path", "[q, p]", `{"p": {"value": "x"}}`, "unreadable: found an object where string belongs (body:p)"},
		{"the first of many", `"a[*].b"`, `{"a": [{"b": ""}, {"b": "x"}, {"b": "y"}]}`, "x"},
		{"all of many", `"a[*].b", join: "; "`, `{"a": [{"b": "x"}, {}, {"b": "y"}]}`, "x; y"},
		{"a selection", `"a[kind=home].b"`, `{"a": [{"kind": "work", "b": 1}, {"kind": "home", "b": 2}]}`, "2"},
		{"a header", "header:x-tenant", `{}`, "acme"},
		{"a literal", "[a, text:fixed]", `{}`, "fixed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := parse(t, strings.Replace(fmt.Sprintf(fieldConfig, ""), "path: x", "path: "+c.path, 1))
			in := readWith(t, config, "crm", c.body, "X-Tenant", "acme")
			for _, f := range config.Explain(in[0]).Fields {
				if got := fmt.Sprint(f.Value); f.Name == "x" && f.State == "there" && got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				} else if f.Name == "x" && f.State != "there" && f.State+": "+f.Detail != c.want {
					t.Errorf("got %q, want %q", f.State+": "+f.Detail, c.want)
				}
			}
		})
	}
}
