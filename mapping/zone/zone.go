// Package zone finds the time zone that a text of a CRM names: a name of the time
// zone database, in any case and as HubSpot writes it (us_slash_eastern), the names
// of Rails and of Windows, or an offset. Abbreviations such as EST are refused: they
// mean different zones to different people, and none of them has summer time. It is
// part of the mapping step, and reads the zones from zonedata.
package zone

import (
	_ "embed"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbridge/zonedata"
)

//go:embed names.txt
var names string

//go:embed aliases.txt
var aliases string

// maxName is longer than every name of a zone.
const maxName = 64

// Find returns the zone that text names.
func Find(text string) (*time.Location, bool) {
	if len(text) > maxName {
		return nil, false
	}
	if offset, ok := parseOffset(text); ok {
		return offset, true
	}
	name, ok := index()[fold(text)]
	if !ok {
		return nil, false
	}
	location, err := zonedata.Load(name)
	return location, err == nil
}

// index has the names of the database by their folded spellings.
var index = sync.OnceValue(func() map[string]string {
	all := make(map[string]string, 1000)
	for line := range strings.Lines(aliases) {
		if spelling, name, ok := strings.Cut(strings.TrimSpace(line), ";"); ok && !strings.HasPrefix(line, "#") {
			all[fold(spelling)] = name
		}
	}
	for line := range strings.Lines(names) {
		if name := strings.TrimSpace(line); name != "" && !strings.HasPrefix(name, "#") {
			all[fold(name)] = name
		}
	}
	return all
})

// decoration is what Rails and Windows write before a name: (GMT-05:00).
var decoration = regexp.MustCompile(`^\((?:GMT|UTC)(?:[+-]\d{2}:\d{2})?\)\s*`)

// fold makes spellings comparable: lower case, blanks instead of underscores.
func fold(text string) string {
	text = decoration.ReplaceAllString(strings.TrimSpace(text), "")
	text = strings.ToLower(text)
	text = strings.ReplaceAll(text, "_slash_", "/")
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "_", " ")), " ")
}

// offset is a distance from UTC: +02:00, UTC+2, GMT-0530.
var offset = regexp.MustCompile(`^(?:UTC|GMT)?\s?([+-])(\d{1,2})(?::?(\d{2}))?$`)

func parseOffset(text string) (*time.Location, bool) {
	parts := offset.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(text)))
	if parts == nil {
		return nil, false
	}
	hours, _ := strconv.Atoi(parts[2])
	minutes, _ := strconv.Atoi(parts[3])
	if hours > 14 || minutes > 59 {
		return nil, false
	}
	seconds := (hours*60 + minutes) * 60
	if parts[1] == "-" {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), true
}
