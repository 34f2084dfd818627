package mapping_test

import (
	"testing"
)

// flagConfig has an opt-out in three places.
const flagConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: sha256:body
    fields:
      x: {path: [a, b.status, "channels[*].off"], type: bool, any_true: true%s}
routes: []
`

// TestAnyTrueIsTrueIfOneIs is the table of a flag that a CRM writes in several
// places: one that says no counts, and what cannot be read is not a yes.
func TestAnyTrueIsTrueIfOneIs(t *testing.T) {
	t.Parallel()
	const unless = `, true_unless: ["false", inactive]`
	for _, c := range []struct{ keys, body, want string }{
		{"", `{"a": true}`, "true"},
		{"", `{"a": false}`, "false"},
		{"", `{"a": false, "b": {"status": true}}`, "true"},
		{"", `{"a": false, "b": {"status": false}, "channels": [{"off": false}, {"off": "yes"}]}`, "true"},
		{"", `{"a": false, "b": {"status": false}, "channels": [{"off": false}]}`, "false"},
		{"", `{"a": false, "b": {"status": "permanent"}}`, `unreadable: found the text "permanent" where bool belongs (body:b.status)`},
		{"", `{"a": "permanent", "b": {"status": true}}`, "true"},
		{"", `{"a": false, "b": {"status": "{{dnd}}"}}`, `unreadable: found the text "{{dnd}}" where bool belongs (body:b.status)`},
		{"", `{"a": null, "b": {"status": ""}, "channels": []}`, "missing: nothing at body:a, body:b.status, body:channels[*].off"},
		{", default: false", `{}`, "false"},
		{", default: false", `{"b": {"status": {}}}`, "unreadable: found an object where bool belongs (body:b.status)"},
		{unless, `{"a": false, "b": {"status": "permanent"}}`, "true"},
		{unless, `{"a": false, "b": {"status": "inactive"}}`, "false"},
		{unless, `{"a": "", "b": {"status": "Inactive "}}`, "false"},
		{unless + ", default: false", `{"a": "{{contact.dnd}}"}`, "true"},
		{", empty: false", `{}`, "missing: nothing at body:a, body:b.status, body:channels[*].off"},
		{", empty: false", `{"a": null}`, "false"},
		{", empty: false", `{"a": ""}`, "false"},
		{", empty: false", `{"a": null, "b": {"status": "on"}}`, "true"},
		{", empty: false", `{"a": null, "b": {"status": "{{dnd}}"}}`, `unreadable: found the text "{{dnd}}" where bool belongs (body:b.status)`},
		{", empty: true", `{"a": null, "b": {"status": "off"}}`, "true"},
	} {
		if got := flagValue(t, c.keys, c.body); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.keys, c.body, got, c.want)
		}
	}
}

func flagValue(t *testing.T, keys, body string) string {
	t.Helper()
	return fieldOf(t, flagConfig, keys, body)
}
