package permit

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/mapping/config"
	"callbridge/policy"
	"callbridge/policy/hours"
)

// Setting is one key of a policy with its value, and where it comes from.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// From is route, file or default.
	From string `json:"from"`
	// At is the file and the line; empty for a default.
	At string `json:"at,omitempty"`
}

// Settings are all keys of the policy, for calls of a purpose. A policy that is not one of
// a route has all of its keys from the file.
func (p Policy) Settings(purpose policy.Purpose, ofRoute bool) (all []Setting) {
	made := p.For(purpose)
	add := func(key, value string) { all = append(all, p.setting(key, value, ofRoute)) }
	add("countries", orText(strings.Join(p.Countries, ", "), "all; none for calls of other services"))
	add("hours", p.hoursText(made))
	add("close_margin", limit(made.CloseMargin))
	add("zone.from", strings.Join(p.sources(), ", "))
	add("zone.unknown", "hold")
	add("holidays.observe", p.observeText())
	add("holidays.missing", "hold")
	add("expire", limit(p.Expire))
	add("caps.day", count(made.DayCap))
	add("caps.30d", count(made.MonthCap))
	add("caps.gap", limit(made.Gap))
	for _, key := range config.CoolDownKeys {
		if d, ok := made.CoolDown[key.Name]; ok {
			add("cool_down."+key.Name, limit(d))
		}
	}
	storm := config.None
	if made.Storm.Calls > 0 {
		storm = strconv.Itoa(made.Storm.Calls) + " calls within " + short(made.Storm.Within)
	}
	add("storm", storm)
	return all
}

// setting says where a key comes from.
func (p Policy) setting(key, value string, ofRoute bool) Setting {
	n, ok := p.at[key]
	if !ok {
		return Setting{Key: key, Value: value, From: "default"}
	}
	file, line := n.Position()
	s := Setting{Key: key, Value: value, From: "file", At: filepath.Base(file) + ":" + strconv.Itoa(line)}
	if ofRoute && p.own[key] {
		s.From = "route"
	}
	return s
}

func (p Policy) hoursText(made policy.Policy) string {
	var names []string
	if p.hours.localLaw {
		names = append(names, localLaw)
	}
	for _, rule := range p.hours.rules {
		names = append(names, rule.Name)
	}
	switch {
	case p.hours.any:
		return anyTime
	case names != nil:
		return strings.Join(names, ", ")
	case made.AnyTime:
		return "any: no hours are written"
	}
	return "none: nobody is called"
}

func (p Policy) observeText() string {
	switch {
	case p.holidays.observe:
		return "true"
	case p.holidays.ignore:
		return "false"
	}
	return "as the profile says"
}

func (p Policy) sources() []string {
	if len(p.from) == 0 {
		return []string{fromTimezone, fromAddress, fromNumber}
	}
	return p.from
}

// Rules are all rules of hours that may count for the policy: its own, and with local-law
// those of its countries and of their parts.
func (p Policy) Rules(purpose policy.Purpose) []*hours.Rule {
	made := p.For(purpose)
	rules := slices.Clone(made.Hours)
	if !made.LocalLaw {
		return rules
	}
	for _, country := range p.Countries {
		for _, rule := range hours.LawsOf(country) {
			if !slices.Contains(rules, rule) {
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

func limit(d time.Duration) string {
	if d == 0 {
		return config.None
	}
	return short(d)
}

func count(n int) string {
	if n == 0 {
		return config.None
	}
	return strconv.Itoa(n)
}

func orText(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
