package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"callbridge/internal/testkit"
	"callbridge/mapping"
	"callbridge/mapping/config"
)

const (
	schemaFile  = "callbridge.schema.json"
	exampleFile = "../cmd/callbridge/example/callbridge.yaml"
)

func TestPublishedSchemaIsTheOneOfTheCode(t *testing.T) {
	t.Parallel()
	schema, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if string(schema) != testkit.Read(t, "docs/callbridge.schema.json") {
		t.Error("docs/callbridge.schema.json is out of step: go run ./cmd/callbridge schema > docs/callbridge.schema.json")
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate checks a configuration against the schema, as an editor does.
func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var tree any
	if err := yaml.Load([]byte(text), &tree); err != nil {
		t.Fatalf("not YAML: %v\n%s", err, text)
	}
	return s.Validate(tree)
}

func TestSchemaAcceptsWhatTheLoaderAccepts(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	var files []string
	for _, pattern := range []string{exampleFile, "../mapping/testdata/*/callbridge.yaml", "examples/*/callbridge.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no file matches %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, string(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]struct{ old, typo string }{
		"key of the file":     {"public_url:", "publicurl:"},
		"key of a source":     {"    key: [body:id]", "    keys: [body:id]"},
		"key of a verifier":   {"header: X-Signature", "heading: X-Signature"},
		"key of a field":      {"optional: true", "optionel: true"},
		"key of a route":      {"    when: type", "    wenn: type"},
		"key of a call":       {"call_from:", "call_form:"},
		"type of a field":     {"type: number", "type: numbers"},
		"mode":                {"mode: dry_run", "mode: dryrun"},
		"preset":              {"preset: generic", "preset: generisch"},
		"literal secret":      {"${WEBSITE_SECRET}", "open sesame"},
		"bool":                {"optional: true", "optional: maybe"},
		"name of a source":    {"  website:", "  Web Site:"},
		"name of a field":     {"first_name: {path", "First-Name: {path"},
		"missing call_to":     {"      call_to: phone\n", ""},
		"missing route name":  {"  - name: new-lead\n    source", "  - source"},
		"secret of the route": {"    mode: dry_run", "    secret: x"},
	} {
		if !strings.Contains(string(text), change.old) {
			t.Fatalf("%s: the example has no %q", name, change.old)
		}
		typo := strings.Replace(string(text), change.old, change.typo, 1)
		if validate(t, s, typo) == nil {
			t.Errorf("%s: the schema accepts %q", name, change.typo)
		}
		if _, err := mapping.Parse("callbridge.yaml", []byte(typo), mapping.Options{WithoutSecrets: true}); err == nil {
			t.Errorf("%s: the loader accepts %q", name, change.typo)
		}
	}
}

func TestExampleNamesTheSchemaForEditors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	path, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
	if _, err := os.Stat(filepath.Join(filepath.Dir(exampleFile), path)); !ok || err != nil {
		t.Errorf("the first line of the example names no schema: %q (%v)", first, err)
	}
}
