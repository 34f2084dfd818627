package mapping_test

import (
	"strings"
	"testing"

	"callbridge/mapping"
)

// TestCheckWarnsAboutAKeyThatNamesAPerson: a contact that is enrolled again would be
// a duplicate.
func TestCheckWarnsAboutAKeyThatNamesAPerson(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		`body:contact_id`:                         "3:10",
		`[[body:hs_object_id]]`:                   "3:11",
		`[body:event_id, body:contact.id]`:        "3:26",
		`[[body:contactId, body:email]]`:          "3:11",
		`body:who`:                                "3:10", // the field contact_id
		`body:nr`:                                 "3:10", // a phone
		`[[body:vid, body:enrolled_at]]`:          "",
		`[[body:contact.id, body:stage?]]`:        "",
		`body:id`:                                 "",
		`body:deal.id`:                            "",
		`[body:event_id, sha256:body]`:            "",
		`"header:X-Contact-Id"`:                   "",
		`[[text:form, body:contact_id, body:at]]`: "",
	} {
		text := `sources:
  crm:
    key: ` + key + `
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    fields: {nr: {path: nr, type: phone}, contact_id: {path: who}}
routes: []
`
		config, err := mapping.Parse("callbridge.yaml", []byte(text), withSecret())
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		got := mapping.Problems(config.Warnings()).Error()
		has := strings.Contains(got, "names the person, not the event")
		if has != (want != "") || has && !strings.Contains(got, "callbridge.yaml:"+want+":") {
			t.Errorf("%s: %q, want it at %q", key, got, want)
		}
	}
}
