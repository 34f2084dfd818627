package field

import (
	"strconv"
	"time"

	"callbridge/mapping/config"
	"callbridge/mapping/zone"
)

// Zone is a time zone: a fixed one, or the one that a value of the event names.
type Zone struct {
	fixed *time.Location
	paths []Path
}

// ReadZone reads zone: a name such as Europe/Berlin, or the path of a value.
func ReadZone(n config.Node) Zone {
	if n.Kind() != config.List {
		if location, ok := zone.Find(n.PlainText()); ok {
			return Zone{fixed: location}
		}
	}
	z := Zone{paths: readPaths(n)}
	for i := range z.paths {
		if path := &z.paths[i]; path.origin == fromBody && looksLikeZone(path.name) {
			n.Problem(strconv.Quote(path.name)+" is not a time zone", "for example Europe/Berlin, or the path of the value that has the zone, such as body:timezone")
		}
	}
	return z
}

// looksLikeZone reports whether a path is rather a name with a typing error.
func looksLikeZone(path string) bool {
	for _, r := range path {
		if r == '/' || r == '+' {
			return true
		}
	}
	return false
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
