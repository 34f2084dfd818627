package payload_test

import (
	"testing"

	"callbridge/mapping/payload"
)

func TestEveryLeafIsFoundAtItsPath(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		contact,
		`{"First Name":1,"a.b":2,"form_fields[phone]":3,"[0]":4,"\"x\"\\":5,"":6,"header:x":7,"größe":8,"a":{"":{"b c":[1,[2,{"d]":3}]]}}}`,
		`[1,{"a":[]},{"b":{}},null]`, `"text"`, `{}`,
	} {
		tree, err := decodeJSON(body)
		if err != nil {
			t.Fatal(err)
		}
		leaves := payload.Leaves(tree)
		if len(leaves) == 0 {
			t.Errorf("%s: no leaf", body)
		}
		for _, leaf := range leaves {
			if leaf.Path == "" {
				continue // the tree itself
			}
			if got, ok := mustParse(t, leaf.Path).Lookup(tree); !ok || asJSON(t, got) != asJSON(t, leaf.Value) {
				t.Errorf("%s: found %v, %t, want %v", leaf.Path, got, ok, leaf.Value)
			}
		}
	}
}

func TestKeyOfAFormIsFoundAsItIsWritten(t *testing.T) {
	t.Parallel()
	form, err := payload.Decode("application/x-www-form-urlencoded", payload.Auto,
		[]byte("form_fields[phone]=1&form_fields[First Name]=2&a[b][c]=3&list[0][x]=4&list[1][x]=5"))
	if err != nil {
		t.Fatal(err)
	}
	object, err := decodeJSON(`{"form_fields[phone]":"1","form_fields[First Name]":"2","a[b][c]":"3","list":[{"x":"4"},{"x":"5"}],"form_fields":{"phone":"no"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		`form_fields[phone]`: `"1"`, `form_fields[First Name]`: `"2"`, `a[b][c]`: `"3"`, `list[1][x]`: `"5"`, `list[0].x`: `"4"`, `list[-1][x]`: `"5"`,
	} {
		for name, tree := range map[string]payload.Value{"form": form, "JSON": object} {
			if got, _ := mustParse(t, path).Lookup(tree); asJSON(t, got) != want {
				t.Errorf("%s: %s = %v, want %s", name, path, got, want)
			}
		}
	}
	for _, path := range []string{`form_fields[nothing]`, `a[b][nothing]`, `list[phone]`, `a[b][c][d]`} {
		if got, ok := mustParse(t, path).Lookup(form); ok {
			t.Errorf("%s = %v, want nothing", path, got)
		}
	}
}
