package hours

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"
)

//go:embed hours.yaml
var file []byte

// ruleText is a rule as hours.yaml has it.
type ruleText struct {
	Days      map[string][]string `yaml:"days"`
	Holidays  *[]string           `yaml:"holidays"`
	Source    string              `yaml:"source"`
	Strength  string              `yaml:"strength"`
	ValidFrom string              `yaml:"valid_from"`
	Checked   string              `yaml:"checked"`
}

// data are the rules of hours.yaml by name: profiles, and regions.
type data struct{ profiles, regions map[string]*Rule }

// shipped are the data of this version. A test loads them, so they have no mistake.
var shipped = sync.OnceValue(func() data {
	d, err := parse(file)
	if err != nil {
		panic("hours.yaml: " + err.Error())
	}
	return d
})

// Profile returns the rule of a named profile.
func Profile(name string) (*Rule, bool) {
	rule, ok := shipped().profiles[name]
	return rule, ok
}

// Profiles are the names of all profiles, sorted.
func Profiles() []string { return slices.Sorted(maps.Keys(shipped().profiles)) }

// Law returns the rules of a region, such as US-FL: those of its country and its own. All
// of them count. It returns false for a country without rules.
func Law(region string) (rules []*Rule, ok bool) {
	country, _, isPart := strings.Cut(region, "-")
	rule, ok := shipped().regions[country]
	if !ok {
		return nil, false
	}
	rules = append(rules, rule)
	if own, has := shipped().regions[region]; has && isPart {
		rules = append(rules, own)
	}
	return rules, true
}

// LawsOf are the rules of a country and of all of its parts, that of the country first.
func LawsOf(country string) (rules []*Rule) {
	for _, region := range slices.Sorted(maps.Keys(shipped().regions)) {
		if region == country || strings.HasPrefix(region, country+"-") {
			rules = append(rules, shipped().regions[region])
		}
	}
	return rules
}

// parse reads a file in the format of hours.yaml.
func parse(content []byte) (data, error) {
	var text struct {
		Profiles map[string]ruleText  `yaml:"profiles"`
		Regions  map[string]yaml.Node `yaml:"regions"`
	}
	if err := yaml.Unmarshal(content, &text); err != nil {
		return data{}, err
	}
	d := data{profiles: map[string]*Rule{}, regions: map[string]*Rule{}}
	for name, t := range text.Profiles {
		rule, err := t.rule(name)
		if err != nil {
			return data{}, fmt.Errorf("profile %s: %w", name, err)
		}
		d.profiles[name] = rule
	}
	for region, node := range text.Regions {
		rule, err := d.region(region, &node)
		if err != nil {
			return data{}, fmt.Errorf("region %s: %w", region, err)
		}
		d.regions[region] = rule
	}
	return d, nil
}

// region reads the rule of a region: the name of a profile, or a rule of its own.
func (d data) region(region string, node *yaml.Node) (*Rule, error) {
	if node.Kind == yaml.ScalarNode {
		rule, ok := d.profiles[node.Value]
		if !ok {
			return nil, fmt.Errorf("no profile %q", node.Value)
		}
		return rule, nil
	}
	var t ruleText
	if err := node.Decode(&t); err != nil {
		return nil, err
	}
	return t.rule(region)
}

// strengths are how sure a source is.
var strengths = []string{"statute", "secondary", "practice"}

func (t ruleText) rule(name string) (rule *Rule, err error) {
	rule = &Rule{Name: name, Source: t.Source, Strength: t.Strength, HolidaysDiffer: t.Holidays != nil}
	if rule.Days, err = ParseDays(t.Days); err != nil {
		return nil, err
	}
	if t.Holidays != nil {
		if rule.Holiday, err = ParseDay(*t.Holidays); err != nil {
			return nil, fmt.Errorf("holidays: %w", err)
		}
	}
	if t.ValidFrom != "" {
		if rule.ValidFrom, err = time.Parse(time.DateOnly, t.ValidFrom); err != nil {
			return nil, err
		}
	}
	if rule.Checked, err = time.Parse(time.DateOnly, t.Checked); err != nil {
		return nil, err
	}
	if t.Source == "" || !slices.Contains(strengths, t.Strength) {
		return nil, fmt.Errorf("it needs a source, and as its strength one of %v", strengths)
	}
	return rule, nil
}
