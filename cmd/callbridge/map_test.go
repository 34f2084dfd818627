package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/internal/testkit"
	"callbridge/mapping"
	"callbridge/mapping/payload"
)

func TestMapExplainsWithoutSecrets(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "map", "-c", "example/callbridge.yaml", "-s", "website", "example/website-lead.json")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"+12•••••••42", "lead_score", "72", "new-lead", "dry_run", "true     consent: consent", `"first_name": "Ada"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the explanation lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "0142") {
		t.Errorf("the explanation shows the number:\n%s", out)
	}
	_, out, _ = callbridge(t, exampleBody(t, "website-lead.json"), "map", "-c", "example/callbridge.yaml", "-s", "website", "--reveal", "-o", "json", "-")
	if !json.Valid([]byte(out)) || !strings.Contains(out, "+12025550142") {
		t.Errorf("--reveal -o json printed:\n%s", out)
	}
}

func TestMapExplainsPartsThatAreNeitherTrueNorFalse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	const config = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}, score: {path: score, type: number}, vip: {path: vip, type: bool}, tags: {path: tags, type: list}}
routes:
  - {name: lead, source: crm, when: 'score > 1 && vip || tags[5] == "x" || phone == "+12025550199"', call: {call_to: phone}}
`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	const body = `{"id":"k","phone":"+12025550142","tags":["a"]}`
	code, out, errs := callbridge(t, body, "map", "-c", file, "-s", "crm", "--content-type", "application/json", "-")
	const want = `
      unknown  score > 1 (depends on score)
      unknown  vip
      error    tags[5] == "x" (index out of bounds: 5)
      false    phone == "+12025550199"
`
	if code != 0 || !strings.Contains(out, want) {
		t.Errorf("exit code %d: %s\nwant%s\nprinted\n%s", code, errs, want, out)
	}
}

const thinConfig = `
sources:
  crm:
    verify: {kind: token, header: X-Token, values: ["${CRM_KEY}"]}
    key: body:id
    lookup: {url: "https://crm.example.com/contacts/{{contact}}", auth: {kind: bearer, token: "${CRM_TOKEN}"}}
    fields:
      contact: {path: contact}
      phone: {path: "lookup:person.phone", type: phone}
routes:
  - {name: all, source: crm, call: {call_to: phone}}
`

func TestMapAnswersALookupFromAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config, webhook := file("callbridge.yaml", thinConfig), file("webhook.json", `{"id":1,"contact":5}`)
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"without", nil, []string{"GET https://crm.example.com/contacts/5", "--lookup FILE", "rejected missing_field"}},
		{"JSON", []string{"--lookup", file("answer.json", `{"person":{"phone":"+12025550142"}}`)}, []string{"answered from the file", "skipped dry_run", "+12•••••••42"}},
		{"XML", []string{"--lookup", file("answer.xml", `<person><phone>+12025550142</phone></person>`)}, []string{"answered from the file", "skipped dry_run"}},
	} {
		code, out, errs := callbridge(t, "", append([]string{"map", "-c", config, "-s", "crm", webhook}, c.args...)...)
		for _, want := range c.want {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s: exit code %d, %q is missing:\n%s%s", c.name, code, want, out, errs)
			}
		}
	}
	code, _, errs := callbridge(t, "", "map", "-c", config, "-s", "crm", "--lookup", file("broken.json", `{`), webhook)
	if code != 1 || !strings.Contains(errs, "read --lookup") {
		t.Errorf("a broken answer: exit code %d: %s", code, errs)
	}
}

func TestPathsOfAWebhookFindItsValues(t *testing.T) {
	t.Parallel()
	const body = `{"a": {"First Name": "Ada", "b \"c\" \\": [1, {"ü-x": null}]}, "": "empty", "phone": "+12025550142", "$id": true, "list": [[2]]}`
	code, out, errs := callbridge(t, body, "map", "--paths", "--reveal", "-o", "json", "-")
	var leaves []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal([]byte(out), &leaves); err != nil || code != 0 || len(leaves) != 7 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	tree, err := payload.Decode("", payload.JSON, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves {
		path, err := payload.ParsePath(l.Path)
		if err != nil {
			t.Errorf("%s: %v", l.Path, err)
			continue
		}
		if found, ok := path.Lookup(tree); !ok || string(compact(found)) != string(l.Value) {
			t.Errorf("%s leads to %s, want %s", l.Path, compact(found), l.Value)
		}
	}
}

func TestPathsAreRelativeToEventsAndValuesAreMasked(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "map", "--paths", "example/website-lead.json")
	if code != 0 || !strings.Contains(out, "contact.first_name") || strings.Contains(out, "0142") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	const config = "../../mapping/testdata/batch/callbridge.yaml"
	code, out, errs = callbridge(t, "", "map", "--paths", "-c", config, "-s", "crm", "../../mapping/testdata/batch/payload.json")
	if code != 0 || strings.Contains(out, "[0]") {
		t.Errorf("exit code %d, want the paths inside each event: %s%s", code, out, errs)
	}
}

func TestOwnSourceIsShortAndShowsItsPaths(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(testkit.Path("docs/examples/own-source/callbridge.yaml"))
	if lines := strings.Count(string(text), "\n"); err != nil || lines > 25 {
		t.Errorf("%d lines, want 25 at most (%v)", lines, err)
	}
	code, out, errs := callbridge(t, "", "map", "--paths", testkit.Path("docs/examples/own-source/payload.json"))
	if code != 0 || !strings.Contains(testkit.Read(t, "docs/mapping.md"), "```\n"+out+"```\n") {
		t.Errorf("exit code %d, and the page does not show\n%s%s", code, out, errs)
	}
}

