package mapping_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/mapping"
	"callbridge/mapping/config"
	"callbridge/signature"
)

func TestAPresetNeedsItsSecretAndItsURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"public_url: https://b.example.com\nsources:\n  hub: {preset: hubspot-workflow}\n": `callbridge.yaml:3:8: sources.hub: the preset needs its secret; add secret: "${NAME}"`,
		"sources:\n  hub: {preset: hubspot-workflow, secret: \"${SECRET}\"}\n":             `callbridge.yaml:2:8: sources.hub: verify.0.url.public_base: `,
	} {
		_, err := mapping.Parse("callbridge.yaml", []byte(text), withSecret())
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestASourceChangesTheFieldsOfItsPreset(t *testing.T) {
	t.Parallel()
	config := parse(t, `sources:
  crm:
    preset: generic
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    fields:
      phone: {region: US}
      email: {path: mail}
routes:
  - {name: all, source: crm, mode: live, call: {call_to: phone, notes: "{{email}} {{first_name|}}"}}
`)
	o := outcomeOf(config.Map(read(t, config, "crm", "application/json", `{"phone": "2025550142", "mail": "a@example.com"}`)[0])[0])
	if want := `"notes":"a@example.com"`; !strings.Contains(string(o.Call), want) || !strings.Contains(string(o.Call), "+12025550142") {
		t.Errorf("got %s", o.Call)
	}
	o = outcomeOf(config.Map(read(t, config, "crm", "application/json", `{"phone": "2025550142", "email": "a@example.com"}`)[0])[0])
	if o.Field != "email" {
		t.Errorf("a field with a path of its own keeps keys of the preset: got %+v", o)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	config := parse(t, `sources:
  crm: {preset: generic, verify: {kind: none, reason: behind a VPN}}
  other: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}}
routes:
  - {name: dry, source: crm, call: {call_to: phone}}
  - {name: off, source: crm, enabled: false, mode: live, call: {call_to: phone}}
`)
	want := `callbridge.yaml:2:8: sources.crm: accepts webhooks from any sender: behind a VPN
callbridge.yaml:3:10: sources.other: no route uses this source; its events are skipped (no_route)
callbridge.yaml:5:5: routes[0]: dry_run: no call is made; write mode: live when the results are right
callbridge.yaml:6:5: routes[1]: the route is switched off`
	if got := mapping.Problems(config.Warnings()).Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if source, _ := config.Source("crm"); source.Unverified() != "behind a VPN" {
		t.Errorf("got %q", source.Unverified())
	}
}

func TestWithModeLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	dry, err := mapping.Load("testdata/form-sent/callbridge.yaml", withSecret())
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile("testdata/form-sent/payload.form")
	if err != nil {
		t.Fatal(err)
	}
	live := dry.WithMode(mapping.Live)
	in := read(t, dry, "form", "application/x-www-form-urlencoded", string(body))[0]
	if live.Map(in)[0].Request == nil || dry.Map(in)[0].Request != nil {
		t.Error("the mode is not that of its configuration")
	}
	if live.Routes()[0].Mode != mapping.Live || dry.Routes()[0].Mode != mapping.DryRun || live.Hash() != dry.Hash() {
		t.Error("the copy differs in more than its mode, or the original changed")
	}
}

func TestHashNamesTheContents(t *testing.T) {
	t.Parallel()
	a, b := parse(t, valid), parse(t, strings.Replace(valid, "50", "51", 1))
	if a.Hash() != parse(t, valid).Hash() || a.Hash() == b.Hash() || len(a.Hash()) != 12 {
		t.Errorf("got %s and %s", a.Hash(), b.Hash())
	}
}

func TestLoadNamesTheFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := mapping.Load(filepath.Join(t.TempDir(), "callbridge.yaml"), withSecret())
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "read configuration: ") {
		t.Errorf("got %v", err)
	}
}

func TestSnippetsPointAtTheirPlace(t *testing.T) {
	t.Parallel()
	text := strings.Replace(valid, "lead_score >= 50", "name == 'ü' && leadscore > 1", 1)
	_, err := mapping.Parse("callbridge.yaml", []byte(text), withSecret())
	var problems mapping.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	const want = "    when: name == 'ü' && leadscore > 1\n                         ^"
	if problems[0].Snippet != want {
		t.Errorf("got\n%s\nwant\n%s", problems[0].Snippet, want)
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	for _, section := range config.Sections() {
		for _, key := range section.Keys {
			if key.Doc == "" || key.Kind == "" {
				t.Errorf("%s: %s has no kind or no documentation", section.Name, key.Name)
			}
		}
	}
}

// TestHubSpotWorkflowVerifiesItsSignature signs as HubSpot's v2 documentation
// says: SHA-256 of client secret, method, URL and body.
func TestHubSpotWorkflowVerifiesItsSignature(t *testing.T) {
	t.Parallel()
	config := parse(t, "public_url: https://bridge.example.com\nsources:\n  crm: {preset: hubspot-workflow, secret: \"${SECRET}\"}\n")
	source, _ := config.Source("crm")
	const body = `{"hs_object_id": "310", "phone": "+12025550142"}`
	sum := sha256.Sum256([]byte("open sesame" + "POST" + "https://bridge.example.com/webhooks/crm?q=1" + body))
	genuine := hex.EncodeToString(sum[:])
	if in, err := source.Receive(delivery(body, "X-HubSpot-Signature", genuine)); err != nil || len(in) != 1 {
		t.Errorf("got %v, %v", in, err)
	}
	var failure *signature.Failure
	if _, err := source.Receive(delivery(body+" ", "X-HubSpot-Signature", genuine)); !errors.As(err, &failure) {
		t.Errorf("another body: got %v", err)
	}
}
