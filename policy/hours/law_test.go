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
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, region, days(rule), holidays(rule),
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

// days writes the spans of a week from Monday on; days in a row with the same spans are one.
func days(rule *Rule) string {
	var parts []string
	for first := 1; first <= 7; {
		last := first
		for last < 7 && spans(rule.Days[(last+1)%7]) == spans(rule.Days[first%7]) {
			last++
		}
		name := weekdays[first%7]
		if last > first {
			name += "-" + weekdays[last%7]
		}
		parts = append(parts, name+" "+spans(rule.Days[first%7]))
		first = last + 1
	}
	return strings.Join(parts, "; ")
}

func spans(day Day) string {
	if len(day) == 0 {
		return "closed"
	}
	var all []string
	for _, s := range day {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}

func holidays(rule *Rule) string {
	if !rule.HolidaysDiffer {
		return "as on other days"
	}
	return spans(rule.Holiday)
}
