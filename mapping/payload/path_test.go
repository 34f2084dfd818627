package payload_test

import (
	"errors"
	"testing"

	"callbridge/mapping/payload"
)

// contact holds the shapes in which CRMs write a telephone number.
const contact = `{
 "id": 12345678901234567890,
 "First Name": "Jane",
 "gone": null,
 "phone": [{"label":"work","value":"+442079460958","primary":false},{"label":"mobile","value":"+12025550142","primary":true}],
 "answers": [{"type":"email","email":"jane@example.com","field":{"ref":"mail"}},{"type":"phone_number","phone_number":"+12025550143","field":{"ref":"my phone"}}],
 "InputParameters": [{"key":"Target","value":{"Attributes":[{"key":"fullname","value":"Jane"},{"key":"telephone1","value":"+12025550144"}]}}],
 "entry": [{"changes":[{"id":1},{"id":2}]},{"changes":[]},{"changes":[{"id":3}]}],
 "Notification": {"Id":"04l1","sObject":{"@type":"Lead","Phone":"+12025550145"}},
 "tags": ["a","b"], "main": {"label": "mobile", "of": {"id": 2}}
}`

func tree(t testing.TB) payload.Value {
	t.Helper()
	v, err := decodeJSON(contact)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustParse(t testing.TB, text string) payload.Path {
	t.Helper()
	p, err := payload.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPathFindsValues(t *testing.T) {
	t.Parallel()
	const missing = ""
	tests := []struct {
		path, first, all string
	}{
		{`id`, `12345678901234567890`, `[12345678901234567890]`},
		{`"First Name"`, `"Jane"`, `["Jane"]`},
		{`gone`, `null`, `[null]`},
		{`gone.deeper`, missing, `[]`},
		{`phone[0].value`, `"+442079460958"`, `["+442079460958"]`},
		{`phone[-1].value`, `"+12025550142"`, `["+12025550142"]`},
		{`phone[2].value`, missing, `[]`},
		{`phone[-3].value`, missing, `[]`},
		{`phone.value`, missing, `[]`},
		{`phone[label=mobile].value`, `"+12025550142"`, `["+12025550142"]`},
		{`phone[primary=true].value`, `"+12025550142"`, `["+12025550142"]`},
		{`phone[label="fax"].value`, missing, `[]`},
		{`phone[*].value`, `"+442079460958"`, `["+442079460958","+12025550142"]`},
		{`answers[field.ref="my phone"].phone_number`, `"+12025550143"`, `["+12025550143"]`},
		{`answers[*].phone_number`, `"+12025550143"`, `["+12025550143"]`},
		{`InputParameters[key=Target].value.Attributes[key=telephone1].value`, `"+12025550144"`, `["+12025550144"]`},
		{`entry[*].changes[*].id`, `1`, `[1,2,3]`},
		{`entry[*].changes[-1].id`, `2`, `[2,3]`},
		{`entry[changes[0].id=3].changes[0].id`, `3`, `[3]`},
		{`Notification[*].Id`, `"04l1"`, `["04l1"]`},
		{`Notification[0].sObject."@type"`, `"Lead"`, `["Lead"]`},
		{`Notification[-1].sObject.@type`, `"Lead"`, `["Lead"]`},
		{`Notification[sObject.@type=Lead].sObject.Phone`, `"+12025550145"`, `["+12025550145"]`},
		{`Notification[1].Id`, missing, `[]`},
		{`Notification[Id=other]`, missing, `[]`},
		{`tags[*]`, `"a"`, `["a","b"]`},
		{`tags[1]`, `"b"`, `["b"]`},
		{`phone[label={main.label}].value`, `"+12025550142"`, `["+12025550142"]`},
		{`entry[*].changes[id={main.of.id}].id`, `2`, `[2]`},
		{`phone[label={main}].value`, missing, `[]`},
		{`phone[label={nowhere}].value`, missing, `[]`},
		{`phone[label!~WORK].value`, `"+12025550142"`, `["+12025550142"]`},
		{`phone[*][label!~ork].value`, `"+12025550142"`, `["+12025550142"]`},
		{`phone[*][label!~fax].value`, `"+442079460958"`, `["+442079460958","+12025550142"]`},
		{`phone[*][nowhere!~fax].value`, `"+442079460958"`, `["+442079460958","+12025550142"]`},
		{`phone[*][primary!~false][label!~"fax number"].value`, `"+12025550142"`, `["+12025550142"]`},
		{`[main.label!~mob].id`, missing, `[]`},
		{`nowhere[*]`, missing, `[]`},
		{`nowhere`, missing, `[]`},
	}
	v := tree(t)
	for _, tt := range tests {
		p := mustParse(t, tt.path)
		got := missing
		if first, ok := p.Lookup(v); ok {
			got = asJSON(t, first)
		}
		if got != tt.first {
			t.Errorf("%s: Lookup = %s, want %s", tt.path, got, tt.first)
		}
		if all := asJSON(t, p.All(v)); all != tt.all {
			t.Errorf("%s: All = %s, want %s", tt.path, all, tt.all)
		}
		if p.String() != tt.path {
			t.Errorf("%s: String = %s", tt.path, p)
		}
	}
}

func TestPathReadsQuotedKeys(t *testing.T) {
	t.Parallel()
	v, err := decodeJSON(`{"a \"b\" \\ c":{"[0]":{"x.y":1}},"Größe":2,"contact[phone]":3}`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		`"a \"b\" \\ c"."[0]"."x.y"`: "1", `Größe`: "2", `"contact[phone]"`: "3",
	} {
		if got, _ := mustParse(t, path).Lookup(v); asJSON(t, got) != want {
			t.Errorf("%s = %v, want %s", path, got, want)
		}
	}
}

func TestZeroPathIsTheTree(t *testing.T) {
	t.Parallel()
	got, ok := payload.Path{}.Lookup("x")
	if !ok || got != "x" {
		t.Errorf("Lookup = %v, %t", got, ok)
	}
}

func TestParsePathSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path, problem string
		column        int
	}{
		{``, `the path ends where a key should be`, 1},
		{`a.`, `the path ends where a key should be`, 3},
		{`.a`, `expected a key`, 1},
		{`a..b`, `expected a key`, 3},
		{`First Name`, `expected . or [ or the end`, 6},
		{`größe name`, `expected . or [ or the end`, 6},
		{`a.[0]`, `expected a key`, 3},
		{`a[0]b`, `expected . or [ or the end`, 5},
		{`a["b`, `the quote is not closed`, 3},
		{`"a\n"`, `\ stands before " and \ only`, 3},
		{`a[`, `the path ends where a key should be`, 3},
		{`a[]`, `expected a position, * or key=text`, 3},
		{`a[b:c]`, `expected =`, 6},
		{`a[ b]`, `expected a key`, 3},
		{`a[--]`, `expected a position, * or key=text`, 3},
		{`a[1`, `expected =`, 4},
		{`a[*`, `expected ]`, 4},
		{`a[b=`, `expected a text after =`, 5},
		{`a[b=]`, `expected a text after =`, 5},
		{`a[b=Work phone]`, `expected ]`, 9},
		{`a[b="x"y]`, `expected ]`, 8},
		{`a[b[*]=x]`, `[*] cannot stand inside of brackets`, 3},
		{`a[99999999999999999999]`, `expected a position, * or key=text`, 3},
	}
	for _, tt := range tests {
		_, err := payload.ParsePath(tt.path)
		var wrong *payload.PathError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: error %v, want a path error", tt.path, err)
			continue
		}
		if wrong.Problem != tt.problem || wrong.Column != tt.column {
			t.Errorf("%s: %v, want column %d: %s", tt.path, err, tt.column, tt.problem)
		}
	}
}

