// Package place finds where a person may be: the zones and the regions that follow from
// the zone that a CRM names, an address and a telephone number. Several places may be
// true; then a call has to be allowed in all of them. The zone of the CRM's account is
// never one of them. The package is part of the policy step.
package place

import (
	_ "embed"
	"fmt"
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
	// Country and State are the address: ISO 3166 codes, such as US and FL.
	Country, State string
	// Number is the number to dial, in E.164, and NumberCountry its country.
	Number, NumberCountry string
}

// Of returns all places where the person may be. No place means that it is not known. An
// unknown name of a zone is an error: the person may be anywhere.
//
// In the United States and in Canada the state of the area code counts beside the address,
// because Florida and Oklahoma presume that people live there (Fla. Stat. 501.059, 15 O.S.
// 775C). Elsewhere a number names a country: its zones count if nothing says more.
func Of(p Person) (places []policy.Place, err error) {
	address, number := p.address(), p.number()
	if p.Zone != "" {
		named, err := zonedata.Load(p.Zone)
		if err != nil {
			return nil, fmt.Errorf("where the person is: %w", err)
		}
		return inZone(named, address, number), nil
	}
	if address.country() != "" && (address.country() == number.country() && !number.isArea() || number.country() == "") {
		return address.places()
	}
	return join(address.places, number.places)
}

// inZone is the named zone with each region that is known, and what an area code adds.
func inZone(named *time.Location, address, number origin) (places []policy.Place) {
	regions := append(slices.Clone(address.regions), number.regions...)
	if len(regions) == 0 {
		regions = []string{""}
	}
	for _, region := range unique(regions) {
		places = append(places, policy.Place{Zone: named, Region: region})
	}
	if number.isArea() {
		more, err := number.places()
		if err == nil {
			places = append(places, more...)
		}
	}
	return places
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

// address is the origin of the address. A state that is not known leaves the country.
func (p Person) address() origin {
	country := strings.ToUpper(p.Country)
	region := country + "-" + strings.ToUpper(p.State)
	if zones, ok := tables().states[region]; ok {
		return origin{regions: []string{region}, zones: zones}
	}
	if zones, ok := tables().countries[country]; ok {
		return origin{regions: []string{country}, zones: zones}
	}
	return origin{}
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

// table are the data: areas by area code, zones by country, and by state, such as US-IN:
// the zones of all its area codes.
type table struct {
	areas             map[string]origin
	countries, states map[string][]string
}

var tables = sync.OnceValue(func() table {
	t := table{areas: map[string]origin{}, countries: map[string][]string{}, states: map[string][]string{}}
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
	return t
})

// rows are the lines of a table that have n words and are no comments.
func rows(text string, n int) (rows [][]string) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == n && !strings.HasPrefix(line, "#") {
			rows = append(rows, fields)
		}
	}
	return rows
}
