package hours

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/internal/testkit"
)

// TestLawPageHasTheRules: docs/law.md shows what hours.yaml has; -update writes its table.
func TestLawPageHasTheRules(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../docs/law.md", "<!-- The test of policy/hours writes this table. -->\n", "<!-- End of the table. -->"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("%s has no place for the table", file)
	}
	testkit.Golden(t, file, before+begin+table()+end+after)
}

func table() string {
	var b strings.Builder
	b.WriteString("\n| name | in force in | days | public holidays | source | strength | since | checked |\n|---|---|---|---|---|---|---|---|\n")
	row := func(name, region string, rule *Rule) {
		since := ""
		if !rule.ValidFrom.IsZero() {
			since = rule.ValidFrom.Format(time.DateOnly)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, region, rule.Week(), rule.OnHolidays(),
			rule.Source, rule.Strength, since, rule.Checked.Format(time.DateOnly))
	}
	for _, name := range Profiles() {
		var of []string
		for _, region := range slices.Sorted(maps.Keys(shipped().regions)) {
			if shipped().regions[region] == shipped().profiles[name] {
				of = append(of, region)
			}
		}
		row("`"+name+"`", strings.Join(of, ", "), shipped().profiles[name])
	}
	for _, region := range slices.Sorted(maps.Keys(shipped().regions)) {
		if rule := shipped().regions[region]; rule.Name == region {
			row("", region, rule)
		}
	}
	b.WriteString("\n")
	return b.String()
}
