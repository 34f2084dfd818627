package field

// Place is where a value is read from: its origin, such as header or body, and the
// name or path there.
type Place struct{ Origin, Name string }

// The origins of a Place that are not in the body of an event.
const (
	OriginHeader = fromHeader
	OriginQuery  = fromQuery
	OriginBody   = fromBody
	OriginRoot   = fromRoot
)

// Places returns every place that the value may be read from.
func (e Expression) Places() []Place {
	var all []Place
	for _, parts := range e {
		all = append(all, places(parts)...)
	}
	return all
}

// Alternatives returns the places of each alternative.
func (e Expression) Alternatives() [][]Place {
	all := make([][]Place, len(e))
	for i, parts := range e {
		all[i] = places(parts)
	}
	return all
}

// Places returns every place that the value of a name may be read from.
func (s *Set) Places(name string) []Place {
	if f, ok := s.fields[name]; ok {
		return append(places(f.paths), places(f.numbers.country)...)
	}
	return map[string]Expression{NameType: s.Type, NameTime: s.Time}[name].Places()
}

func places(paths []Path) []Place {
	all := make([]Place, len(paths))
	for i, p := range paths {
		all[i] = Place{Origin: p.origin, Name: p.name}
	}
	return all
}
