package hours

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// weekdays are the names of days, in the order of time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseDays reads spans by weekday: {mon-fri: ["09:00-12:30", "14:00-19:00"], sat: []}. A
// day that is not named is closed. The errors name the day and say what to write.
func ParseDays(text map[string][]string) (days [7]Day, err error) {
	if len(text) == 0 {
		return days, errors.New(`no day is named: write {mon-fri: ["09:00-17:00"]}`)
	}
	named := map[time.Weekday]string{}
	open := false
	for _, name := range sorted(text) {
		of, err := parseWeekdays(name)
		if err != nil {
			return days, err
		}
		day, err := ParseDay(text[name])
		if err != nil {
			return days, fmt.Errorf("%s: %w", name, err)
		}
		for _, weekday := range of {
			if other, twice := named[weekday]; twice {
				return days, fmt.Errorf("%s is in %q and in %q: name each day once", weekdays[weekday], other, name)
			}
			named[weekday], days[weekday] = name, day
		}
		open = open || len(day) > 0
	}
	if !open {
		return days, errors.New("no day has a span, so nobody could ever be called")
	}
	return days, nil
}

func sorted(text map[string][]string) (names []string) {
	for name := range text {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// parseWeekdays reads mon, or mon-fri: from the first day to the last, over Sunday if
// need be.
func parseWeekdays(name string) (days []time.Weekday, err error) {
	first, last, isRange := strings.Cut(name, "-")
	if !isRange {
		last = first
	}
	from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
	if from < 0 || to < 0 {
		return nil, fmt.Errorf("%q is no day: write mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri", name)
	}
	for day := from; ; day = (day + 1) % len(weekdays) {
		days = append(days, time.Weekday(day))
		if day == to {
			return days, nil
		}
	}
}

// ParseDay reads the spans of one day, such as "09:00-12:30", and sorts them.
func ParseDay(spans []string) (Day, error) {
	day := Day{}
	for _, text := range spans {
		span, err := parseSpan(text)
		if err != nil {
			return nil, err
		}
		day = append(day, span)
	}
	slices.SortFunc(day, func(a, b Span) int { return a.From - b.From })
	for i := 1; i < len(day); i++ {
		if day[i].From <= day[i-1].To {
			return nil, fmt.Errorf("%s and %s overlap or touch: write them as one", day[i-1], day[i])
		}
	}
	return day, nil
}

func parseSpan(text string) (Span, error) {
	from, to, isSpan := strings.Cut(text, "-")
	if !isSpan {
		return Span{}, fmt.Errorf("%q is no span: write it as 09:00-12:30", text)
	}
	s := Span{}
	var err error
	if s.From, err = parseMinute(from); err != nil {
		return Span{}, err
	}
	if s.To, err = parseMinute(to); err != nil {
		return Span{}, err
	}
	switch {
	case s.From == s.To:
		return Span{}, fmt.Errorf("%s is empty: it ends when it begins", text)
	case s.From > s.To:
		return Span{}, fmt.Errorf("%s goes over midnight: write two spans, %s-24:00 and, for the next day, 00:00-%s", text, from, to)
	}
	return s, nil
}

// parseMinute reads 09:00, with two digits each; 24:00 is the end of a day.
func parseMinute(text string) (int, error) {
	hour, minute, _ := strings.Cut(text, ":")
	h, errHour := strconv.ParseUint(hour, 10, 8)
	m, errMinute := strconv.ParseUint(minute, 10, 8)
	if errHour != nil || errMinute != nil || len(hour) != 2 || len(minute) != 2 || m > 59 || h*60+m > minutesADay {
		return 0, fmt.Errorf("%q is no time of a day: write it as 09:00", text)
	}
	return int(h*60 + m), nil
}

// String is the span as it is written in a file.
func (s Span) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
}
