package mapping

import (
	"strings"

	"cel.dev/cel-go/common/types"

	"callbridge/event"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
)

// convertPhone reads a number. Whether its country or its extension may be
// dialled is the route's matter, see Route.permits.
func (f *field) convertPhone(v payload.Value, country string) reading {
	text, ok := scalarText(v)
	if _, isBool := v.(bool); !ok || isBool {
		return odd(reasonBadPhone, "found "+describe(v)+" where a phone number belongs")
	}
	number, err := phone.Parse(text, phone.Options{
		Country: country, Region: f.region, AllowExtension: true,
	})
	if err != nil {
		return odd(reasonBadPhone, err.Error())
	}
	plain := number.E164.Reveal()
	return reading{rule: types.String(plain), text: plain, number: &number}
}

// countryOf is what the CRM has as the contact's country, or nothing.
func (f *field) countryOf(m *material) string {
	for i := range f.country {
		if text, ok := f.country[i].text(m); ok {
			return text
		}
	}
	return ""
}

// parseRegion reads a country as CRMs write it: DE, DEU, Germany.
func parseRegion(text string) (string, bool) { return phone.Country(text) }

// readRegion reads a country code of the configuration, where only ISO 3166
// codes of two letters are allowed.
func readRegion(n node) string {
	text := plainText(n)
	region, ok := phone.Country(text)
	if !ok || region != text {
		hint := "write two letters, for example US or DE"
		if ok {
			hint = "write " + region
		}
		n.problem(quote(text)+" is no country code", hint)
		return ""
	}
	return region
}

// readNumber reads a number of the configuration, where only E.164 is allowed.
func readNumber(n node) string {
	text := strings.TrimSpace(plainText(n))
	if !event.IsE164(text) {
		n.problem("this is no phone number", `write it with + and country code, for example "+12025550100"`)
		return ""
	}
	return text
}

// permits reports whether the route may dial the number, and why not.
func (r *Route) permits(number phone.Number) *refusal {
	if number.Extension != "" && !r.AllowExtension {
		return &refusal{reason: reasonBadPhone, detail: string(phone.HasExtension) + ": an extension cannot be dialled"}
	}
	if err := number.In(r.Regions); err != nil {
		return &refusal{reason: reasonBadPhone, detail: err.Error()}
	}
	return nil
}
