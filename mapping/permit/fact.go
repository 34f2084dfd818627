package permit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/phone"
	"callbridge/mapping/zone"
	"callbridge/policy"
	"callbridge/policy/place"
	"callbridge/untrusted"
)

// Person names the fields that say where the person is; empty for none.
type Person struct{ timezone, country, region, postalCode string }

// ReadPerson reads person: of a source, of which keys are the keys. Names are the fields of
// the source.
func ReadPerson(keys config.Object, names *field.Set) (p Person) {
	n, ok := keys.Get("person")
	if !ok {
		return p
	}
	members, _ := n.Known(config.PersonKeys)
	for key, name := range map[string]*string{"timezone": &p.timezone, "country": &p.country, "region": &p.region, "postal_code": &p.postalCode} {
		n, ok := members.Get(key)
		if !ok {
			continue
		}
		if *name = n.PlainText(); !names.Declares(*name) {
			n.Problem(fmt.Sprintf("undeclared name %q", *name), config.SuggestField(*name, names.Names()))
			*name = ""
		}
	}
	return p
}

// Timezone is the field with the person's time zone; empty for none.
func (p Person) Timezone() string { return p.timezone }

// Names are the fields that say where the person is.
func (p Person) Names() []string {
	return slices.DeleteFunc([]string{p.timezone, p.country, p.region, p.postalCode}, func(name string) bool { return name == "" })
}

// Of returns what an event says about where the person is, in the words of the CRM. A
// value that cannot be read is not a missing one.
func (p Person) Of(values *field.Values) event.Person {
	text := func(name string) string {
		if name == "" {
			return ""
		}
		switch got := values.Get(name); got.State {
		case field.Present:
			return got.Text
		case field.Unreadable:
			return unreadable
		}
		return ""
	}
	return event.Person{Timezone: text(p.timezone), Country: text(p.country), Region: text(p.region), PostalCode: text(p.postalCode)}
}

// unreadable stands for a value that a CRM has and that cannot be read. It is no zone, no
// country and no state.
const unreadable = "?"

// NeedsPlace reports whether it matters for a purpose where the person is.
func (p Policy) NeedsPlace(purpose policy.Purpose) bool {
	return !p.For(purpose).AnyTime || p.limits.DayCap > 0
}

// Facts are what a request itself says, for a call to a number. Nobody is asked, so calls,
// stops and the do-not-call list are not among them. The fields that the CRM has for people
// who must not be called were asked at the decision.
func (p Policy) Facts(r *event.Request, to event.Phone) policy.Facts {
	f := policy.Facts{Request: r.ID.String(), DoNotCall: policy.No, Expires: p.expires(r.Event)}
	switch r.Consent {
	case string(policy.Yes):
		f.Consent = policy.Yes
	case string(policy.No):
		f.Consent = policy.No
	}
	places, err := p.places(r.Person, to)
	if err != nil {
		f.Nowhere = untrusted.Cut(untrusted.Redact(untrusted.Line(err.Error())), maxNowhere)
		return f
	}
	f.Places = places
	return f
}

// maxNowhere is how many characters are kept of why it is not known where a person is.
const maxNowhere = 120

// expires is when a call about the event is too late. The time at which the webhook came
// in counts for an event without a time, or with one that is later.
func (p Policy) expires(e event.Event) time.Time {
	if p.Expire == 0 {
		return time.Time{}
	}
	happened := e.Time
	if happened.IsZero() || happened.After(e.Received) && !e.Received.IsZero() {
		happened = e.Received
	}
	if happened.IsZero() {
		return time.Time{}
	}
	return happened.Add(p.Expire)
}

// places are all places where the person may be. What is said and cannot be understood is
// an error.
func (p Policy) places(person event.Person, to event.Phone) ([]policy.Place, error) {
	var of place.Person
	if parsed, err := phone.Parse(to.Reveal(), phone.Options{}); err == nil && p.asks(fromNumber) {
		of.Number, of.NumberCountry = to.Reveal(), parsed.Region
	}
	if text := strings.TrimSpace(person.Timezone); text != "" && p.asks(fromTimezone) {
		found, ok := zone.Find(text)
		if !ok || found.String() == "" {
			return nil, fmt.Errorf("the time zone %q cannot be understood", text)
		}
		of.Zone = found.String()
	}
	if p.asks(fromAddress) {
		if err := addAddress(&of, person); err != nil {
			return nil, err
		}
	}
	if of.State == "" && of.Country == of.NumberCountry {
		// The country alone says nothing that the number does not say.
		number := of
		number.Country = ""
		if places, err := place.Of(number); err != nil || len(places) > 0 {
			return places, err
		}
	}
	return place.Of(of)
}

// addAddress adds the country and the state of the address. A state without a country is
// one of the number's country.
func addAddress(of *place.Person, person event.Person) error {
	text := strings.TrimSpace(person.Country)
	country, ok := phone.Country(text)
	if text != "" && !ok {
		return errors.New("the country of the person cannot be understood")
	}
	of.Country, of.State = country, strings.TrimSpace(person.Region)
	if country == "" && of.State != "" {
		of.Country = of.NumberCountry
	}
	return nil
}
