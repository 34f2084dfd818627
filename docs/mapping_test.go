package docs_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbridge/internal/testkit"
	"callbridge/mapping"
	"callbridge/mapping/config"
	"callbridge/mapping/golden"
	"callbridge/mapping/rule"
)

// mappingPage is docs/mapping.md.
func mappingPage(t *testing.T) string { return testkit.Read(t, "docs/mapping.md") }

var codeSpan = regexp.MustCompile("`([^`]+)`")

// rows returns the cells of the tables of a chapter, header rows included.
func rows(t *testing.T, chapter string) [][]string {
	t.Helper()
	_, text, found := strings.Cut(mappingPage(t), "\n## "+chapter+"\n")
	if !found {
		t.Fatalf("no chapter %q", chapter)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var all [][]string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "| ") {
			all = append(all, strings.Split(strings.Trim(line, "| "), " | "))
		}
	}
	return all
}

const pageConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: sha256:body
    fields:
      field: %s
      stage: {path: stage, optional: true}
      amount: {path: amount, type: number, optional: true}
      consent: {path: consent, type: bool, optional: true}
      topics: {path: topics, type: list, optional: true}
      name: {path: name, optional: true}
routes:
  - {name: page, source: crm, mode: live, purpose: service, policy: {countries: [US]}, when: %s, call: {call_to: "+12025550100", notes: %s}}
`

// mapOne maps one JSON body with one field, one rule and one note.
func mapOne(t *testing.T, field, when, notes, body string) mapping.Decision {
	t.Helper()
	config, err := mapping.Parse("page", fmt.Appendf(nil, pageConfig, field, strconv.Quote(when), strconv.Quote(notes)), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := config.Source("crm")
	events, err := source.Read(mapping.Delivery{Body: []byte(body)})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return config.Map(events[0])[0]
}

func notesOf(d mapping.Decision) string {
	var call struct {
		Notes string `json:"notes"`
	}
	if d.Request == nil || json.Unmarshal(d.Request.Call, &call) != nil {
		return ""
	}
	return call.Notes
}

func TestPathsOfThePageFindTheDocumentedValues(t *testing.T) {
	t.Parallel()
	body := regexp.MustCompile("(?s)```json\n({\"contact\".*?)```").FindStringSubmatch(mappingPage(t))[1]
	tried := 0
	for _, row := range rows(t, "Value paths")[1:] {
		path, want := codeSpan.FindStringSubmatch(row[0])[1], codeSpan.FindStringSubmatch(row[1])[1]
		d := mapOne(t, "{type: list, path: "+strconv.Quote(path)+"}", "true", "{{field}}", body)
		if got := notesOf(d); got != want {
			t.Errorf("%s finds %q, want %q", path, got, want)
		}
		tried++
	}
	if tried < 5 {
		t.Errorf("%d paths tried", tried)
	}
}

func TestTypesOfThePageParseAsDocumented(t *testing.T) {
	t.Parallel()
	pair := regexp.MustCompile("`([^`]+)` → `([^`]+)`")
	tried := map[string]bool{}
	for _, row := range rows(t, "Fields") {
		kind := strings.Trim(row[0], "`")
		if len(row) != 3 || !pair.MatchString(row[1]) {
			continue
		}
		tried[kind] = true
		field := "{path: x, type: " + kind + "}"
		if kind == "phone" {
			field = "{path: x, type: phone, region: US}"
		}
		for _, m := range pair.FindAllStringSubmatch(row[1], -1) {
			if got := notesOf(mapOne(t, field, "true", "{{field}}", `{"x": `+m[1]+`}`)); got != m[2] {
				t.Errorf("%s %s is read as %q, want %q", kind, m[1], got, m[2])
			}
		}
		for _, m := range codeSpan.FindAllStringSubmatch(row[2], -1) {
			d := mapOne(t, field, "true", "{{field}}", `{"x": `+m[1]+`}`)
			if d.Result == nil || d.Result.Reason != "bad_field" && d.Result.Reason != "bad_phone" {
				t.Errorf("%s %s is not refused: %+v", kind, m[1], d)
			}
		}
	}
	for _, section := range config.Sections() {
		for _, key := range section.Keys {
			for _, kind := range key.Values {
				if section.Name == "field" && key.Name == "type" && !tried[kind] {
					t.Errorf("the type %s is not in the table", kind)
				}
			}
		}
	}
}

