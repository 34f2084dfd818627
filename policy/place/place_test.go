package place

import (
	"strings"
	"testing"

	"callbridge/zonedata"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		person Person
		want   string
	}{
		{Person{}, ""},
		{Person{Number: "+12125550142", NumberCountry: "US"}, "US-NY America/New_York"},
		{Person{Number: "+12195550142", NumberCountry: "US"}, "US-IN America/Chicago, US-IN America/New_York"},
		{Person{Number: "+18005550142", NumberCountry: "US"}, ""},
		{Person{Number: "+1", NumberCountry: "US"}, ""},
		{Person{Number: "+12465550142", NumberCountry: "BB"}, "BB America/Barbados"},
		{Person{Number: "+493012345678", NumberCountry: "DE"}, "DE Europe/Berlin"},
		{Person{Number: "+34612345678", NumberCountry: "ES"}, "ES Europe/Madrid, ES Atlantic/Canary"},
		{Person{Number: "+881612345678"}, ""},
		// The address and the area code.
		{Person{Country: "us", State: "fl", Number: "+12125550142", NumberCountry: "US"}, "US-FL America/Chicago, US-FL America/New_York, US-NY America/New_York"},
		{Person{Country: "US", State: "NY", Number: "+12125550142", NumberCountry: "US"}, "US-NY America/New_York"},
		{Person{Country: "DE", Number: "+12125550142", NumberCountry: "US"}, "DE Europe/Berlin, US-NY America/New_York"},
		{Person{Country: "DE", State: "BY", Number: "+493012345678", NumberCountry: "DE"}, "DE-BY Europe/Berlin"},
		{Person{Country: "US", State: "HI", Number: "+493012345678", NumberCountry: "DE"}, "US-HI Pacific/Honolulu, DE Europe/Berlin"},
		{Person{Country: "US", State: "HI", Number: "+18005550142", NumberCountry: "US"}, "US-HI Pacific/Honolulu"},
		{Person{Country: "ZZ", Number: "+493012345678", NumberCountry: "DE"}, "DE Europe/Berlin"},
		// The zone that the CRM names.
		{Person{Zone: "Atlantic/Canary", Country: "ES", Number: "+34612345678", NumberCountry: "ES"}, "ES Atlantic/Canary"},
		{Person{Zone: "Atlantic/Canary", Number: "+34612345678", NumberCountry: "ES"}, "ES Atlantic/Canary"},
		{Person{Zone: "America/Denver", Number: "+12125550142", NumberCountry: "US"}, "US-NY America/Denver, US-NY America/New_York"},
		{Person{Zone: "Europe/Berlin"}, " Europe/Berlin"},
		// The same clock under another name adds nothing; another clock does.
		{Person{Zone: "America/Detroit", Country: "US", State: "NY"}, "US-NY America/Detroit"},
		{Person{Zone: "America/New_York", Country: "US", State: "California"}, "US-CA America/New_York, US-CA America/Los_Angeles"},
		{Person{Zone: "America/New_York", Number: "+493012345678", NumberCountry: "DE"}, "DE America/New_York, DE Europe/Berlin"},
		{Person{Country: "US", State: "US-HI"}, "US-HI Pacific/Honolulu"},
		{Person{Country: "DE", State: "Bayern"}, "DE-BY Europe/Berlin"},
		{Person{Country: "DE", State: "NRW"}, "DE-NW Europe/Berlin"},
		{Person{Country: "DE", State: "Nordrhein Westfalen"}, "DE-NW Europe/Berlin"},
		{Person{Country: "DE", State: "Freistaat  Bayern"}, "DE-BY Europe/Berlin"},
		{Person{Country: "DE", State: "Freie und Hansestadt Hamburg"}, "DE-HH Europe/Berlin"},
		{Person{Country: "DE", State: "Baden-Wurttemberg", Number: "+493012345678", NumberCountry: "DE"}, "DE-BW Europe/Berlin"},
		{Person{Country: "FR", State: "Bretagne"}, "FR Europe/Paris"},
	} {
		places, err := Of(c.person)
		if err != nil {
			t.Errorf("%+v: %v", c.person, err)
		}
		var all []string
		for _, p := range places {
			all = append(all, p.Region+" "+p.Zone.String())
		}
		if got := strings.Join(all, ", "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.person, got, c.want)
		}
	}
	if places, err := Of(Person{Zone: "Europe/Berln", Number: "+493012345678", NumberCountry: "DE"}); err == nil {
		t.Errorf("an unknown zone: %v", places)
	}
	for _, state := range []string{"Fla", "Bavaria", "XX"} {
		if places, err := Of(Person{Country: "US", State: state, Number: "+12125550142", NumberCountry: "US"}); err == nil {
			t.Errorf("%s in the United States: %v", state, places)
		}
	}
}

// TestData: every zone loads, every state of the United States and every province of Canada
// is there, and nearly all countries.
func TestData(t *testing.T) {
	t.Parallel()
	data := tables()
	all := map[string]bool{}
	for _, area := range data.areas {
		for _, zone := range area.zones {
			all[zone] = true
		}
	}
	for _, zones := range data.countries {
		for _, zone := range zones {
			all[zone] = true
		}
	}
	for name := range all {
		if _, err := zonedata.Load(name); err != nil {
			t.Error(err)
		}
	}
	count := map[string]int{}
	for region := range data.states {
		country, _, _ := strings.Cut(region, "-")
		count[country]++
	}
	if count["US"] != 50+1+5 || count["CA"] != 13 || len(data.countries) < 240 || len(data.areas) < 400 {
		t.Errorf("states of %v, %d countries, %d area codes", count, len(data.countries), len(data.areas))
	}
}
