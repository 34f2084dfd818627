package act_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/dnc"
	"callbridge/cmd/callbridge/act"
	"callbridge/cmd/callbridge/numberfile"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// answering is a bridge that answers requests about people.
func answering(t *testing.T) (*bus.Bus, func(args ...string) string) {
	t.Helper()
	b, settings := bridge(t)
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := b.ServeDNC(ctx, func(text string) (event.Phone, error) { return numberfile.Parse(text, "") }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); serving.Wait() })
	command := func(args ...string) string { return run(t, act.NewDNC(settings, configuration), "", args...) }
	testkit.Eventually(t, "callbridge answers", func() bool { return !strings.Contains(command("check", "+12025550142"), "error: ") })
	return b, command
}

func forbidden(t *testing.T, b *bus.Bus, number event.Phone, source string) bool {
	t.Helper()
	_, is, err := b.DoNotCall(t.Context(), number, dnc.Scope{Source: source, Route: "new-lead"})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestAddCheckAndRemovePeople(t *testing.T) {
	t.Parallel()
	b, command := answering(t)
	for _, c := range []struct{ got, want string }{
		{command("add", "+12025550142"), "error: --why is empty"},
		{command("add", "--why", "x", "2025550142"), "number 1 cannot be read"},
		{command("add", "--why", "x", "--region", "USA", "2025550142"), "write its two capital letters"},
		{command("add", "--why", "x", "--until", "yesterday", "+12025550142"), "is no time"},
		{command("add", "--why", "asked", "--by", "ada", "--region", "US", "(202) 555-0142"), "added: +12•••••••42, all calls"},
		{command("add", "--why", "asked", "+12025550142"), "was on the list already"},
		{command("add", "--why", "asked", "--source", "crm", "+12025550143"), "added: +12•••••••43, source crm"},
		{command("check", "+12025550142", "+12025550143", "+12025550144"), "+12•••••••42 must not be called: all calls, by ada since "},
		{command("remove", "--why", "x", "--all", "--source", "crm", "+12025550142"), "error: --all takes every entry away"},
		{command("remove", "--why", "agreed", "+12025550143"), "has no such entry"},
		{command("export"), strings.Join(exportedColumns, ",") + "\n"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("printed %q, want %q", c.got, c.want)
		}
	}
	if !forbidden(t, b, "+12025550142", "shop") || !forbidden(t, b, "+12025550143", "crm") || forbidden(t, b, "+12025550143", "shop") {
		t.Error("the list is another one")
	}
	if got := command("remove", "--why", "agreed", "--all", "+12025550143", "+12025550142"); strings.Count(got, "removed: ") != 2 {
		t.Errorf("printed %q", got)
	}
	if got := command("export", "-o", "json"); got != "" || forbidden(t, b, "+12025550142", "shop") {
		t.Errorf("after the removal: %q", got)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	b, command := answering(t)
	file := filepath.Join(t.TempDir(), "numbers.csv")
	var text strings.Builder
	text.WriteString("number,name\n")
	for i := range 2500 {
		fmt.Fprintf(&text, "+1202555%04d,somebody\n", i%2400)
	}
	text.WriteString("Ada,+12025552401\n")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command("import", file, "--why", "list of May"); !strings.Contains(got, "line 2502: ") || !strings.Contains(got, "has 1 lines that hold no number, so nothing was imported") || forbidden(t, b, "+12025550000", "crm") {
		t.Errorf("with a bad line: %q", got)
	}
	for _, want := range []struct{ added, unchanged int }{{2400, 100}, {0, 2500}} {
		var got struct {
			Lines, Added, Unchanged int
			Bad                     []int
		}
		out := command("import", file, "--why", "list of May", "--skip-bad", "-o", "json")
		_, printed, _ := strings.Cut(out, "{")
		if err := json.Unmarshal([]byte("{"+printed), &got); err != nil || got.Added != want.added || got.Unchanged != want.unchanged || len(got.Bad) != 1 || got.Bad[0] != 2502 {
			t.Errorf("printed %q, %v", out, err)
		}
	}
	if !forbidden(t, b, "+12025552399", "crm") || forbidden(t, b, "+12025552401", "crm") {
		t.Error("the list is another one")
	}
	if got := command("import", file+"x", "--why", "x"); !strings.Contains(got, "error: read numbers: open") {
		t.Errorf("no file: %q", got)
	}
}

func TestPeopleNeedARunningCallbridge(t *testing.T) {
	t.Parallel()
	_, settings := bridge(t)
	if got := run(t, act.NewDNC(settings, configuration), "", "check", "+12025550142"); !strings.Contains(got, "it needs a running `callbridge serve`") {
		t.Errorf("printed %q", got)
	}
}

// sorted are the lines of a CSV file.
func sorted(t *testing.T, text string) []string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = fmt.Sprintf("%q", row)
	}
	slices.Sort(lines)
	return lines
}

