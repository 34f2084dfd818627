package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"callbridge/policy/holiday"
	"callbridge/policy/hours"
)

// gate judges one thing at an instant.
type gate func(p Policy, f Facts, now time.Time) Finding

// gates are all gates in their order: the first that does not pass names the outcome.
var gates = []gate{stopped, routeOff, expired, badNumber, noConsent, doNotCall, onCall, coolingDown, capped, open}

func pass(reason Reason, value string) Finding {
	return Finding{Gate: reason, Passes: true, Value: value, action: Go}
}

func wait(reason Reason, value string, until time.Time) Finding {
	return Finding{Gate: reason, Value: value, Until: until, action: Wait}
}

func skip(reason Reason, value string) Finding {
	return Finding{Gate: reason, Value: value, action: Skip}
}

func stopped(_ Policy, f Facts, now time.Time) Finding {
	var until time.Time
	var scopes []string
	forever := false
	for _, s := range f.Stops {
		if !s.Until.IsZero() && !now.Before(s.Until) {
			continue
		}
		scopes = append(scopes, fmt.Sprintf("%s, by %s: %s", s.Scope, s.By, s.Why))
		forever = forever || s.Until.IsZero()
		until = later(until, s.Until)
	}
	switch {
	case scopes == nil:
		return pass(Stopped, "nothing is stopped")
	case forever:
		return wait(Stopped, strings.Join(scopes, "; "), time.Time{})
	}
	return wait(Stopped, strings.Join(scopes, "; "), until)
}

func routeOff(_ Policy, f Facts, _ time.Time) Finding {
	if f.RouteOff != "" {
		return skip(RouteOff, f.RouteOff)
	}
	return pass(RouteOff, "the route is on")
}

func expired(_ Policy, f Facts, now time.Time) Finding {
	if f.Expires.IsZero() {
		return pass(Expired, "it never expires")
	}
	if !now.Before(f.Expires) {
		return skip(Expired, "too late since "+text(f.Expires))
	}
	return pass(Expired, "until "+text(f.Expires))
}

func badNumber(_ Policy, f Facts, _ time.Time) Finding {
	if f.BadNumber != "" {
		return Finding{Gate: BadNumber, Value: f.BadNumber, action: Reject}
	}
	return pass(BadNumber, "the number may be dialled")
}

func noConsent(p Policy, f Facts, _ time.Time) Finding {
	switch {
	case p.Purpose == Service:
		return pass(NoConsent, "a service call needs none")
	case f.Consent == Yes:
		return pass(NoConsent, "given")
	case f.Consent == No:
		return skip(NoConsent, "not given")
	}
	return skip(NoConsent, "the field has no value that says yes or no")
}

func doNotCall(_ Policy, f Facts, now time.Time) Finding {
	switch f.DoNotCall {
	case Yes:
		return skip(DoNotCall, "the CRM says so")
	case No:
	default:
		return skip(DoNotCall, "the field has no value that says yes or no")
	}
	for _, s := range f.Suppressed {
		if s.Until.IsZero() || now.Before(s.Until) {
			return skip(DoNotCall, fmt.Sprintf("on the do-not-call list, by %s: %s", s.By, s.Reason))
		}
	}
	return pass(DoNotCall, "not on a list")
}

// askAgain is when a call that is open is looked at again: its end is not known.
const askAgain = 5 * time.Minute

func onCall(_ Policy, f Facts, now time.Time) Finding {
	for _, c := range f.Calls {
		if c.Open && c.Request != f.Request {
			return wait(OnCall, "a call since "+text(c.At)+" has not ended", now.Add(askAgain))
		}
	}
	return pass(OnCall, "no call is open")
}

func coolingDown(p Policy, f Facts, now time.Time) Finding {
	var until time.Time
	var class string
	for _, c := range f.Calls {
		// A call of another process may be of a moment later than now.
		after := p.CoolDown[c.Class]
		if end := c.At.Add(after); after > 0 && c.Request != f.Request && end.After(now) && end.After(until) {
			until, class = end, c.Class
		}
	}
	if until.IsZero() {
		return pass(CoolingDown, "no earlier call forbids it")
	}
	return wait(CoolingDown, "the last call ended as "+class, until)
}

