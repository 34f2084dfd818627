// Package place finds where a person may be: the zones and the regions that follow from
// the zone that a CRM names, an address and a telephone number. Several places may be
// true; then a call has to be allowed in all of them. The zone of the CRM's account is
// never one of them. The package is part of the policy step.
package place

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"callbridge/policy"
	"callbridge/zonedata"
)

// Person is what is known about the place of a person. Every part may be empty.
type Person struct {
	// Zone is the name of a zone, such as America/New_York, that the CRM has for the
	// person.
	Zone string
	// Country is the country of the address, as an ISO 3166 code, such as US. State is the
	// state, province or Land there: FL, US-FL or Florida. It counts in the United States,
	// in Canada and in Germany.
	Country, State string
	// Number is the number to dial, in E.164, and NumberCountry its country.
	Number, NumberCountry string
}

// Of returns all places where the person may be. No place means that it is not known. A
// zone or a state that is not known is an error: the person may be anywhere.
//
// What the zone, the address and the number say all counts. One of them that allows the
// place of another one, as the United States allow New York, adds nothing; one that
// contradicts it adds its own places. In the United States and in Canada the
// state of the area code always counts beside the address, because Florida and Oklahoma
// presume that people live there (Fla. Stat. 501.059, 15 O.S. 775C).
func Of(p Person) (places []policy.Place, err error) {
	address, err := p.address()
	if err != nil {
		return nil, err
	}
	number := p.number()
	if p.Zone != "" {
		named, err := zonedata.Load(p.Zone)
		if err != nil {
			return nil, fmt.Errorf("where the person is: %w", err)
		}
		return inZone(named, address, number)
	}
	if address.country() != "" && (address.country() == number.country() && !number.isArea() || number.country() == "") {
		return address.places()
	}
	return join(address.places, number.places)
}

// inZone is the named zone with each region that is known, and what an area code, or an
// address or a number in other zones, adds.
func inZone(named *time.Location, address, number origin) (places []policy.Place, err error) {
	regions := append(slices.Clone(address.regions), number.regions...)
	if len(regions) == 0 {
		regions = []string{""}
	}
	for _, region := range unique(regions) {
		places = append(places, policy.Place{Zone: named, Region: region})
	}
	for _, o := range []origin{address, number} {
		more, err := o.places()
		if err != nil {
			return nil, err
		}
		if o.isArea() || !slices.ContainsFunc(more, func(p policy.Place) bool { return sameClock(p.Zone, named) }) {
			places = append(places, more...)
		}
	}
	return places, nil
}

// sameClock reports whether two zones show the same time from November 2026 to October
// 2028, as countries.txt takes it, at least once a week.
func sameClock(a, b *time.Location) bool {
	if a == b {
		return true
	}
	const week = 7 * 24 * time.Hour
	end := time.Date(2028, 11, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC); at.Before(end); at = at.Add(week) {
		_, here := at.In(a).Zone()
		if _, there := at.In(b).Zone(); here != there {
			return false
		}
	}
	return true
}

// origin is what one thing says about where a person is.
type origin struct {
	regions, zones []string
	// area: regions are those of an area code.
	area bool
}

func (o origin) isArea() bool { return o.area }

func (o origin) country() string {
	if len(o.regions) == 0 {
		return ""
	}
	country, _, _ := strings.Cut(o.regions[0], "-")
	return country
}

// places are all zones with all regions.
func (o origin) places() (places []policy.Place, err error) {
	for _, name := range o.zones {
		zone, err := zonedata.Load(name)
		if err != nil {
			return nil, err
		}
		for _, region := range o.regions {
			places = append(places, policy.Place{Zone: zone, Region: region})
		}
	}
	return places, nil
}

func join(all ...func() ([]policy.Place, error)) (places []policy.Place, err error) {
	for _, f := range all {
		more, err := f()
		if err != nil {
			return nil, err
		}
		for _, p := range more {
			if !slices.Contains(places, p) {
				places = append(places, p)
			}
		}
	}
	return places, nil
}

// address is the origin of the address. Where states have rules of their own, one that is
// not known is an error.
func (p Person) address() (origin, error) {
	country := strings.ToUpper(strings.TrimSpace(p.Country))
	zones, known := tables().countries[country]
	if !known {
		return origin{}, nil
	}
	names, hasStates := tables().names[country]
	if written := strings.TrimSpace(p.State); hasStates && written != "" {
		region, ok := names[plain(written)]
		if !ok {
			return origin{}, fmt.Errorf("%q is no state of %s that is known", written, country)
		}
		if own, ok := tables().states[region]; ok {
			zones = own
		}
		return origin{regions: []string{region}, zones: zones}, nil
	}
	return origin{regions: []string{country}, zones: zones}, nil
}

// number is the origin of the number: its area code, else its country.
func (p Person) number() origin {
	if rest, isNANP := strings.CutPrefix(p.Number, "+1"); isNANP {
		if len(rest) < 3 {
			return origin{}
		}
		return tables().areas[rest[:3]]
	}
	if zones, ok := tables().countries[p.NumberCountry]; ok {
		return origin{regions: []string{p.NumberCountry}, zones: zones}
	}
	return origin{}
}

func unique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

//go:embed areacodes.txt
var areaCodes string

//go:embed countries.txt
var countryZones string

//go:embed states.txt
var stateNames string

// table are the data: areas by area code, zones by country, and by state, such as US-IN:
// the zones of all its area codes. names are the states of a country by how they are
// written, in lower case.
type table struct {
	areas             map[string]origin
	countries, states map[string][]string
	names             map[string]map[string]string
}

var tables = sync.OnceValue(func() table {
	t := table{areas: map[string]origin{}, countries: map[string][]string{}, states: map[string][]string{}, names: map[string]map[string]string{}}
	for _, fields := range rows(areaCodes, 3) {
		area := origin{regions: strings.Split(fields[1], ","), zones: strings.Split(fields[2], ","), area: true}
		t.areas[fields[0]] = area
		for _, region := range area.regions {
			t.states[region] = unique(append(t.states[region], area.zones...))
		}
	}
	for _, fields := range rows(countryZones, 2) {
		t.countries[fields[0]] = strings.Split(fields[1], ",")
	}
	for region := range t.states {
		t.name(region, "")
	}
	for line := range strings.Lines(stateNames) {
		if region, written, ok := strings.Cut(strings.TrimSpace(line), " "); ok && region != "#" {
			t.name(region, written)
		}
	}
	return t
})

// name adds the ways in which a state is written: its code with and without the country,
// and names.
func (t table) name(region, written string) {
	country, code, isState := strings.Cut(region, "-")
	if !isState {
		return
	}
	if t.names[country] == nil {
		t.names[country] = map[string]string{}
	}
	for _, text := range append(strings.Split(written, ", "), region, code) {
		if text != "" {
			t.names[country][plain(text)] = region
		}
	}
}

// kinds are what people write before the name of a state.
var kinds = regexp.MustCompile(`^(state of|province of|commonwealth of|freistaat|land|bundesland|freie und hansestadt|freie hansestadt|hansestadt) `)

// plain is a name without the letter case, hyphens and dots, and without what stands for a state.
func plain(name string) string {
	name = strings.Join(strings.Fields(strings.NewReplacer("-", " ", "–", " ", ".", " ", "_", " ").Replace(strings.ToLower(name))), " ")
	return kinds.ReplaceAllLiteralString(name, "")
}

// rows are the lines of a table that have n words and are no comments.
func rows(text string, n int) (rows [][]string) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == n && !strings.HasPrefix(line, "#") {
			rows = append(rows, fields)
		}
	}
	return rows
}
