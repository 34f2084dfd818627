package mapping_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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
  - {name: all, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone, notes: "{{email}} {{first_name|}}"}}
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
	config := parseWith(t, `sources:
  crm: {preset: generic, verify: {kind: none, reason: behind a VPN}}
  other: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}}
routes:
  - {name: dry, source: crm, call: {call_to: phone}}
  - {name: off, source: crm, enabled: false, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone}}
`, longSecret)
	want := `callbridge.yaml:2:8: sources.crm: accepts webhooks from any sender: behind a VPN
callbridge.yaml:3:10: sources.other: no route uses this source; its events are skipped (no_route)
callbridge.yaml:5:5: routes[0]: dry_run: no call is made; write mode: live when the results are right
callbridge.yaml:5:36: routes[0].call: "ai_agent_id" is missing: Callab refuses a create call without an agent; write the id of the agent
callbridge.yaml:6:5: routes[1]: the route is switched off
callbridge.yaml:6:109: routes[1].call: "ai_agent_id" is missing: Callab refuses a create call without an agent; write the id of the agent`
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

const permitConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, %s call: {call_to: %s}}
policy: {countries: [US, GB]}
`

func TestRoutesPermitNumbers(t *testing.T) {
	t.Parallel()
	const literal = `"+12025550142"`
	for _, c := range []struct{ keys, to, phone, want string }{
		{"", "phone", "+12025550142", ""},
		{"policy: {countries: [CA, US]},", "phone", "+12025550142", ""},
		{"policy: {countries: [CA]},", "phone", "+12025550142", "phone: region_not_allowed: +12•••••••42: the number is in US"},
		{"policy: {countries: [GB]},", "phone", "+447911123456", ""}, // Guernsey
		{"", "phone", "+447911123456", ""},
		{"", "phone", "+16135550142", "phone: region_not_allowed: +16•••••••42: the number is in CA"},
		{"", "phone", "+12125551212", "phone: service_number: +12•••••••12: numbers of this kind are not called (body:phone)"},
		{"", "phone", "+12025550142 ext 7", "phone: has_extension: an extension cannot be dialled"},
		{"allow_extension: true,", "phone", "+12025550142 ext 7", ""},
		{"allow_extension: true, policy: {countries: [CA]},", "phone", "+12025550142 ext 7", "phone: region_not_allowed: +12•••••••42: the number is in US"},
		{"", literal, "", ""},
		{"policy: {countries: [US]},", literal, "", ""},
		{"policy: {countries: [CA]},", literal, "", ": region_not_allowed: +12•••••••42: the number is in US"},
	} {
		config := parse(t, fmt.Sprintf(permitConfig, c.keys, c.to))
		d := config.Map(read(t, config, "crm", "application/json", fmt.Sprintf(`{"id": 1, "phone": %q}`, c.phone))[0])[0]
		got := ""
		if d.Result != nil {
			got = d.Result.Field + ": " + d.Result.Detail
		}
		if got != c.want {
			t.Errorf("%s of %q: got %q, want %q", c.keys, c.phone, got, c.want)
		}
	}
}

const secretConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: %s}
    key: body:id
routes: []
`

// vault has one secret in the environment and one in a file.
func vault() mapping.Options {
	return mapping.Options{
		LookupEnv: func(name string) (string, bool) {
			value, ok := map[string]string{"NEW": "new-key", "EMPTY": ""}[name]
			return value, ok
		},
		ReadFile: func(file string) ([]byte, error) {
			if file == "/run/secrets/old" {
				return []byte("old-key\n"), nil
			}
			return nil, fmt.Errorf("open %s: %w", file, fs.ErrNotExist)
		},
	}
}

func TestSecretsComeFromTheEnvironmentAndFromFiles(t *testing.T) {
	t.Parallel()
	config, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, secretConfig, `["${NEW}", "${file:/run/secrets/old}"]`), vault())
	if err != nil {
		t.Fatal(err)
	}
	source, _ := config.Source("crm")
	for key, fine := range map[string]bool{"new-key": true, "old-key": true, "${NEW}": false, "": false} {
		if _, err := source.Receive(delivery(`{"id": 1}`, "X-Api-Key", key)); (err == nil) != fine {
			t.Errorf("%q: got %v", key, err)
		}
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	t.Parallel()
	const hint = `; write "${NAME}" for an environment variable or "${file:/path}"`
	for _, c := range []struct{ values, want string }{
		{`[hunter2-literal]`, "a secret must not be written in this file" + hint},
		{`["pre-${NEW}"]`, "a secret must not be written in this file" + hint},
		{`[12345]`, "a secret must not be written in this file" + hint},
		{`["${file:relative}"]`, "a secret must not be written in this file" + hint},
		{`[null]`, "a secret must be a text" + hint},
		{`["${NO_SUCH}"]`, "the environment variable NO_SUCH is not set"},
		{`["${EMPTY}"]`, "${EMPTY} is empty"},
		{`["${file:/no/such}"]`, "read secret: open /no/such: file does not exist"},
	} {
		_, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, secretConfig, c.values), vault())
		want := "callbridge.yaml:3:55: sources.crm.verify.values: " + c.want
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v\nwant %s", c.values, err, want)
		}
	}
}

// TestVariableThatIsNotSetIsReportedOnce, however many places want it: a preset
// names its token in each lookup.
func TestVariableThatIsNotSetIsReportedOnce(t *testing.T) {
	t.Parallel()
	const config = `sources:
  hubspot: {preset: hubspot, secret: "${SECRET}"}
  other: {preset: hubspot, secret: "${SECRET}"}
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${OWN}", "${OWN}", "${HUBSPOT_TOKEN}"]}
    key: body:id
    kye: 5
`
	_, err := mapping.Parse("callbridge.yaml", []byte(config), mapping.Options{LookupEnv: func(string) (string, bool) { return "", false }})
	const want = `callbridge.yaml:2:38: sources.hubspot.secret: the environment variable SECRET is not set
callbridge.yaml:5:55: sources.crm.verify.values: the environment variable OWN is not set
callbridge.yaml:5:75: sources.crm.verify.values: the environment variable HUBSPOT_TOKEN is not set
callbridge.yaml:7:5: sources.crm: unknown key "kye"; did you mean "key"?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = mapping.Parse("callbridge.yaml", []byte(`{public_url: "https://example.com", sources: {hubspot: {preset: hubspot, secret: "${SECRET}"}}}`), mapping.Options{
		LookupEnv: func(name string) (string, bool) { return "set", name == "SECRET" },
	})
	if err == nil || strings.Count(err.Error(), "HUBSPOT_TOKEN is not set") != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("a token of the preset: got\n%v", err)
	}
}

// TestProblemsShowNoSecret breaks the line of a secret in many ways.
func TestProblemsShowNoSecret(t *testing.T) {
	t.Parallel()
	options := mapping.Options{LookupEnv: func(string) (string, bool) { return "hunter2", true }}
	for _, values := range []string{
		`hunter2`, `[hunter2]`, `{a: hunter2}`, `[[hunter2]]`, `["${X}", hunter2]`, `["${X}"], key_encoding: hex`, `["${X}"], kind: hmac`,
		`["${X}"], hash: md5`,
	} {
		_, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, secretConfig, values), options)
		var problems mapping.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: got %v, want problems", values, err)
		}
		for _, p := range problems {
			if text := fmt.Sprintf("%v %#v", p, p); strings.Contains(text, "hunter2") {
				t.Errorf("%s: %s", values, text)
			}
		}
	}
}
