package mapping_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const placeConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    type: body:type
    lookup:
      - {when: type == "path", url: "https://api.example.com/c/{{object}}/x?fields=a"}
      - {when: type == "query", url: "https://api.example.com/c?search={{object}}&fields=a"}
      - {when: type == "soql", url: "https://api.example.com/q?q=select+Id+from+Lead+where+Id='{{object}}'"}
      - {when: type == "coql", method: POST, url: "https://api.example.com/coql", body: '{"q": "select Id from Leads where id = ''{{object}}''"}'}
      - {when: type == "bound", method: POST, url: "https://api.example.com/graphql", body: '{"query": "q", "variables": {"id": "{{object}}"}}'}
    fields:
      object: {path: object}
      phone: {path: "lookup:phone", type: phone}
routes:
  - {name: all, source: crm, call: {call_to: phone}}
`

func TestLookupTakesOnlyWhatFitsItsPlace(t *testing.T) {
	t.Parallel()
	config := parse(t, placeConfig)
	strict := []string{"path", "soql", "coql"}
	for _, c := range []struct {
		object string
		fine   []string
	}{
		{"410405000002264042", []string{"path", "query", "soql", "coql", "bound"}},
		{"00Q5g00000abcDEFGH", []string{"path", "query", "soql", "coql", "bound"}},
		{"3c90c3cc-0d44-4b50-8888-8dd25736052a", []string{"path", "query", "soql", "coql", "bound"}},
		{"ada+x@example.com", []string{"query", "bound"}},
		{"Ada Löve", []string{"query", "bound"}},
		{"..", nil}, {".", nil}, {"..%2Fadmin", []string{"bound"}}, {"..%252Fadmin", []string{"bound"}},
		{"%2e%2e", []string{"bound"}}, {"5/../6", []string{"bound"}}, {`5\..\6`, []string{"bound"}}, {"5'", []string{"bound"}},
		{"5' or Id != '", []string{"bound"}}, {`5"}`, []string{"bound"}}, {"5@evil.example", []string{"query", "bound"}}, {"@evil", []string{"bound"}},
		{"5?x", []string{"bound"}}, {"5#x", []string{"bound"}}, {"5&a=b", []string{"bound"}}, {"5;x", []string{"bound"}}, {"5..6", []string{"bound"}},
		// The field has lost what nobody sees.
		{"5\u0000", []string{"path", "query", "soql", "coql", "bound"}}, {"5\u202e6", []string{"path", "query", "soql", "coql", "bound"}},
		{"5\u001b[2J", []string{"bound"}}, {"5\n6", nil},
		{strings.Repeat("5", 129), []string{"query", "bound"}}, {strings.Repeat("5", 255), nil},
	} {
		written, err := json.Marshal(c.object)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range append(strict, "query", "bound") {
			in := read(t, config, "crm", "application/json", `{"id": 1, "type": "`+place+`", "object": `+string(written)+`}`)[0]
			q, made := config.Lookup(in)
			want := false
			for _, fine := range c.fine {
				want = want || fine == place
			}
			if made != want {
				t.Errorf("%q in %s: asked %t, want %t", c.object, place, made, want)
			}
			if made && (!strings.HasPrefix(q.URL, "https://api.example.com/") || strings.Contains(q.URL, "..") || strings.ContainsAny(q.URL+string(q.Body), "\x00\x1b\u202e")) {
				t.Errorf("%q in %s leads to %s", c.object, place, q.URL)
			}
		}
	}
}
