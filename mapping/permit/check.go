package permit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"callbridge/mapping/config"
	"callbridge/policy/hours"
)

// check reports settings that contradict each other. The problem is at the value that
// this policy has itself.
func (p Policy) check(at config.Node) {
	l := p.limits
	if l.Gap > 0 && p.Expire > 0 && l.Gap > p.Expire {
		p.contradiction(at, fmt.Sprintf("caps.gap %s is longer than expire %s: a second event of a person could never lead to a call", short(l.Gap), short(p.Expire)),
			"shorten caps.gap, or lengthen expire", "caps.gap", "expire")
	}
	if l.DayCap > 0 && l.MonthCap > 0 && l.DayCap > l.MonthCap {
		p.contradiction(at, fmt.Sprintf("caps.day %d is more than caps.30d %d: it would never be reached", l.DayCap, l.MonthCap),
			"make caps.day smaller, or caps.30d larger", "caps.day", "caps.30d")
	}
	if name := p.tooShort(); name != "" {
		p.contradiction(at, fmt.Sprintf("close_margin %s leaves no time of %s in which a call could begin", short(l.CloseMargin), name),
			"shorten close_margin", "close_margin", "hours")
	}
}

// contradiction is a problem of several keys: it is at the first of them that the policy
// has itself.
func (p Policy) contradiction(at config.Node, text, hint string, keys ...string) {
	i := slices.IndexFunc(keys, func(key string) bool { return p.own[key] })
	if i < 0 {
		return // the file's, and reported there
	}
	if n, ok := p.at[keys[i]]; ok {
		at = n
	}
	at.Problem(text, hint)
}

// tooShort names hours that have no span longer than the margin.
func (p Policy) tooShort() string {
	margin := int(p.limits.CloseMargin / time.Minute)
	for _, rule := range p.hours.rules {
		if !slices.ContainsFunc(rule.Days[:], func(day hours.Day) bool {
			return slices.ContainsFunc(day, func(s hours.Span) bool { return s.To-s.From > margin })
		}) {
			return rule.Name
		}
	}
	return ""
}

// Warn warns about a policy that is allowed and probably not meant. Route is the route
// that calls people by it; what the file says is reported once.
func (p Policy) Warn(route config.Node) {
	switch {
	case !p.hours.isSet():
		route.Warn("calls go out at any hour, also at night", "write policy: {hours: local-law}, here or for all routes, or hours: any if that is meant")
	case !p.hours.any && p.Expire == 0:
		p.warn(route, "hours", "a call that waits for its hours may be made days after its event", "write expire, for example 24h")
	}
	for _, key := range config.CoolDownKeys {
		if p.limits.CoolDown[key.Name] > 0 {
			p.warn(route, "cool_down."+key.Name, "has an effect with FOLLOW=on only: else callbridge does not learn how calls end", "use caps too, which count every call")
		}
	}
	var lawless []string
	for _, country := range p.Countries {
		if _, ok := hours.Law(country); p.hours.localLaw && !ok {
			lawless = append(lawless, country)
		}
	}
	if lawless != nil {
		p.warn(route, "hours", "local-law knows no hours for "+strings.Join(lawless, ", ")+": people there are not called (no_zone)",
			"write another profile or your own hours for routes that call them")
	}
}

// warn warns at the value of a key, if it is written.
func (p Policy) warn(route config.Node, key, text, hint string) {
	if n, ok := p.at[key]; ok {
		route = n
	}
	route.Warn(text, hint)
}

// Within returns as config.Problems each expire above most, the longest one at which NATS
// still has a request when it ends: its end would have no result.
func Within(most time.Duration, policies []Policy) error {
	var all config.Problems
	for _, p := range policies {
		n, ok := p.at["expire"]
		if !ok || p.Expire <= most {
			continue
		}
		problem := n.ProblemOf(fmt.Sprintf("expire %s is too long: NATS keeps a request for RETENTION, and %s of that at most may be spent waiting", short(p.Expire), short(most)),
			"shorten expire, or lengthen RETENTION")
		// A route without an expire has that of the file.
		if !slices.Contains(all, problem) {
			all = append(all, problem)
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// short writes a duration without parts that are zero: 24h, not 24h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