// month is the window of Policy.MonthCap.
const month = 30 * 24 * time.Hour

func capped(p Policy, f Facts, now time.Time) Finding {
	earlier := others(f)
	today := 0
	var until time.Time
	var reached []string
	for _, c := range earlier {
		if isToday(f.Places, c.At, now) {
			today++
		}
	}
	if p.DayCap > 0 && today >= p.DayCap {
		reached = append(reached, fmt.Sprintf("%d today, of %d", today, p.DayCap))
		until = later(until, tomorrow(f.Places, now))
	}
	recent := slices.DeleteFunc(slices.Clone(earlier), func(c Call) bool { return !c.At.Add(month).After(now) })
	if p.MonthCap > 0 && len(recent) >= p.MonthCap {
		reached = append(reached, fmt.Sprintf("%d in 30 days, of %d", len(recent), p.MonthCap))
		// One of them has to leave the window for each that is too many.
		until = later(until, recent[len(recent)-p.MonthCap].At.Add(month))
	}
	if n := len(earlier); n > 0 && p.Gap > 0 && earlier[n-1].At.Add(p.Gap).After(now) {
		reached = append(reached, "the last call was less than "+p.Gap.String()+" ago")
		until = later(until, earlier[n-1].At.Add(p.Gap))
	}
	if reached == nil {
		return pass(Capped, fmt.Sprintf("%d today, %d in 30 days", today, len(recent)))
	}
	return wait(Capped, strings.Join(reached, "; "), until)
}

// others are the calls of other requests, the oldest first.
func others(f Facts) []Call {
	calls := slices.DeleteFunc(slices.Clone(f.Calls), func(c Call) bool { return c.Request == f.Request })
	slices.SortStableFunc(calls, func(a, b Call) int { return a.At.Compare(b.At) })
	return calls
}

// isToday reports whether a call was on the day of now, in one of the zones in which the
// person may be. Without a zone the last 24 hours count.
func isToday(places []Place, at, now time.Time) bool {
	for _, p := range places {
		if hours.DateOf(at.In(p.Zone)) == hours.DateOf(now.In(p.Zone)) {
			return true
		}
	}
	return len(places) == 0 && now.Sub(at) < 24*time.Hour
}

// tomorrow is when the next day has begun in all zones.
func tomorrow(places []Place, now time.Time) (begin time.Time) {
	for _, p := range places {
		year, month, day := now.In(p.Zone).Date()
		begin = later(begin, time.Date(year, month, day+1, 0, 0, 0, 0, p.Zone))
	}
	if begin.IsZero() {
		return now.Add(24 * time.Hour)
	}
	return begin
}

// horizon is how far an opening is looked for.
const horizon = 15 * 24 * time.Hour

// maxDataAge is the age from which the rules of hours are old.
const maxDataAge = 400 * 24 * time.Hour

// open is the gate of the person's own time. It has four reasons.
func open(p Policy, f Facts, now time.Time) Finding {
	if p.AnyTime {
		return pass(OutsideHours, "no hours are set")
	}
	if len(p.Hours) == 0 && !p.LocalLaw {
		return skip(OutsideHours, "the policy has no hours")
	}
	if len(f.Places) == 0 {
		if f.Nowhere != "" {
			return skip(NoZone, "it is not known where the person is: "+f.Nowhere)
		}
		return skip(NoZone, "it is not known where the person is")
	}
	rules, missing := p.rules(f.Places)
	if missing != "" {
		return skip(NoZone, "no hours are known for "+missing)
	}
	if old := p.oldRule(rules, now); old != "" {
		return skip(PolicyDataOld, old)
	}
	s := hours.Schedule{Rules: rules, Zones: zones(f.Places), Margin: p.CloseMargin, Holidays: p.holidays(f.Places)}
	if unknown := p.unknownYear(f.Places, rules, now); unknown != "" {
		return skip(PolicyDataOld, unknown)
	}
	closed, isOpen := s.Open(now)
	if isOpen {
		return pass(OutsideHours, "open in "+clocks(f.Places, now))
	}
	reason, value := p.closedBecause(f.Places, closed, now)
	until, ok := s.Next(now, now.Add(horizon))
	if !ok {
		return skip(reason, value+", and no opening within "+fmt.Sprint(horizon))
	}
	return wait(reason, value, until)
}

