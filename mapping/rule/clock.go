package rule

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"callbridge/mapping/zone"
	"callbridge/zonedata"
)

// clockPart is a function of CEL that reads a part of a time in a zone.
type clockPart struct {
	function, overload string
	part               func(time.Time) int
}

// clockParts are CEL's own functions of a time in a zone, such as
// created.getHours("Europe/Berlin"). CEL's implementation reads the zone data of Go or
// of the machine; ours reads the release that callbridge uses.
var clockParts = []clockPart{
	{overloads.TimeGetFullYear, overloads.TimestampToYearWithTz, time.Time.Year},
	{overloads.TimeGetMonth, overloads.TimestampToMonthWithTz, func(t time.Time) int { return int(t.Month()) - 1 }},
	{overloads.TimeGetDayOfYear, overloads.TimestampToDayOfYearWithTz, func(t time.Time) int { return t.YearDay() - 1 }},
	{overloads.TimeGetDayOfMonth, overloads.TimestampToDayOfMonthZeroBasedWithTz, func(t time.Time) int { return t.Day() - 1 }},
	{overloads.TimeGetDate, overloads.TimestampToDayOfMonthOneBasedWithTz, time.Time.Day},
	{overloads.TimeGetDayOfWeek, overloads.TimestampToDayOfWeekWithTz, func(t time.Time) int { return int(t.Weekday()) }},
	{overloads.TimeGetHours, overloads.TimestampToHoursWithTz, time.Time.Hour},
	{overloads.TimeGetMinutes, overloads.TimestampToMinutesWithTz, time.Time.Minute},
	{overloads.TimeGetSeconds, overloads.TimestampToSecondsWithTz, time.Time.Second},
	{overloads.TimeGetMilliseconds, overloads.TimestampToMillisecondsWithTz, func(t time.Time) int { return t.Nanosecond() / int(time.Millisecond) }},
}

// clockFunctions declares the functions that read a time in a zone.
func clockFunctions() []cel.EnvOption {
	timeAndZone := []*cel.Type{cel.TimestampType, cel.StringType}
	options := []cel.EnvOption{
		cel.Function("local_hour", cel.Overload("local_hour", timeAndZone, cel.DoubleType,
			cel.BinaryBinding(inZone(func(local time.Time) ref.Val { return types.Double(local.Hour()) })))),
		cel.Function("weekday", cel.Overload("weekday", timeAndZone, cel.StringType,
			cel.BinaryBinding(inZone(func(local time.Time) ref.Val { return types.String(strings.ToLower(local.Weekday().String())) })))),
	}
	for _, p := range clockParts {
		options = append(options, cel.Function(p.function, cel.MemberOverload(p.overload, timeAndZone, cel.IntType,
			cel.BinaryBinding(inZone(func(local time.Time) ref.Val { return types.Int(p.part(local)) })))))
	}
	return options
}

// inZone applies read to a time in the zone of a name.
func inZone(read func(local time.Time) ref.Val) func(at, name ref.Val) ref.Val {
	return func(at, name ref.Val) ref.Val {
		location, err := place(string(name.(types.String)))
		if err != nil {
			return types.WrapErr(err)
		}
		return read(at.(types.Timestamp).In(location))
	}
}

// place returns the zone of a name of the time zone database, or of an offset such as
// -05:00.
func place(name string) (*time.Location, error) {
	if hours, _, isOffset := strings.Cut(name, ":"); isOffset {
		if !strings.ContainsAny(hours, "+-") {
			name = "+" + name // as CEL allows
		}
		if location, ok := zone.Find(name); ok {
			return location, nil
		}
	}
	return zonedata.Load(name)
}

// readsClock reports whether a function is one of clockParts.
func readsClock(function string) bool {
	return slices.ContainsFunc(clockParts, func(p clockPart) bool { return p.function == function })
}
