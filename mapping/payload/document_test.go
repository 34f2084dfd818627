package payload_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"callbridge/mapping/payload"
)

func scanned(t testing.TB, body string) payload.Value {
	t.Helper()
	v, err := payload.Scan("application/json", payload.Auto, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPathsFindTheSameInAPart(t *testing.T) {
	t.Parallel()
	part, opened := scanned(t, contact), tree(t)
	for _, path := range []string{
		`id`, `"First Name"`, `gone`, `gone.deeper`, `phone`, `phone[-1].value`, `phone[-3]`, `phone[2]`, `phone[primary=true]`, `phone[*].label`,
		`answers[field.ref="my phone"].field`, `entry[*].changes[*].id`, `entry[*].changes`, `entry[-1].changes[0]`, `Notification[0].sObject`,
		`Notification[1]`, `tags[*]`, `tags.deeper`, `phone[label={main.label}].value`, `entry[*].changes[id={main.of.id}].id`, `nowhere[*]`,
	} {
		sameIn(t, part, opened, mustParse(t, path))
	}
}

// sameIn holds that a path finds the same in a text as in the maps and lists
// that are made of it.
func sameIn(t *testing.T, part, opened payload.Value, p payload.Path) {
	t.Helper()
	got, there := p.Lookup(part)
	want, wanted := p.Lookup(opened)
	if there != wanted || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: Lookup = %v, %t, want %v, %t", p, got, there, want, wanted)
	}
	all := p.All(opened)
	if got := p.All(part); !reflect.DeepEqual(got, all) {
		t.Errorf("%s: All = %v, want %v", p, got, all)
	}
	parts := p.Parts(part)
	for i := range parts {
		parts[i] = payload.Open(parts[i])
	}
	if !reflect.DeepEqual(parts, all) {
		t.Errorf("%s: Parts = %v, want %v", p, parts, all)
	}
}

func TestPartIsWrittenAsItCame(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"b":1.10,"a":"<&>\u00e9"}`:      `{"b":1.10,"a":"<&>\u00e9"}`,
		"[ {\"b\": [1, 2] ,\n\"a\":{}} ]": `[{"b":[1,2],"a":{}}]`,
		` " x " `:                         `" x "`,
	} {
		if got := asJSON(t, scanned(t, body)); got != want {
			t.Errorf("%s is written as %s, want %s", body, got, want)
		}
	}
	items := mustParse(t, `[*]`).Parts(scanned(t, `[{"b":1, "a":2}, "x", 7, null, []]`))
	if got := asJSON(t, items); got != `[{"b":1,"a":2},"x",7,null,[]]` {
		t.Errorf("items are written as %s", got)
	}
}

// TestKeysAreComparedHoweverMany goes over the number from which on keys are
// gathered, with and without a key that has to be unquoted.
func TestKeysAreComparedHoweverMany(t *testing.T) {
	t.Parallel()
	for n := range 60 {
		var body strings.Builder
		for i := range n {
			fmt.Fprintf(&body, `"key%d":{"deeper":1},`, i)
		}
		for _, last := range []string{`"last":1`, `"\u006cast":1`} {
			if _, err := decodeJSON("{" + body.String() + last + "}"); err != nil {
				t.Fatalf("%d keys: %v", n, err)
			}
		}
		for _, again := range []string{`"key0":1`, fmt.Sprintf(`"key%d":1`, n-1), `"\u006bey0":1`, fmt.Sprintf(`"\u006bey%d":1`, n-1)} {
			if _, err := decodeJSON("{" + body.String() + again + "}"); n > 0 && problem(err) == "" {
				t.Fatalf("%d keys and %s once more are taken", n, again)
			}
		}
	}
}

// FuzzPartIsItsTree holds that nobody can tell a Part from its maps and lists.
func FuzzPartIsItsTree(f *testing.F) {
	for _, seed := range []struct{ body, path string }{
		{contact, `phone[label={main.label}].value`}, {contact, `entry[*].changes[-1].id`}, {` [ [1], {"a":[]} ] `, `[*][0]`},
		{`{"\u0061":{"b":"\n"}}`, `a.b`}, {`"x"`, `[0]`}, {`{"a":[{"b":1},{"b":true}]}`, `a[b=true]`},
	} {
		f.Add(seed.body, seed.path)
	}
	f.Fuzz(func(t *testing.T, body, path string) {
		part, err := payload.Scan("application/json", payload.Auto, []byte(body))
		p, wrong := payload.ParsePath(path)
		if err != nil || wrong != nil {
			return
		}
		opened := payload.Open(part)
		sameIn(t, part, opened, p)
		again, err := decodeJSON(asJSON(t, part))
		if err != nil || !reflect.DeepEqual(again, opened) {
			t.Errorf("%s came back as %v, %v", body, again, err)
		}
	})
}
