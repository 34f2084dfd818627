package act_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
		if err := b.ServePeople(ctx, func(text string) (event.Phone, error) { return numberfile.Parse(text, "") }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); serving.Wait() })
	command := func(args ...string) string { return run(t, act.NewDNC(settings), "", args...) }
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
		{command("export"), "person,source,route,since,until,by,why\n"},
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
	if got := run(t, act.NewDNC(settings), "", "check", "+12025550142"); !strings.Contains(got, "it needs a running `callbridge serve`") {
		t.Errorf("printed %q", got)
	}
}
