package mapping

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of time formats. Every other format is an example of Go's reference
// time, 2 January 2006 15:04:05.
const (
	formatRFC3339 = "rfc3339"
	formatUnix    = "unix"
	formatUnixMS  = "unix_ms"
	formatDate    = "date"
	formatDotNet  = "dotnet"
)

var formatNames = []string{formatRFC3339, formatUnix, formatUnixMS, formatDate, formatDotNet}

// isoLayouts are RFC 3339 and what CRMs take for it: a blank for the T, an
// offset without colon (Meta), no offset at all (Close, read as UTC). A
// fraction of a second is understood with each.
var isoLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04",
}

// unixDigits is seconds or milliseconds since 1970, a fraction allowed
// (monday sends float seconds).
var unixDigits = regexp.MustCompile(`^([0-9]{9,14})(?:\.([0-9]{1,9}))?$`)

// unixMSFrom is where a number is read as milliseconds: as seconds it would be
// the year 5138.
const unixMSFrom = 100_000_000_000

// dotNetDate is how Microsoft's DataContractJsonSerializer writes a time:
// milliseconds since 1970, and an offset that is for display only.
var dotNetDate = regexp.MustCompile(`^/Date\((-?[0-9]{1,14})(?:[+-][0-9]{4})?\)/$`)

func readTimeFormats(n node) []string {
	var formats []string
	for _, item := range n.items() {
		format := plainText(item)
		if !slices.Contains(formatNames, format) && !isLayout(format) {
			hint := suggest(format, formatNames)
			if hint == "" {
				hint = `write rfc3339, unix, unix_ms, date, dotnet or an example such as "02.01.2006 15:04"`
			}
			item.problem(quote(format)+" is no time format", hint)
		}
		formats = append(formats, format)
	}
	return formats
}

// isLayout reports whether a format tells two days apart.
func isLayout(format string) bool {
	one := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return format != "" && one.Format(format) != one.AddDate(1, 1, 1).Format(format)
}

// parseTime reads a time in one of the formats; without formats in any that
// cannot be mistaken. A time without an offset is UTC.
func parseTime(text string, formats []string) (time.Time, bool) {
	if len(formats) == 0 {
		formats = formatNames
	}
	for _, format := range formats {
		if t, ok := parseTimeAs(text, format); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseTimeAs(text, format string) (time.Time, bool) {
	switch format {
	case formatRFC3339:
		for _, layout := range isoLayouts {
			if t, err := time.Parse(layout, text); err == nil {
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
	t, err := time.Parse(format, text)
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
	fraction, _ := strconv.ParseInt((parts[2] + strings.Repeat("0", 9))[:9], 10, 64)
	if format == formatUnixMS {
		return time.UnixMilli(whole).UTC(), true
	}
	return time.Unix(whole, fraction).UTC(), true
}