func TestAnExportIsImportedAsItWas(t *testing.T) {
	t.Parallel()
	b, command := answering(t)
	numbers := make([]string, 1200)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1202555%04d", i)
	}
	ended := dnc.Entry{Scope: dnc.Scope{Route: "x"}, Since: time.Now().Add(-time.Hour), Until: time.Now().Add(-time.Minute)}
	for _, c := range []struct {
		numbers []string
		entry   dnc.Entry
	}{
		{numbers, dnc.Entry{By: "ada", Why: "list of May", Since: time.Now().UTC()}},
		{numbers[:2], dnc.Entry{Scope: dnc.Scope{Source: "crm", Route: "new-lead"}, By: `"bob", the 2nd`, Why: "two\nlines, =1+1", Since: time.Now(), Until: time.Now().Add(time.Hour)}},
		{numbers[1:3], ended},
	} {
		if _, err := b.DNC().Add(t.Context(), c.numbers, c.entry); err != nil {
			t.Fatal(err)
		}
	}
	before := command("export")
	file := testkit.File(t, "export.csv", before)
	if got := command("import", file, "--why", "moved", "--until", "2h"); !strings.Contains(got, "leave out --source, --route, --until and --region") {
		t.Errorf("with another time: %q", got)
	}
	if got := command("import", file, "--why", "moved"); !strings.Contains(got, "1202 lines: 0 added, 1202 were on the list already") {
		t.Errorf("onto the same list: %q", got)
	}
	if _, err := b.DNC().Remove(t.Context(), numbers, dnc.Scope{}, true, dnc.Removal{}); err != nil {
		t.Fatal(err)
	}
	if got := command("import", file, "--why", "moved"); !strings.Contains(got, "1202 lines: 1202 added") {
		t.Errorf("onto an empty list: %q", got)
	}
	if got := command("export"); !slices.Equal(sorted(t, got), sorted(t, before)) {
		t.Errorf("the list is another one: %.400q, before %.400q", got, before)
	}
	if !forbidden(t, b, event.Phone(numbers[1199]), "shop") {
		t.Error("a person is forgotten")
	}
	_, other := answering(t)
	if got := other("import", file, "--why", "moved"); !strings.Contains(got, "the person key is another one than that of the exported entries") {
		t.Errorf("into a list with another key: %q", got)
	}
	key := b.DNC().Key.Check()
	bad := strings.Join(exportedColumns, ",") + "\n" + strings.Repeat("a", 32) + ",,,2026-11-29T12:00:00Z,,,," + key + "\n+12025550142,,,2026-11-29T12:00:00Z,,,,k\n\n" +
		strings.Repeat("b", 32) + ",,,yesterday,,,," + key + "\n" + strings.Repeat("b", 32) + "\n" + strings.Repeat("b", 32) + ",,,2026-11-29T12:00:00Z,,,,other\n"
	got := command("import", testkit.File(t, "bad.csv", bad), "--why", "moved")
	for _, want := range []string{"line 3: its first column is no hash", "line 5: its column since", "line 6: it has 1 columns", "line 7: it has another key", "has 4 lines that hold no valid entry"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
}

// exportedColumns are the columns of an export.
var exportedColumns = []string{"person", "source", "route", "since", "until", "by", "why", "key"}
