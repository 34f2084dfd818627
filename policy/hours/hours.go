// Package hours knows when a person may be called by the clock on their own wall: spans
// of each weekday, and what holds on public holidays. The rules of countries, states and
// named profiles are data (hours.yaml), each with its source and the day on which it was
// checked. The package is part of the policy step. It has no clock and reads nothing
// while it works, and imports nothing of this module.
package hours

import "time"

// minutesADay is the number of minutes of a day by the clock on the wall.
const minutesADay = 24 * 60

// Span is a part of a day in minutes since midnight, without its end: it ends at 24:00
// at the latest.
type Span struct{ From, To int }

// Day is the spans of a day in their order. None overlaps or touches another one. A day
// without spans is closed.
type Day []Span

// Date is a day of the calendar.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the day at a time, in the zone of the time.
func DateOf(local time.Time) Date {
	year, month, day := local.Date()
	return Date{year, month, day}
}

// Rule is when calls are allowed.
type Rule struct {
	// Name is that of the profile or the region, such as us-federal or US-FL.
	Name string
	// Days are the spans by weekday, from Sunday.
	Days [7]Day
	// Holiday are the spans of a public holiday, if HolidaysDiffer. Else the weekday counts.
	Holiday        Day
	HolidaysDiffer bool
	// Source is the law or the practice, Strength how sure it is.
	Source, Strength string
	// ValidFrom is the first day of the rule, or zero; Checked the day of the
	// last comparison with the source.
	ValidFrom, Checked time.Time
}

// Holidays reports whether a day is a public holiday for a rule.
type Holidays func(rule *Rule, day Date) bool

// on returns the spans of a day.
func (r *Rule) on(local time.Time, holidays Holidays) Day {
	if r.HolidaysDiffer && holidays(r, DateOf(local)) {
		return r.Holiday
	}
	return r.Days[local.Weekday()]
}

// minuteOf is the minute of the day that the clock on the wall shows.
func minuteOf(local time.Time) int { return local.Hour()*60 + local.Minute() }

// opens returns in how many minutes by the clock on the wall the rule allows a call that
// has to begin margin minutes before closing: 0 for now. It looks at the days until days
// later, and returns false if none of them is open.
func (r *Rule) opens(local time.Time, margin, days int, holidays Holidays) (minutes int, ok bool) {
	now := minuteOf(local)
	year, month, day := local.Date()
	for later := range days + 1 {
		// At noon, since a day may begin without a midnight.
		noon := time.Date(year, month, day+later, 12, 0, 0, 0, time.UTC)
		for _, span := range r.on(noon, holidays) {
			from, last := span.From+later*minutesADay, span.To+later*minutesADay-margin
			if now < last && from < last {
				return max(0, from-now), true
			}
		}
	}
	return 0, false
}

// Schedule is the rules that all have to allow a call, in all zones in which the person
// may be.
type Schedule struct {
	Rules []*Rule
	Zones []*time.Location
	// Margin is how long before closing the last call begins, in whole minutes.
	Margin time.Duration
	// Holidays decides for the rules that differ on holidays.
	Holidays Holidays
}

// Closed names a rule and a zone that do not allow a call.
type Closed struct {
	Rule *Rule
	Zone *time.Location
	// Margin: without the margin a call could begin.
	Margin bool
}

// Open reports whether a call may begin at an instant, or what is closed first in the
// order of Rules.
func (s Schedule) Open(at time.Time) (closed Closed, open bool) {
	for _, rule := range s.Rules {
		for _, zone := range s.Zones {
			if wait, ok := s.wait(rule, at.In(zone), 0); !ok || wait > 0 {
				wait, ok := rule.opens(at.In(zone), 0, 0, s.Holidays)
				return Closed{Rule: rule, Zone: zone, Margin: ok && wait == 0}, false
			}
		}
	}
	return Closed{}, true
}

func (s Schedule) wait(rule *Rule, local time.Time, days int) (minutes int, ok bool) {
	return rule.opens(local, int(s.Margin/time.Minute), days, s.Holidays)
}

// Next returns the first instant from at on at which a call may begin, in whole minutes,
// or false if there is none before limit. A schedule without zones never opens.
func (s Schedule) Next(at, limit time.Time) (opening time.Time, ok bool) {
	if len(s.Zones) == 0 {
		return time.Time{}, false
	}
	for at.Before(limit) {
		wait, ok := s.longestWait(at, limit)
		if !ok {
			return time.Time{}, false
		}
		if wait == 0 {
			return at, true
		}
		at = at.Truncate(time.Minute).Add(wait)
	}
	return time.Time{}, false
}

// longestWait returns how long a call has to wait at least: the longest wait of all rules
// and zones by the clock on the wall, but at most until the next change of a clock.
func (s Schedule) longestWait(at, limit time.Time) (longest time.Duration, ok bool) {
	days := int(limit.Sub(at)/(24*time.Hour)) + 2
	for _, zone := range s.Zones {
		local := at.In(zone)
		for _, rule := range s.Rules {
			minutes, ok := s.wait(rule, local, days)
			if !ok {
				return 0, false
			}
			longest = max(longest, untilChange(local, time.Duration(minutes)*time.Minute))
		}
	}
	return longest, true
}

// untilChange shortens a wait to the next change of the clock in the zone of local: after
// it the clock on the wall shows another time.
func untilChange(local time.Time, wait time.Duration) time.Duration {
	_, change := local.ZoneBounds()
	if wait == 0 || change.IsZero() {
		return wait
	}
	return min(wait, max(time.Minute, change.Sub(local.Truncate(time.Minute))))
}