func TestMapReportsAnIgnoredWebhook(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	if err := os.WriteFile(file, []byte(`sources: {intercom: {preset: intercom, secret: "${SECRET}"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const ping = `{"type":"notification_event","topic":"ping","id":null}`
	code, out, errs := callbridge(t, ping, "map", "-c", file, "--source", "intercom", "--content-type", "application/json", "-")
	if code != 0 || !strings.HasPrefix(out, "no event: ") {
		t.Errorf("exit code %d: %s %s", code, out, errs)
	}
	code, out, _ = callbridge(t, ping, "map", "-c", file, "--source", "intercom", "--content-type", "application/json", "-o", "json", "-")
	if code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("as JSON, exit code %d: %s", code, out)
	}
}

const wordsConfig = `
sources:
  crm:
    verify: {kind: token, header: X-Token, values: ["${CRM_KEY}"]}
    key: body:id
    fields:
      phone: {path: phone, type: phone}
      bulk_edit: {path: bulk, type: bool}
      vip: {path: vip, type: bool, default: false}
      stage: {path: stage}
      note: {path: note}
policy: {countries: [US]}
routes:
  - name: all
    source: crm
    mode: live
    purpose: service
    when: '!bulk_edit && (vip || stage == "won") && !(vip && bulk_edit)'
    call: {call_to: phone, agent_dynamic_variables: {note: "{{note}}"}}
  - {name: again, source: crm, mode: live, purpose: service, when: '!(stage == "won") || vip', call: {call_to: phone}}
  - {name: third, source: crm, mode: live, purpose: service, call: {call_to: phone}}
`

func TestMapShowsOnlyWhatHoldsOfARouteThatMatches(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, "callbridge.yaml", wordsConfig)
	body := `{"id": 1, "phone": "+12025550142", "bulk": false, "stage": "won", "note": "` + strings.Repeat("word ", 60) + `"}`
	code, out, errs := callbridge(t, body, "map", "-c", file, "-s", "crm", "--content-type", "application/json", "-")
	for _, want := range []string{
		`
  all                  live     matched
      true     !bulk_edit
      true     stage == "won"
      true     !(vip && bulk_edit)
  again                live     not_matched
      false    !(stage == "won")
      false    vip
`,
		"      cut: agent_dynamic_variables.note has 299 characters and was cut to 200\n",
		`  third                skipped same_event the route "all" calls +12•••••••42 for this event already`,
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d: %s\nwant%s\nprinted\n%s", code, errs, want, out)
		}
	}
}

func TestPathsAreReadyToPaste(t *testing.T) {
	t.Parallel()
	const body = `{"plain":101,"First Name":102,"a.b":103,"form_fields[phone]":104,"list":[105,{"x y":106}],"header:x":107,"x: y":108,
		"\"q\"\\":109,"it's":110,"größe":111,"null":112,"~":113,"@type":114,"*":115,"1":116,"true":117,"#c":118,"sf:Id":119,"":120,"-":121,"a,b}":122,"text:y":123}`
	code, out, errs := callbridge(t, body, "map", "--paths", "--content-type", "application/json", "-")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if code != 0 || len(lines) != 23 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	var block, flow, want strings.Builder
	for i, line := range lines {
		path, value := strings.TrimSpace(line[:len(line)-3]), line[len(line)-3:]
		fmt.Fprintf(&block, "      a%d:\n        path: %s\n", i, path)
		fmt.Fprintf(&flow, "      b%d: {path: %s, optional: true}\n      c%d: {path: [%s, x]}\n", i, path, i, path)
		fmt.Fprintf(&want, "a%d=%s b%d=%s c%d=%s ", i, value, i, value, i, value)
	}
	file := testkit.File(t, "callbridge.yaml", "sources:\n  crm:\n    verify: {kind: none, reason: a test}\n    key: sha256:body\n    fields:\n"+
		block.String()+flow.String()+"      phone: {path: phone, type: phone}\nroutes:\n  - {name: all, source: crm, call: {call_to: phone}}\n")
	code, out, errs = callbridge(t, body, "map", "-c", file, "-s", "crm", "--content-type", "application/json", "-o", "json", "-")
	var x []mapping.Explanation
	if err := json.Unmarshal([]byte(out), &x); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	got := map[string]any{}
	for _, f := range x[0].Fields {
		got[f.Name] = f.Value
	}
	for pair := range strings.FieldsSeq(want.String()) {
		name, value, _ := strings.Cut(pair, "=")
		if got[name] != value {
			t.Errorf("%s is %v, want %s: %s", name, got[name], value, lines)
		}
	}
}

// TestMapRevealsNumbersAndNoSecret is what the page of mapping says about --reveal.
func TestMapRevealsNumbersAndNoSecret(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, "callbridge.yaml", `
sources:
  crm:
    verify: {kind: token, body_path: auth.token, values: ["${CRM_KEY}"]}
    hide: internal
    key: body:id
    fields: {phone: {path: phone, type: phone}, name: {path: name}}
routes:
  - {name: all, source: crm, call: {call_to: phone, notes: "{{name}}"}}
`)
	const body = `{"id": 1, "phone": "+12025550142", "name": "Ada", "auth": {"token": "hush-token"}, "internal": "hush-internal"}`
	for _, args := range [][]string{{}, {"--reveal"}, {"--paths"}, {"--paths", "--reveal"}, {"--reveal", "-o", "json"}} {
		code, out, errs := callbridge(t, body, append([]string{"map", "-c", file, "-s", "crm", "--content-type", "application/json", "-"}, args...)...)
		reveals := strings.Contains(strings.Join(args, " "), "--reveal")
		if code != 0 || strings.Contains(out, "hush") || !strings.Contains(out, "Ada") || strings.Contains(out, "+12025550142") != reveals {
			t.Errorf("%v: exit code %d: %s%s", args, code, out, errs)
		}
	}
}
