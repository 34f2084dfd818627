package field

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
)

// numbering says how the numbers of a field of type phone are written.
type numbering struct {
	region  string
	country []Path
	plus    phone.Plus
	// trunkOptional: numbers may have lost the 0 that people write before them.
	trunkOptional bool
}

// read reads the keys that only a phone field has.
func (n *numbering) read(keys config.Object, only func(key, kind string) (config.Node, bool)) {
	region, hasRegion := only("region", TypePhone)
	if hasRegion {
		n.region = ReadRegion(region)
	}
	country, hasCountry := only("country", TypePhone)
	if hasCountry {
		if country.Kind() != config.List && isFixedCountry(country.PlainText()) {
			country.Problem("is the path of the value that has the country", "for a fixed country write region, for example region: DE")
		} else {
			n.country = readPaths(country)
		}
	}
	if _, ok := only("plus", TypePhone); ok {
		n.plus = phone.Plus(keys.OneOf("plus"))
	}
	trunk, ok := only("trunk", TypePhone)
	if !ok {
		return
	}
	n.trunkOptional = keys.OneOf("trunk") == "optional"
	switch {
	case !hasRegion && !hasCountry:
		trunk.Problem("needs region or country", "numbers without their first 0 are read for a country")
	case n.plus == phone.PlusOptional:
		trunk.Problem("does not go with plus: optional", "digits could have lost their 0 or their +: nobody knows which")
	}
}

// isFixedCountry reports whether a path is rather a country: AT, +43.
func isFixedCountry(path string) bool {
	return phone.IsCountry(path) && (strings.HasPrefix(path, "+") || len(path) <= 3 && path == strings.ToUpper(path))
}

// readPhone returns the first number of the paths that may be dialled. Refused
// texts before it ("call office") are in the Detail of the value, for explain.
func (f *Field) readPhone(in *Input) Value {
	if in.Pending && isPending(f.numbers.country, in) {
		return pending(f.name)
	}
	country, problem := f.countryOf(in)
	var refused []string
	for i := range f.paths {
		path := &f.paths[i]
		if in.Pending && path.origin == fromLookup {
			return pending(f.name)
		}
		for _, found := range path.each(in) {
			value := f.convertPhone(found, country, problem)
			if value.State == Present {
				value.Detail = passedOver(refused)
				return value
			}
			refused = append(refused, fmt.Sprintf("%s (%s)", value.Detail, path))
		}
	}
	if len(refused) > 0 {
		return unreadable(event.ReasonBadPhone, strings.Join(refused[:min(len(refused), maxRefused)], "; "))
	}
	return f.absent(in)
}

// maxRefused bounds the texts that a detail tells about.
const maxRefused = 4

func passedOver(refused []string) string {
	if len(refused) == 0 {
		return ""
	}
	return "passed over: " + strings.Join(refused[:min(len(refused), maxRefused)], "; ")
}

// convertPhone parses a phone number. Whether a number of its country or with
// its extension may be dialled is decided by the route. The problem says why the
// contact's country cannot be read.
func (f *Field) convertPhone(v payload.Value, country, problem string) Value {
	text, ok := Scalar(v)
	if _, isBool := v.(bool); !ok || isBool {
		return unreadable(event.ReasonBadPhone, "found "+Describe(v)+" where a phone number belongs")
	}
	number, err := phone.Parse(f.phoneText(text), phone.Options{
		Country: country, Region: f.numbers.region, AllowExtension: true,
		Plus: f.numbers.plus, TrunkOptional: f.numbers.trunkOptional,
	})
	var refused *phone.Error
	switch {
	case errors.As(err, &refused) && refused.Reason == phone.NoRegion && problem != "":
		return unreadable(event.ReasonBadPhone, err.Error()+": "+problem)
	case err != nil:
		return unreadable(event.ReasonBadPhone, err.Error())
	}
	plain := number.E164.Reveal()
	return Value{Typed: plain, Text: plain, Phone: &number}
}

// phoneText is the text of a number without markup and invisible characters. A blank
// before it stays: it may be a + that a form did not escape.
func (f *Field) phoneText(text string) string {
	plain := plainText(text, f.source.KeepMarkup)
	if strings.HasPrefix(text, " ") {
		return " " + plain
	}
	return plain
}

// countryMembers are the members of an object in which CRMs write a country.
var countryMembers = []string{"code", "iso", "iso2", "iso3", "iso_code", "country", "country_code", "countryCode", "alpha2", "alpha3", "name", "value", "label"}

// unknownCountry is no country: a number without a calling code is refused.
const unknownCountry = "?"

// countryOf is the contact's country as the CRM writes it, or "" if it has none. A
// country that is there but cannot be read is not a missing one: then the problem
// says why, and the region of the field is not used.
func (f *Field) countryOf(in *Input) (country, problem string) {
	for i := range f.numbers.country {
		path := &f.numbers.country[i]
		found, ok := path.find(in)
		if !ok {
			continue
		}
		if text, ok := countryText(found); ok && phone.IsCountry(text) {
			return text, ""
		}
		return unknownCountry, fmt.Sprintf("found %s where a country belongs (%s)", Describe(found), path)
	}
	return "", ""
}

// countryText returns the text of a country: a single value, the only value of a
// list, or the members of an object that name the same country.
func countryText(v payload.Value) (string, bool) {
	switch v := v.(type) {
	case []any:
		if len(v) == 1 {
			return countryText(v[0])
		}
		return "", false
	case map[string]any:
		found := ""
		for _, name := range countryMembers {
			text, isText := v[name].(string)
			region, ok := phone.Country(text)
			if !isText || !ok || region == found {
				continue
			}
			if found != "" {
				return "", false
			}
			found = region
		}
		return found, found != ""
	case bool:
		return "", false
	}
	text, ok := Scalar(v)
	return strings.TrimSpace(text), ok
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
