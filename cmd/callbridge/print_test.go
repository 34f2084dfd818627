package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"callbridge/internal/testkit"
)

// forgedID is a lead's id that begins a line of its own, which looks like a result, and
// controls the terminal: CSI, OSC 8 and 52, C1, bidirectional override, CR and backspace.
const forgedID = "lead\n2026-11-28 12:00:00  accepted created        website  ada\r\x1b[2K\x1b]8;;http://x\x07\x1b]52;c;aGk=\x07\u009b2K\u202eoof\b\u2028"

// checkPrinted fails if a command's output controls the terminal, or if the forged line
// is one.
func checkPrinted(t *testing.T, what, out string) {
	t.Helper()
	if !strings.Contains(out, "accepted created") {
		t.Errorf("%s does not print the id at all:\n%s", what, out)
	}
	for _, r := range out {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' {
			t.Errorf("%s prints %U: %+q", what, r, out)
		}
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "2026-11-28 12:00:00") {
			t.Errorf("%s prints the forged line:\n%s", what, out)
		}
	}
}

func TestNoCommandPrintsControlCharacters(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	body := testkit.JSON(t, map[string]any{"id": forgedID, "type": forgedID, "contact": map[string]any{"first_name": forgedID, "phone": "+12025550142", "score": 80, "voice_consent": true}})
	if status := b.website(body); status != 202 {
		t.Fatalf("answered %d", status)
	}
	b.result()
	url := b.process.bus.UserURL("reader")
	file := testkit.File(t, "lead.json", body)
	for _, args := range [][]string{
		{"results", "--nats", url}, {"results", "--nats", url, "-o", "json"},
		{"map", "-c", "example/callbridge.yaml", "-s", "website", file}, {"map", "-c", "example/callbridge.yaml", "-s", "website", "-o", "json", file},
		{"map", "--paths", file}, {"map", "--paths", "-o", "json", file}, {"map", "--paths", "-c", "example/callbridge.yaml", "-s", "website", file},
		{"map", "-c", "example/callbridge.yaml", "-s", forgedID, file}, {"results", "--outcome", forgedID}, {"sources", "show", forgedID},
		{"check", forgedID}, {"test", forgedID}, {forgedID}, {"check", "-o", forgedID},
		{"check", testkit.File(t, "callbridge.yaml", "sources: {\""+forgedYAML+"\": {}}\n")},
	} {
		_, out, errs := callbridge(t, "", args...)
		what, _, _ := strings.Cut(strings.Join(args, " "), "\n")
		checkPrinted(t, what, out+errs)
		if slices.Contains(args, "json") && !json.Valid([]byte(out)) {
			t.Errorf("%s prints no JSON: %s", what, out)
		}
	}
}

// forgedYAML is forgedID in a quoted text of YAML.
var forgedYAML = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\x1b", `\e`, "\x07", `\a`, "\b", `\b`, "\u009b", `\x9b`, "\u202e", `\u202e`, "\u2028", `\L`).Replace(forgedID)

// printing lists the files that may print with package fmt, and why.
var printing = map[string]string{"streams.go": "a shell script of our own names"}

// A print with package fmt would put text of others on a line as it is.
func TestCommandsPrintThroughOneFunction(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	shown, err := filepath.Glob("show/*.go")
	if err != nil || len(shown) == 0 {
		t.Fatal(err)
	}
	files = append(files, shown...)
	prints := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || printing[name] != "" {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			use, is := n.(*ast.SelectorExpr)
			if !is {
				return true
			}
			of, _ := use.X.(*ast.Ident)
			switch {
			case of != nil && of.Name == "untrusted" && use.Sel.Name == "Fprintf":
				prints++
			case of != nil && of.Name == "fmt" && slices.Contains([]string{"Fprint", "Fprintf", "Fprintln", "Print", "Printf", "Println"}, use.Sel.Name),
				of != nil && of.Name == "io" && use.Sel.Name == "WriteString",
				of != nil && of.Name == "os" && (use.Sel.Name == "Stdout" || use.Sel.Name == "Stderr") && name != "main.go" && name != "serve.go":
				t.Errorf("%s: %s.%s prints text of others as it is: use untrusted.Fprintf", name, of.Name, use.Sel.Name)
			}
			return true
		})
	}
	if prints < 20 {
		t.Errorf("found only %d prints: this test does not see them any more", prints)
	}
}
