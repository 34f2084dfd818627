package field

import (
	"callbridge/mapping/payload"
)

// Raw returns what the event has at the paths of a name, as it was sent. It tells two
// events apart also where the values cannot be read. It is nil for the built-in names
// and for a field of type time: a CRM that repeats an event may send a new time.
func (v *Values) Raw(name string) payload.Value {
	f, ok := v.set.fields[name]
	if !ok || f.kind == TypeTime {
		return nil
	}
	var found []any
	for i := range f.paths {
		found = append(found, f.paths[i].each(v.Input))
	}
	return found
}