func TestRulesOfThePageHold(t *testing.T) {
	t.Parallel()
	const body = `{"stage": "offer", "amount": 4800, "consent": true, "topics": ["prices", "demo"], "name": "Ada Lovelace"}`
	tried := 0
	for _, row := range rows(t, "Rules") {
		if row[0] == "function" {
			break
		}
		m := codeSpan.FindStringSubmatch(row[len(row)-1])
		if len(row) != 3 || m == nil {
			continue
		}
		tried++
		if d := mapOne(t, "{path: stage}", m[1], "-", body); d.Request == nil {
			t.Errorf("%s does not hold: %+v", m[1], d.Result)
		}
		if d := mapOne(t, "{path: stage}", "!("+m[1]+")", "-", body); d.Request != nil {
			t.Errorf("%s holds whatever the event is", m[1])
		}
	}
	if tried < 10 {
		t.Errorf("%d rules tried", tried)
	}
}

func TestPageListsEveryFunction(t *testing.T) {
	t.Parallel()
	for _, f := range rule.Functions() {
		if row := fmt.Sprintf("\n| `%s` | %s | `%s` |\n", f.Signature, f.Doc, f.Example); !strings.Contains(mappingPage(t), row) {
			t.Errorf("this row is missing:%s", row)
		}
	}
}

func TestPageListsEveryKeyAndItsValues(t *testing.T) {
	t.Parallel()
	page := mappingPage(t)
	for _, section := range config.Sections() {
		if !slices.Contains([]string{"file", "source", "field", "policy", "route", "call"}, section.Name) {
			continue // handshakes and lookups are the matter of presets
		}
		for _, key := range section.Keys {
			if !regexp.MustCompile("[`{\n ]" + key.Name + "[`:]").MatchString(page) {
				t.Errorf("the key %s of a %s is missing", key.Name, section.Name)
			}
			for _, value := range key.Values {
				if !strings.Contains(page, "`"+value+"`") && !strings.Contains(page, "`"+key.Name+": "+value+"`") && !strings.Contains(page, "`"+key.Name+": \""+value+"\"`") {
					t.Errorf("%s: %s is missing", key.Name, value)
				}
			}
			if row := "| `" + key.Name + "` | " + key.Doc + " |"; section.Name == "call" && !strings.Contains(page, row) {
				t.Errorf("this row is missing:\n%s", row)
			}
		}
	}
}

func TestPageListsEveryReason(t *testing.T) {
	t.Parallel()
	page := mappingPage(t)
	for outcome, all := range golden.Reasons {
		for _, reason := range all {
			if !strings.Contains(page, fmt.Sprintf("\n| `%s` | %s |", reason, outcome)) {
				t.Errorf("the reason %s (%s) is missing", reason, outcome)
			}
		}
	}
	told := fmt.Sprint(rows(t, "Phone numbers"))
	reasons := regexp.MustCompile(`Reason = "([a-z_]+)"`).FindAllStringSubmatch(testkit.Read(t, "mapping/phone/phone.go"), -1)
	if len(reasons) < 10 {
		t.Errorf("%d reasons found in mapping/phone", len(reasons))
	}
	for _, m := range reasons {
		// callbridge does not refuse fictional numbers.
		if m[1] != "fictional_number" && !strings.Contains(told, "`"+m[1]+"`") {
			t.Errorf("the reason %s of a phone number is missing", m[1])
		}
	}
}

const examples = "examples"

func TestPageShowsTheFilesOfTheExamples(t *testing.T) {
	t.Parallel()
	page := mappingPage(t)
	files, err := filepath.Glob(examples + "/*/*")
	if err != nil || len(files) != 5*3 {
		t.Fatalf("%d files of examples: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block := fmt.Sprintf("`%s`\n\n```%s\n%s\n```\n", filepath.Base(file), strings.TrimPrefix(filepath.Ext(file), "."), strings.TrimSuffix(string(text), "\n"))
		if !strings.Contains(page, block) {
			t.Errorf("the page does not show %s as it is", file)
		}
	}
}

func TestExamplesOfThePagePass(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(examples + "/*/callbridge.test.yaml")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files of cases: %v", len(files), err)
	}
	passed := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		config, err := mapping.Load(filepath.Join(filepath.Dir(file), "callbridge.yaml"), mapping.Options{WithoutSecrets: true})
		if err != nil {
			t.Fatal(err)
		}
		suite, err := golden.Parse(file, text, config)
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := suite.Run(false)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts {
			if !v.OK {
				t.Errorf("%+v", v)
			}
			passed++
		}
	}
	if passed < 8 {
		t.Errorf("%d cases", passed)
	}
}

