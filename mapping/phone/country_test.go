package phone_test

import (
	"testing"

	"callbridge/mapping/phone"
)

func TestCountryReadsCodesAndNames(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"US": {"US", " us\n", "USA", "usa", "U.S.A.", "U.S.", "840", "United States", "The United States of America", "ESTADOS UNIDOS", "Vereinigte Staaten", "États-Unis"},
		"GB": {"GB", "UK", "U.K.", "GBR", "826", "Great Britain", "United  Kingdom", "Scotland", "Großbritannien"},
		"DE": {"DE", "DEU", "276", "Germany", "Deutschland", "Allemagne", "Alemania"},
		"CZ": {"Czechia", "Czech Republic", "Česko", "Cesko", "Tschechien"},
		"NL": {"Netherlands", "The Netherlands", "Netherlands, The", "Holland", "Nederland"},
		"KR": {"South Korea", "Korea, Republic of", "Korea (Republic of)", "대한민국"},
		"KP": {"North Korea", "Korea, Democratic People's Republic of"},
		"CI": {"Côte d'Ivoire", "Cote d’Ivoire", "Ivory Coast"},
		"BA": {"Bosnia & Herzegovina", "Bosnia and Herzegovina"},
		"CH": {"Switzerland", "Schweiz", "Suisse", "Svizzera"},
		"AT": {"Österreich", "Oesterreich", "OSTERREICH"},
		"TR": {"Turkey", "Türkiye", "Turkiye"},
		"RU": {"Russian Federation", "Россия"},
		"JP": {"Japan", "日本"},
		"NA": {"NA", "Namibia"},
		"XK": {"Kosovo"},
	}
	for want, writings := range tests {
		for _, text := range writings {
			if got, ok := phone.Country(text); !ok || got != want {
				t.Errorf("Country(%q) = %q, %t, want %s", text, got, ok, want)
			}
		}
	}
}

func TestCountryDoesNotGuess(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "-", "n/a", "n.a.", "Narnia", "EU", "Europe", "ZZ", "001", "1", "49", "+1", "GB-ENG", "Germany, Austria", "Virgin Islands", "#"} {
		if got, ok := phone.Country(text); ok {
			t.Errorf("Country(%q) = %q, want none", text, got)
		}
	}
}
