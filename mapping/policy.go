package mapping

import (
	"callbridge/mapping/config"
	"callbridge/mapping/field"
)

// Policy restricts which numbers may be called.
type Policy struct {
	// Countries are the ISO 3166 codes of the countries whose numbers may be dialled,
	// as in phone.Options.Regions. Empty means all: that is allowed only for routes
	// that are not live.
	Countries []string
}

// readPolicy reads policy:. Keys that are missing are those of base.
func readPolicy(at config.Node, base Policy) Policy {
	p := base
	keys, ok := at.Known(config.PolicyKeys)
	if !ok {
		return p
	}
	if n, ok := keys.Get("countries"); ok {
		p.Countries = nil
		for _, item := range n.Items() {
			p.Countries = append(p.Countries, field.ReadRegion(item))
		}
		if len(p.Countries) == 0 {
			n.Problem("names no country", "for example [US, CA]")
		}
	}
	return p
}
