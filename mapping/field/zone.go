package field

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/mapping/config"
	"callbridge/mapping/zone"
)

// Zone is a time zone: a fixed one, or the one that a value of the event names.
type Zone struct {
	fixed *time.Location
	paths []Path
}

// ReadZone reads zone: a name such as Europe/Berlin, or paths with their origin, such
// as body:timezone. A path without it could be a name with a typing error.
func ReadZone(n config.Node) (z Zone) {
	for _, item := range n.Items() {
		text := item.PlainText()
		location, known := zone.Find(text)
		origin, _, _ := strings.Cut(text, ":")
		switch {
		case known && n.Kind() != config.List:
			return Zone{fixed: location}
		case !slices.Contains(origins, origin):
			item.Problem(strconv.Quote(text)+" is not a time zone", "for example Europe/Berlin; if a value of the webhook has the zone, write its path with body: before it, such as body:timezone")
		default:
			z.paths = append(z.paths, readPaths(item)...)
		}
	}
	return z
}

func (z Zone) isSet() bool { return z.fixed != nil || len(z.paths) > 0 }

// Location returns the zone of an event: nil if it has none, and a problem if its
// zone cannot be read.
func (z Zone) Location(in *Input) (location *time.Location, problem string) {
	if z.fixed != nil {
		return z.fixed, ""
	}
	for i := range z.paths {
		found, ok := z.paths[i].find(in)
		if !ok {
			continue
		}
		if text, ok := Scalar(found); ok {
			if location, ok = zone.Find(text); ok {
				return location, ""
			}
		}
		return nil, "found " + Describe(found) + " where a time zone belongs (" + z.paths[i].String() + ")"
	}
	return nil, ""
}
