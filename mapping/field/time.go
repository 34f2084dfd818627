package field

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/payload"
)

// Names of time formats. Any other format is Go's reference time, 2 January 2006
// 15:04:05, as the CRM would write it.
const (
	formatRFC3339 = "rfc3339"
	formatUnix    = "unix"
	formatUnixMS  = "unix_ms"
	formatDate    = "date"
	formatDotNet  = "dotnet"
)

var formatNames = []string{formatRFC3339, formatUnix, formatUnixMS, formatDate, formatDotNet}

// isoLayouts are RFC 3339 and its variants in CRMs: a space instead of the T, an
// offset without a colon (Meta), no offset (Close). Each may have a
// fraction of a second.
var isoLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04",
}

// unixDigits are seconds or milliseconds since 1970. Seconds may have a fraction
// (monday).
var unixDigits = regexp.MustCompile(`^([0-9]{9,14})(?:\.([0-9]{1,9}))?$`)

const (
	// unixMSFrom is the least number that means milliseconds: in seconds it is the
	// year 5138.
	unixMSFrom = 100_000_000_000
	// maxUnix is the year 2100. A larger number is no time since 1970:
	// 20261128100000 is a date without separators.
	maxUnix = 4_102_444_800
)

// dotNetDate is the format of Microsoft's DataContractJsonSerializer:
// milliseconds since 1970, and an offset that is only for display.
var dotNetDate = regexp.MustCompile(`^/Date\((-?[0-9]{1,14})(?:[+-][0-9]{4})?\)/$`)

// ReadTimeFormats reads format: of a field or time_format: of a source.
func ReadTimeFormats(n config.Node) []string {
	var formats []string
	for _, item := range n.Items() {
		format := item.PlainText()
		odd := NotOfLayout(format)
		if !slices.Contains(formatNames, format) && (!IsDateLayout(format) || odd != "") {
			hint := config.Suggest(format, formatNames)
			if hint == "" {
				hint = `write rfc3339, unix, unix_ms, date, dotnet or an example such as "02.01.2006 15:04"`
			}
			item.Problem(strconv.Quote(format)+" is not a time format", hint)
		}
		formats = append(formats, format)
	}
	return formats
}

// layoutWords are the parts of Go's reference time, the longer ones first.
var layoutWords = strings.NewReplacer(
	"January", "", "Monday", "", "2006", "", "-07:00", "", "-0700", "", "Z07:00", "", "Z0700", "", "MST", "", "Jan", "", "Mon", "",
	"15", "", "01", "", "02", "", "03", "", "04", "", "05", "", "06", "", "_2", "", "PM", "", "pm", "",
	".000000000", "", ".000000", "", ".000", "", "1", "", "2", "", "3", "", "4", "", "5", "",
)

// patternLetters are what other programs write in place of the reference time.
var patternLetters = regexp.MustCompile(`[0-9]|YYYY|yyyy|YY|DD|dd|HH|hh|mm|MM|%[a-zA-Z]`)

// NotOfLayout returns the first part of a layout that looks like a date or a time but
// is none of the reference time, such as the 30 of "30 November", or "".
func NotOfLayout(layout string) string { return patternLetters.FindString(layoutWords.Replace(layout)) }

// IsDateLayout reports whether a format tells two days apart.
func IsDateLayout(format string) bool {
	one := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return format != "" && one.Format(format) != one.AddDate(1, 1, 1).Format(format)
}

// convertTime reads a time.
func (f *Field) convertTime(v payload.Value, text string, location *time.Location) Value {
	t, ok := ParseTime(text, f.formats, location)
	if !ok {
		return unreadable(event.ReasonBadField, "found "+Describe(v)+" where time belongs"+TimeHint(text, f.formats))
	}
	return timeValue(t)
}

// FormatHint is the hint for a time that no named format has.
const FormatHint = `; if the CRM writes times in another format, write 2 January 2006, 15:04:05 in that format, such as "02.01.2006 15:04"`

// TimeHint says what a text may be that has none of the formats, or "".
func TimeHint(text string, formats []string) string {
	if len(formats) == 0 {
		return FormatHint
	}
	if !unixDigits.MatchString(text) {
		return ""
	}
	whole, _, _ := strings.Cut(text, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil && n >= unixMSFrom {
		return "; it may be milliseconds since 1970: format: unix_ms"
	}
	return "; it may be seconds since 1970: format: unix"
}

// ParseTime parses a time in one of the formats; without formats, in any of the
// named ones, which cannot be confused. The location is that of a time without an
// offset; nil is UTC.
func ParseTime(text string, formats []string, location *time.Location) (time.Time, bool) {
	if len(formats) == 0 {
		formats = formatNames
	}
	if location == nil {
		location = time.UTC
	}
	for _, format := range formats {
		if t, ok := parseTimeAs(text, format, location); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseTimeAs(text, format string, location *time.Location) (time.Time, bool) {
	switch format {
	case formatRFC3339:
		for _, layout := range isoLayouts {
			if t, err := time.ParseInLocation(layout, text, location); err == nil {
				return t, true
			}
		}
		return time.Time{}, false
	case formatUnix, formatUnixMS:
		return parseUnix(text, format)
	case formatDotNet:
		return parseDotNet(text)
	case formatDate:
		format = time.DateOnly
	}
	t, err := time.ParseInLocation(format, text, location)
	return t, err == nil
}

func parseDotNet(text string) (time.Time, bool) {
	parts := dotNetDate.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(parts[1], 10, 64)
	return time.UnixMilli(ms).UTC(), err == nil
}

func parseUnix(text, format string) (time.Time, bool) {
	parts := unixDigits.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, false
	}
	whole, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || (whole >= unixMSFrom) != (format == formatUnixMS) {
		return time.Time{}, false
	}
	if whole > maxUnix && format == formatUnix || whole > maxUnix*1000 {
		return time.Time{}, false
	}
	fraction, _ := strconv.ParseInt((parts[2] + strings.Repeat("0", 9))[:9], 10, 64)
	if format == formatUnixMS {
		return time.UnixMilli(whole).UTC(), true
	}
	return time.Unix(whole, fraction).UTC(), true
}
