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

// Words of hours: besides the names of profiles.
const localLaw, anyTime = "local-law", "any"

// written is what hours: says.
type written struct {
	rules    []*hours.Rule
	localLaw bool
	// any is hours: any.
	any bool
}

// isSet reports whether hours are written at all.
func (w written) isSet() bool { return w.any || w.localLaw || len(w.rules) > 0 }

// holidays is what holidays: says.
type holidays struct{ observe, ignore bool }

// allDay is open at every hour but on public holidays: holidays: {observe: true}.
var allDay = &hours.Rule{
	Name: "holidays.observe", HolidaysDiffer: true, Source: "callbridge.yaml",
	Days: [7]hours.Day{{wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}},
}

var wholeDay = hours.Span{From: 0, To: 24 * 60}

// readHours reads a profile, hours of one's own, or a list of them.
func readHours(n config.Node) (w written) {
	if len(n.Items()) == 0 {
		n.Problem("names no hours, so nobody could ever be called", "write "+profileHint)
		return w
	}
	for _, item := range n.Items() {
		switch {
		case item.Kind() == config.Mapping:
			if rule := readOwn(item); rule != nil {
				w.rules = append(w.rules, rule)
			}
		default:
			w.readName(item)
		}
	}
	if w.any && len(n.Items()) > 1 {
		n.Problem("any allows every hour, so the other hours would not count", "leave any out, or write hours: any alone")
	}
	return w
}

const profileHint = "local-law, another profile such as business-hours, or your own hours such as {mon-fri: [\"09:00-17:00\"]}"

func (w *written) readName(item config.Node) {
	name := item.PlainText()
	rule, isProfile := hours.Profile(name)
	switch {
	case name == localLaw:
		w.localLaw = true
	case name == anyTime:
		w.any = true
	case isProfile:
		w.rules = append(w.rules, rule)
	case name == "":
	case strings.ContainsRune(name, ':'):
		item.Problem(strconv.Quote(name)+" is no profile", "hours of your own need their days: {mon-fri: [\"09:00-17:00\"]}")
	default:
		known := append(hours.Profiles(), localLaw, anyTime)
		slices.Sort(known)
		hint := config.Suggest(name, known)
		if hint == "" {
			hint = "write " + strings.Join(known, ", ") + ", or your own hours such as {mon-fri: [\"09:00-17:00\"]}"
		}
		item.Problem("there is no profile "+strconv.Quote(name), hint)
	}
}

// readOwn reads spans by weekday. It returns nil if they have a mistake.
func readOwn(n config.Node) *hours.Rule {
	days, ok := n.Object()
	if !ok {
		return nil
	}
	before, text := n.Problems(), map[string][]string{}
	for _, name := range days.Keys {
		text[name] = days.Value(name).PlainTexts()
		if _, err := hours.ParseDay(text[name]); err != nil {
			days.Value(name).Problem(err.Error(), "")
		}
	}
	if n.Problems() > before {
		return nil
	}
	spans, err := hours.ParseDays(text)
	if err != nil {
		n.Problem(err.Error(), "")
		return nil
	}
	file, line := n.Position()
	return &hours.Rule{
		Name: "own hours", Days: spans, HolidaysDiffer: true, Strength: "own",
		Source: filepath.Base(file) + ":" + strconv.Itoa(line),
	}
}

func readMargin(n config.Node) time.Duration {
	margin := n.DurationOrNone(maxMargin, "for example 10m")
	if margin%time.Minute != 0 {
		n.Problem("must be whole minutes", "for example 10m")
	}
	return margin
}

func (p *Policy) readHolidays(keys config.Object) {
	members := section(keys, "holidays", config.PolicyHolidaysKeys)
	if n, ok := p.get(members, "observe", "holidays.observe"); ok {
		observe := n.Bool()
		p.holidays = holidays{observe: observe, ignore: !observe}
	}
	if n, ok := p.get(members, "missing", "holidays.missing"); ok {
		n.OneOf([]string{"hold"})
	}
}

// HasHours reports whether hours are written, also as any.
func (p Policy) HasHours() bool { return p.hours.isSet() }

// For returns the policy by which calls of a purpose are judged. Without hours, calls of
// a service are allowed at any hour, and others never.
func (p Policy) For(purpose policy.Purpose) policy.Policy {
	made := p.limits
	made.Purpose, made.Hours, made.LocalLaw = purpose, p.hours.rules, p.hours.localLaw
	made.AnyTime = p.hours.any || !p.hours.isSet() && purpose == policy.Service
	made.IgnoreHolidays = p.holidays.ignore
	if p.holidays.observe && (made.AnyTime || p.hours.isSet()) {
		made.Hours, made.AnyTime = append(slices.Clone(made.Hours), allDay), false
	}
	return made
}