func TestConfigurationsOfThePageLoad(t *testing.T) {
	t.Parallel()
	loaded := 0
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(mappingPage(t), -1) {
		if !strings.Contains("\n"+m[1], "\nsources:") {
			continue
		}
		loaded++
		if _, err := mapping.Parse("page", []byte(m[1]), mapping.Options{WithoutSecrets: true}); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
	}
	if loaded != 5 {
		t.Errorf("%d configurations, want 5", loaded)
	}
}

// TestWebFormOfThePageIsVerified signs as the page's commands do.
func TestWebFormOfThePageIsVerified(t *testing.T) {
	t.Parallel()
	config, err := mapping.Load(examples+"/web-form/callbridge.yaml", mapping.Options{LookupEnv: func(string) (string, bool) {
		return "a secret that is long enough", true
	}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(examples + "/web-form/payload.form")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	source, _ := config.Source("site")
	for name, c := range map[string]struct {
		signed time.Time
		body   string
		ok     bool
	}{
		"genuine": {now.Add(-time.Minute), string(body), true}, "old": {now.Add(-6 * time.Minute), string(body), false}, "changed": {now, string(body) + "&a=b", false},
	} {
		at := strconv.FormatInt(c.signed.Unix(), 10)
		mac := hmac.New(sha256.New, []byte("a secret that is long enough"))
		fmt.Fprintf(mac, "%s.%s", at, body)
		header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Timestamp": {at}}
		header.Set("X-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		events, err := source.Receive(mapping.Delivery{Method: http.MethodPost, Header: header, Body: []byte(c.body), Received: now})
		if (err == nil) != c.ok || c.ok && len(events) != 1 {
			t.Errorf("%s: %d events, %v", name, len(events), err)
		}
	}
}

// TestLinesOfThePageLoad parses each verify: and key: of the page.
func TestLinesOfThePageLoad(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, m := range regexp.MustCompile("`((?:verify|key): [^`]+)`").FindAllStringSubmatch(mappingPage(t), -1) {
		lines := []string{"verify: {kind: none, reason: a test}", "key: sha256:body", m[1]}
		kept := lines[:0]
		for _, line := range lines {
			if name, _, _ := strings.Cut(m[1], ":"); line == m[1] || !strings.HasPrefix(line, name) {
				kept = append(kept, line)
			}
		}
		text := "sources:\n  crm:\n    " + strings.Join(kept, "\n    ") + "\n"
		if _, err := mapping.Parse("page", []byte(text), mapping.Options{WithoutSecrets: true}); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		tried++
	}
	if tried < 7 {
		t.Errorf("%d lines tried", tried)
	}
}

func TestLookupPageListsEveryKey(t *testing.T) {
	t.Parallel()
	page := testkit.Read(t, "docs/lookup.md")
	for _, section := range config.Sections() {
		if !slices.Contains([]string{"lookup", "lookup_answer", "auth"}, section.Name) {
			continue
		}
		for _, key := range section.Keys {
			if row := "| `" + key.Name + "` | " + key.Doc + " |"; !strings.Contains(page, row) {
				t.Errorf("this row is missing:\n%s", row)
			}
		}
	}
}

func TestExampleOfTheLookupPageLoads(t *testing.T) {
	t.Parallel()
	page := testkit.Read(t, "docs/lookup.md")
	_, example, _ := strings.Cut(page, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if _, err := mapping.Parse("lookup.md", []byte(example), mapping.Options{WithoutSecrets: true}); err != nil {
		t.Error(err)
	}
	if err := validate(t, compiledSchema(t), example); err != nil {
		t.Error(err)
	}
}
