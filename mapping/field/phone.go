package field

import (
	"strconv"
	"strings"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
)

// convertPhone parses a phone number. Whether a number of its country or with
// its extension may be dialled is decided by the route.
func (f *Field) convertPhone(v payload.Value, country string) Value {
	text, ok := Scalar(v)
	if _, isBool := v.(bool); !ok || isBool {
		return unreadable(event.ReasonBadPhone, "found "+Describe(v)+" where a phone number belongs")
	}
	number, err := phone.Parse(text, phone.Options{
		Country: country, Region: f.region, AllowExtension: true,
	})
	if err != nil {
		return unreadable(event.ReasonBadPhone, err.Error())
	}
	plain := number.E164.Reveal()
	return Value{Typed: plain, Text: plain, Phone: &number}
}

// countryOf is the contact's country as the CRM writes it, or "".
func (f *Field) countryOf(in *Input) string {
	for i := range f.country {
		if text, ok := f.country[i].text(in); ok {
			return text
		}
	}
	return ""
}

// ReadRegion reads a country of the configuration, where only ISO 3166 codes of
// two letters are allowed.
func ReadRegion(n config.Node) string {
	text := n.PlainText()
	region, ok := phone.Country(text)
	if !ok || region != text {
		hint := "write two letters, for example US or DE"
		if ok {
			hint = "write " + region
		}
		n.Problem(strconv.Quote(text)+" is not a country code", hint)
		return ""
	}
	return region
}

// ReadPhone reads a number of the configuration, where only E.164 is allowed.
func ReadPhone(n config.Node) string {
	text := strings.TrimSpace(n.PlainText())
	if !event.IsE164(text) {
		n.Problem("not a phone number", `write it with + and country code, for example "+12025550100"`)
		return ""
	}
	return text
}