func TestPathErrorHints(t *testing.T) {
	t.Parallel()
	_, err := payload.ParsePath(`phones[type=Work phone]`)
	want := `path "phones[type=Work phone]": column 17: expected ] (a text with other characters than letters and digits goes in quotes: [type="Work phone"])`
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

// FuzzPath checks that the text of a parsed path parses again, and that Lookup
// finds the first value of All.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		`contact.phone`, `"First Name"`, `phone[label=mobile].value`, `answers[field.ref="my phone"]`, `a[-1][*]`, `entry[*].changes[0]`,
		`a[b[0].c=d]`, `[[[`, `"\`, "\xff", `[a="]`, `phone[-9223372036854775808]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := payload.ParsePath(text)
		if err != nil {
			var wrong *payload.PathError
			if !errors.As(err, &wrong) || wrong.Column < 1 {
				t.Fatalf("error %v", err)
			}
			return
		}
		if _, err := payload.ParsePath(p.String()); err != nil {
			t.Fatalf("%q was read, but not %q: %v", text, p, err)
		}
		v := tree(t)
		first, ok := p.Lookup(v)
		all := p.All(v)
		if ok != (len(all) > 0) || ok && asJSON(t, first) != asJSON(t, all[0]) {
			t.Fatalf("Lookup = %v, %t; All = %v", first, ok, all)
		}
	})
}
