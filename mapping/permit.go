package mapping

import (
	"slices"

	"callbridge/event"
	"callbridge/mapping/call"
	"callbridge/mapping/phone"
)

// Permits judges a request by the configuration in force, whoever published it: the
// number has to be of a kind and in a country that may be dialled, the route that the
// request names has to dial it today, and texts have the limits of our own calls. A
// request without a route is judged by the file's policy. The request's source is
// Event.Source, and Call is the body as it will be sent. The outcome is empty if the
// call is permitted; else detail says why not, with the number masked.
func (c *Config) Permits(r *event.Request) (outcome event.Outcome, reason event.Reason, detail string) {
	to, err := call.ToDial(r.Call)
	if err != nil {
		return event.Rejected, event.ReasonBadRequest, err.Error()
	}
	if !event.IsE164(to) {
		return event.Rejected, event.ReasonBadNumber, "call.call_to is not an E.164 number"
	}
	countries := c.policy.Countries
	needsPolicy := true
	if r.Route != "" {
		route := c.routeOf(r.Event.Source, r.Route)
		if why := route.off(to); why != "" {
			return event.Skipped, event.ReasonRouteOff, why
		}
		countries, needsPolicy = route.Policy.Countries, route.Mode != AllowList
	}
	if why := refusedNumber(to, countries, needsPolicy); why != "" {
		return event.Rejected, event.ReasonBadNumber, why
	}
	return "", "", ""
}

// routeOf returns the route of a source, or nil.
func (c *Config) routeOf(source, name string) *Route {
	for _, b := range c.bySource[source] {
		if b.route.Name == name {
			return b.route
		}
	}
	return nil
}

// off returns why the route, which may be nil, does not dial the number today; "" if it
// does.
func (r *Route) off(to string) string {
	switch {
	case r == nil:
		return "the configuration has no such route for this source"
	case !r.Enabled:
		return "the route " + r.Name + " is switched off"
	case r.Mode == DryRun:
		return "the route " + r.Name + " is in dry_run"
	case r.Mode == AllowList && !slices.Contains(r.allow, to):
		return "the number " + event.Phone(to).String() + " is not on the list of the route " + r.Name
	}
	return ""
}

// refusedNumber returns why a number in E.164 must not be dialled, or "".
func refusedNumber(to string, countries []string, needsPolicy bool) string {
	if needsPolicy && len(countries) == 0 {
		return "no country may be dialled; write policy: {countries: [US, CA]} in callbridge.yaml"
	}
	number, err := phone.Parse(to, phone.Options{Regions: countries})
	switch {
	case err != nil:
		return err.Error()
	case number.E164.Reveal() != to:
		return "call.call_to is not written in E.164"
	}
	return ""
}

// CountryOf is the ISO 3166 code of a number's country, or "" if it is not known.
func CountryOf(number event.Phone) string {
	n, err := phone.Parse(number.Reveal(), phone.Options{})
	if err != nil {
		return ""
	}
	return n.Region
}
