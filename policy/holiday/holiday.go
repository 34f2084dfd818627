// Package holiday knows the public holidays of countries and of their parts, as dated
// data: one file per country, with its source and the day on which it was checked. It is
// part of the policy step, has no clock, and imports nothing of this module.
package holiday

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"
)

//go:embed *.yaml
var files embed.FS

// calendar has the names of the days of each region by year and by day (2006-01-02).
type calendar map[string]map[int]map[string]string

// shipped are the data of this version. A test loads them, so they have no mistake.
var shipped = sync.OnceValue(func() calendar {
	all, err := read(files)
	if err != nil {
		panic("holidays: " + err.Error())
	}
	return all
})

// partial are the days that are holidays in a part of a country only, by the country and
// the day: the name, with the part.
var partial = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, region := range slices.Sorted(maps.Keys(shipped())) {
		country, _, isPart := strings.Cut(region, "-")
		if !isPart {
			continue
		}
		if all[country] == nil {
			all[country] = map[string]string{}
		}
		for _, days := range shipped()[region] {
			for day, name := range days {
				if all[country][day] == "" {
					all[country][day] = name + " in " + region
				}
			}
		}
	}
	return all
})

// Name returns the public holiday of a day in a region, such as DE-BY, or in its country.
// It is empty on other days. Of a country alone, it is not known in which part the person
// is: a holiday of any part counts. known is false if the data do not have the year of the
// country: then it is not known whether the day is a holiday.
func Name(region string, local time.Time) (name string, known bool) {
	day, year := local.Format(time.DateOnly), local.Year()
	country, _, isPart := strings.Cut(region, "-")
	days, known := shipped()[country][year]
	if !known {
		return "", false
	}
	switch name = days[day]; {
	case name != "":
	case isPart:
		name = shipped()[region][year][day]
	default:
		name = partial()[country][day]
	}
	return name, true
}

// read reads all files. Each day has to be in the year under which it is listed, and each
// part of a country in the file of its country.
func read(from fs.FS) (calendar, error) {
	names, err := fs.Glob(from, "*.yaml")
	if err != nil {
		return nil, err
	}
	all := calendar{}
	for _, name := range names {
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		var regions calendar
		if err := yaml.Unmarshal(content, &regions); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for region, years := range regions {
			if country, _, _ := strings.Cut(region, "-"); strings.ToLower(country)+".yaml" != name {
				return nil, fmt.Errorf("%s: %s belongs into another file", name, region)
			}
			if err := check(years); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, region, err)
			}
			all[region] = years
		}
	}
	return all, nil
}

func check(years map[int]map[string]string) error {
	for year, days := range years {
		for day, name := range days {
			at, err := time.Parse(time.DateOnly, day)
			if err != nil {
				return err
			}
			if at.Year() != year || name == "" {
				return fmt.Errorf("%s is listed under %d, with the name %q", day, year, name)
			}
		}
	}
	return nil
}