// rules are all rules that count, or the region that has none.
func (p Policy) rules(places []Place) (rules []*hours.Rule, missing string) {
	rules = slices.Clone(p.Hours)
	if !p.LocalLaw {
		return rules, ""
	}
	for _, place := range places {
		law, ok := hours.Law(place.Region)
		if !ok {
			return nil, fmt.Sprintf("%q", place.Region)
		}
		for _, rule := range law {
			if !slices.Contains(rules, rule) {
				rules = append(rules, rule)
			}
		}
	}
	return rules, ""
}

// oldRule names a rule whose last comparison with its source is too long ago; it matters
// for marketing.
func (p Policy) oldRule(rules []*hours.Rule, now time.Time) string {
	for _, rule := range rules {
		if p.Purpose == Marketing && !rule.Checked.IsZero() && now.Sub(rule.Checked) > maxDataAge {
			return fmt.Sprintf("the hours of %s were last checked on %s", rule.Name, rule.Checked.Format(time.DateOnly))
		}
	}
	return ""
}

// unknownYear names a region whose holidays are not known for the day; it matters for
// marketing, and where a rule differs on holidays.
func (p Policy) unknownYear(places []Place, rules []*hours.Rule, now time.Time) string {
	if p.Purpose != Marketing || p.IgnoreHolidays || !slices.ContainsFunc(rules, func(r *hours.Rule) bool { return r.HolidaysDiffer }) {
		return ""
	}
	for _, place := range places {
		local := now.In(place.Zone)
		if _, known := holiday.Name(place.Region, local); !known {
			return fmt.Sprintf("the public holidays of %q in %d are not known", place.Region, local.Year())
		}
	}
	return ""
}

// holidays reports whether a day is a holiday in one of the places.
func (p Policy) holidays(places []Place) hours.Holidays {
	return func(_ *hours.Rule, day hours.Date) bool {
		return !p.IgnoreHolidays && holidayOn(places, day) != ""
	}
}

func holidayOn(places []Place, day hours.Date) string {
	for _, place := range places {
		if name, _ := holiday.Name(place.Region, time.Date(day.Year, day.Month, day.Day, 12, 0, 0, 0, time.UTC)); name != "" {
			return name
		}
	}
	return ""
}

// closedBecause tells a holiday from a closed hour.
func (p Policy) closedBecause(places []Place, closed hours.Closed, now time.Time) (Reason, string) {
	local := now.In(closed.Zone)
	if name := holidayOn(places, hours.DateOf(local)); name != "" && closed.Rule.HolidaysDiffer && !p.IgnoreHolidays {
		return Holiday, fmt.Sprintf("%s in %s, by %s", name, clock(local), closed.Rule.Name)
	}
	if closed.Margin {
		return OutsideHours, fmt.Sprintf("closing within %s in %s, by %s", p.CloseMargin, clock(local), closed.Rule.Name)
	}
	return OutsideHours, fmt.Sprintf("closed in %s, by %s", clock(local), closed.Rule.Name)
}

func zones(places []Place) (zones []*time.Location) {
	for _, p := range places {
		zones = append(zones, p.Zone)
	}
	return zones
}

func clocks(places []Place, now time.Time) string {
	var all []string
	for _, p := range places {
		all = append(all, clock(now.In(p.Zone)))
	}
	return strings.Join(all, ", ")
}

// clock names a place by its zone and offset, never by an abbreviation: MST is not the
// same in Phoenix and in Edmonton.
func clock(local time.Time) string {
	return local.Location().String() + " at " + local.Format("Mon 15:04 (-07:00)")
}

func text(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
