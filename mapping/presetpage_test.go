package mapping_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"callbridge/internal/testkit"
	"callbridge/mapping/config"
	"callbridge/mapping/sources"
)

const pagesFolder = "../docs/sources"

// TestPagesAreThoseOfThePresets keeps docs/sources in step with the presets and
// with what the tests have them read. -update writes it.
func TestPagesAreThoseOfThePresets(t *testing.T) {
	t.Parallel()
	want := map[string]string{"README.md": overview(t)}
	for _, preset := range sources.All() {
		want[preset.Name+".md"] = page(t, facts(t, preset))
	}
	for name, text := range want {
		file := filepath.Join(pagesFolder, name)
		testkit.Golden(t, file, text)
	}
	files, err := os.ReadDir(pagesFolder)
	if err != nil || len(files) != len(want) {
		t.Errorf("%s has %d files for %d pages (%v)", pagesFolder, len(files), len(want), err)
	}
}

func facts(t *testing.T, preset sources.Preset) config.Facts {
	t.Helper()
	f, err := config.FactsOf(preset)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"what": f.What, "phone": f.Phone, "do not call": f.DoNotCall, "retries": f.Retries, "contract": f.Contract, "set-up": strings.TrimSpace(f.SetUp)} {
		if text == "" {
			t.Errorf("%s says nothing about its %s", preset.Name, what)
		}
	}
	return f
}

const generated = "<!-- Made from mapping/sources and mapping/testdata/sources: go test ./mapping -run Pages -update -->\n"

func overview(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Sources\n\n" + generated + `
The presets of callbridge. Each is one YAML file in [mapping/sources](../../mapping/sources), selected with
` + "`preset:`" + `; callbridge.yaml can replace each key and add fields. ` + "`callbridge sources show NAME`" + `
prints one with its set-up steps. A source without a preset: see [mapping.md](../mapping.md).

| preset | verification | batch | identity | phone | retries by the CRM |
|---|---|---|---|---|---|
`)
	for _, preset := range sources.All() {
		f := facts(t, preset)
		batch := "one event"
		if f.Split != "" {
			batch = "`" + f.Split + "`"
		}
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | `%s` | %s | %s |\n", f.Name, f.Name, cell(f.Verified), cell(batch), cell(f.Identity[0]), cell(f.Phone), cell(f.Retries))
	}
	b.WriteString(`
Identity is the first alternative; the page of the preset has all. A signature covers the body as sent; with
` + "`Content-Encoding: gzip`" + ` the decompressed body, which is what senders sign. If a CRM does not sign, the preset requires
a secret in a header, as HTTP Basic, or in the URL. Treat such a URL as a password: configure it in the CRM only.

To add a CRM, add a file there, without Go: a comment with the description, the set-up steps, the location of the phone number and the
retries, and the keys of a source. Put deliveries in the documented form next to the others in
[mapping/testdata/sources](../../mapping/testdata/sources), the CRM's answer to a lookup as ` + "`NAME.answer.json`" + ` and headers as ` + "`NAME.headers`" + `;
` + "`go test ./mapping -update`" + ` writes the results and these pages. All presets share the tests of invalid input.

## Results of the test deliveries

Every delivery of the tests, in the form that the CRM documents: its events, their type and identity, and the number to dial. A number
with * is from the lookup.

| delivery | type | identity | phone |
|---|---|---|---|
`)
	for _, c := range presetCases(t) {
		events := c.mapped(t)
		if len(events) == 0 {
			events = []mappedEvent{{Key: "answered, no event"}}
		}
		for _, e := range events {
			fmt.Fprintf(&b, "| %s/%s | %s | `%s` | %s |\n", c.preset, c.name, cell(e.Type), cell(e.Key), cell(dialled(e)))
		}
	}
	return b.String()
}

func dialled(e mappedEvent) string {
	number, _ := e.Fields["phone"].(string)
	switch {
	case number != "" && e.Lookup != "":
		return number + " *"
	case number != "":
		return number
	case e.Lookup != "":
		return "by lookup"
	}
	return strings.ReplaceAll(e.Reason, "_", " ")
}

// cell keeps a text in its cell of a table.
func cell(text string) string {
	text = strings.TrimSuffix(text, ".")
	if runes := []rune(text); len(runes) > 150 {
		text = string(runes[:149]) + "…"
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ")
}

func page(t *testing.T, f config.Facts) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n%s%s\n\n", f.Name, generated, strings.ToUpper(f.What[:1]), f.What[1:])
	b.WriteString("| | |\n|---|---|\n")
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, strings.ReplaceAll(strings.TrimSuffix(text, "."), "|", `\|`))
		}
	}
	row("verification", f.Verified)
	row("handshakes", code(f.Handshakes))
	row("events of a batch", code([]string{f.Split}))
	row("identity", code(f.Identity))
	row("type", code(f.Type))
	row("time", code(f.Time))
	row("phone", f.Phone)
	row("do not call", f.DoNotCall)
	row("lookup", code(f.Lookups))
	row("retries by the CRM", f.Retries)
	row("documentation", f.Contract)
	b.WriteString("\n## Set up\n\n" + markdown(f.SetUp))
	b.WriteString("\n## Fields\n\nThe names for rules and calls, and their value paths; of several the first present value is used.\n\n| field | type | paths |\n|---|---|---|\n")
	for _, field := range f.Fields {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", field.Name, field.Type, strings.ReplaceAll(code(field.Paths), "|", `\|`))
	}
	fmt.Fprintf(&b, "\nThe preset itself: [%s.yaml](../../mapping/sources/%s.yaml).\n", f.Name, f.Name)
	return b.String()
}

func code(texts []string) string {
	texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return text == "" })
	if len(texts) == 0 {
		return ""
	}
	return "`" + strings.Join(texts, "`, `") + "`"
}

// markdown turns a comment into Markdown: what is set in by two columns more
// than the text around it is YAML or JSON.
func markdown(comment string) string {
	var b strings.Builder
	fenced, inList := "", false
	for line := range strings.Lines(comment) {
		text := strings.TrimRight(line, "\n")
		depth := len(text) - len(strings.TrimLeft(text, " "))
		if text != "" {
			inList = inList && depth > 0 || strings.HasPrefix(text, "  1. ")
		}
		body, base := "", 2
		if inList {
			body, base = "   ", 7
		}
		isCode := strings.TrimSpace(text) != "" && depth >= base
		if isCode != (fenced != "") {
			if isCode {
				fenced = body
				fmt.Fprintf(&b, "\n%s```\n", body)
				fenced += "."
			} else {
				fmt.Fprintf(&b, "%s```\n", strings.TrimSuffix(fenced, "."))
				fenced = ""
			}
		}
		plain := strings.ReplaceAll(text, "<", `\<`)
		switch {
		case isCode:
			b.WriteString(body + text[base:] + "\n")
		case inList && depth >= 2:
			b.WriteString(plain[2:] + "\n")
		default:
			b.WriteString(plain + "\n")
		}
	}
	if fenced != "" {
		fmt.Fprintf(&b, "%s```\n", strings.TrimSuffix(fenced, "."))
	}
	return b.String()
}
