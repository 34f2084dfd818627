package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"callbridge/event"
)

const consentConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields:
      phone: {path: phone, type: phone}
      agreed: {path: agreed, type: bool}
      agreed_at: {path: agreed_at, type: time, optional: true}
      form: {path: form, optional: true}
      do_not_call: {path: dnc, type: bool, empty: false}
      deceased: {path: deceased, type: bool, default: false}
routes:
  - name: offer
    source: crm
    mode: %s
    purpose: %s
    consent: agreed
    consent_ref: form
    consent_at: agreed_at
    do_not_call: [do_not_call, deceased]
    call: {call_to: phone}
policy: {countries: [US], hours: any}
`

// TestConsent: whom a route calls beside its rule. What is missing or odd calls nobody.
func TestConsent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`"agreed": true, "dnc": false`, requested},
		{`"agreed": "yes", "dnc": null`, requested},
		{`"agreed": true, "dnc": false, "deceased": false`, requested},
		{`"agreed": false, "dnc": false`, "skipped no_consent agreed"},
		{`"agreed": "no", "dnc": ""`, "skipped no_consent agreed"},
		{`"dnc": false`, "rejected missing_field agreed"},
		{`"agreed": null, "dnc": false`, "rejected missing_field agreed"},
		{`"agreed": "perhaps", "dnc": false`, "rejected bad_field agreed"},
		{`"agreed": "[not provided]", "dnc": false`, "rejected missing_field agreed"},
		{`"agreed": true, "dnc": true`, "skipped do_not_call do_not_call"},
		{`"agreed": true, "dnc": "DND"`, "rejected bad_field do_not_call"},
		{`"agreed": true`, "rejected missing_field do_not_call"},
		{`"agreed": true, "dnc": false, "deceased": 1`, "skipped do_not_call deceased"},
		{`"agreed": true, "dnc": false, "deceased": "perhaps"`, "rejected bad_field deceased"},
		// Who must not be called comes before who has agreed.
		{`"agreed": false, "dnc": true`, "skipped do_not_call do_not_call"},
	} {
		for _, mode := range []string{"live", "dry_run"} {
			config := parseWith(t, fmt.Sprintf(consentConfig, mode, "marketing"), longSecret)
			want := c.want
			if want == requested && mode == "dry_run" {
				want = "skipped dry_run"
			}
			if got := decideWith(t, config, `{"id": 1, "phone": "+12025550142", `+c.body+`}`); got != want {
				t.Errorf("%s, %s: %q, want %q", mode, c.body, got, want)
			}
		}
	}
}

// TestConsentIsProved: the proof is in the call's metadata, where Callab keeps it, and so
// in every result.
func TestConsentIsProved(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"form": "F-7", "agreed_at": "2026-11-01T10:00:00+01:00"`: `"consent_at":"2026-11-01T09:00:00Z","consent_ref":"F-7"`,
		`"form": null, "agreed_at": "soon"`:                       ``,
	} {
		config := parseWith(t, fmt.Sprintf(consentConfig, "live", "marketing"), longSecret)
		made := mapOne(t, config, `{"id": 1, "phone": "+12025550142", "agreed": true, "dnc": false, `+body+`}`)
		if made.Request == nil {
			t.Fatalf("%s: %+v", body, made.Result)
		}
		var call struct{ Metadata map[string]any }
		if err := json.Unmarshal(made.Request.Call, &call); err != nil {
			t.Fatal(err)
		}
		delete(call.Metadata, event.RequestKey)
		text, _ := json.Marshal(call.Metadata)
		if got := strings.Trim(string(text), "{}"); got != want {
			t.Errorf("%s: metadata %s, want %s", body, got, want)
		}
	}
}
