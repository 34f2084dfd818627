package hours

import "strings"

// Week writes the spans of a week from Monday on, such as mon-fri 09:00-17:00; sat-sun
// closed. Days in a row with the same spans are one.
func (r *Rule) Week() string {
	var parts []string
	for first := 1; first <= 7; {
		last := first
		for last < 7 && r.Days[(last+1)%7].String() == r.Days[first%7].String() {
			last++
		}
		name := weekdays[first%7]
		if last > first {
			name += "-" + weekdays[last%7]
		}
		parts = append(parts, name+" "+r.Days[first%7].String())
		first = last + 1
	}
	return strings.Join(parts, "; ")
}

// OnHolidays writes the spans of a public holiday.
func (r *Rule) OnHolidays() string {
	if !r.HolidaysDiffer {
		return "as on other days"
	}
	return r.Holiday.String()
}

// String is the spans of a day, or closed.
func (d Day) String() string {
	if len(d) == 0 {
		return "closed"
	}
	var all []string
	for _, s := range d {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}
