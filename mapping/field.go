package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"callbridge/mapping/payload"
)

// Types of a field.
const (
	typeString  = "string"
	typeNumber  = "number"
	typeBool    = "bool"
	typeTime    = "time"
	typePhone   = "phone"
	typeCountry = "country"
	typeList    = "list"
)

var fieldTypes = []string{typeString, typeNumber, typeBool, typeTime, typePhone, typeCountry, typeList}

// The four names that are always there.
const (
	nameSource = "source"
	nameKey    = "key"
	nameType   = "type"
	nameTime   = "time"
)

var builtinNames = []string{nameSource, nameKey, nameType, nameTime}

// field is one name that rules and calls may use.
type field struct {
	name     string
	kind     string
	places   []lookup
	optional bool
	// fallback stands for a value that is missing, never for one that is
	// unreadable: a default may be the answer that lets a call happen.
	fallback *reading
	region   string
	country  []lookup
	join     *string
	// separator cuts a text into a list; empty where it does not.
	separator string
	formats   []string
}

// fieldName is also what CEL takes as a name.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// celWords are names that mean something else in a rule.
var celWords = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in",
	"let", "loop", "package", "namespace", "null", "return", "true", "var", "void", "while",
	"bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "uint",
}

// readFields reads the fields of a preset and of the source that uses it. A
// field that names its own path takes the place of the preset's; without one it
// changes only the keys that it gives, such as the region of a phone number.
func readFields(layers ...node) []*field {
	var order []string
	names, fields := map[string]node{}, map[string]object{}
	for _, layer := range layers {
		named, ok := layer.object()
		if !ok {
			continue
		}
		for _, name := range named.keys {
			own, _ := named.values[name].known(fieldKeys)
			base, there := fields[name]
			if _, whole := own.get("path"); there && !whole {
				own = base.overlay(own)
			}
			if !there {
				order = append(order, name)
			}
			names[name], fields[name] = named.names[name], own
		}
	}
	read := make([]*field, 0, len(order))
	for _, name := range order {
		if fields[name].at.Node == nil {
			continue // no mapping, and a problem already
		}
		checkFieldName(names[name], name)
		read = append(read, readField(name, fields[name]))
	}
	return read
}

func checkFieldName(at node, name string) {
	switch {
	case slices.Contains(builtinNames, name):
		at.problem("the field name "+quote(name)+" is taken", "source, key, type and time are always there")
	case slices.Contains(celWords, name):
		at.problem("the field name "+quote(name)+" is a word of the rule language", "")
	case !fieldName.MatchString(name):
		at.problem("a field name is a-z, 0-9 and _, and begins with a letter", "")
	}
}

func readField(name string, keys object) *field {
	f := &field{name: name, kind: typeString}
	if n, ok := keys.get("type"); ok {
		f.kind = oneOf(n, fieldTypes)
	}
	if n, ok := keys.get("path"); ok {
		f.places = readPaths(n)
	} else {
		keys.at.problem(`"path" is missing`, "say where the value is, for example contact.phone")
	}
	if n, ok := keys.get("optional"); ok {
		f.optional = n.boolean()
	}
	f.readTypeKeys(keys)
	if n, ok := keys.get("default"); ok {
		f.readDefault(n)
	}
	return f
}

// readTypeKeys reads the keys that only one type has.
func (f *field) readTypeKeys(keys object) {
	only := func(key, kind string) (node, bool) {
		n, ok := keys.get(key)
		if ok && f.kind != kind && f.kind != "" {
			n.problem("is only for type "+kind+", and this field is "+f.kind, "")
			return n, false
		}
		return n, ok
	}
	if n, ok := only("region", typePhone); ok {
		f.region = readRegion(n)
	}
	if n, ok := only("country", typePhone); ok {
		f.country = readPaths(n)
	}
	if n, ok := only("join", typeString); ok {
		text := plainText(n)
		f.join = &text
	}
	if n, ok := only("separator", typeList); ok {
		if f.separator = plainText(n); f.separator == "" {
			n.problem("separator: is empty", "")
		}
	}
	if n, ok := only("format", typeTime); ok {
		f.formats = readTimeFormats(n)
	}
}

// readDefault reads the default as if the CRM had sent it.
func (f *field) readDefault(n node) {
	if f.kind == typePhone {
		n.problem("a phone number has no default", "somebody would be called who did nothing")
		return
	}
	var value payload.Value
	if f.kind == typeList {
		var items []any
		for _, text := range plainTexts(n) {
			items = append(items, text)
		}
		value = items
	} else {
		value = plainText(n)
	}
	r := f.convert(value)
	if r.state != there && f.kind != "" {
		n.problem("the default is no "+f.kind+": "+r.detail, "")
		return
	}
	f.fallback = &r
}

// read finds and converts the field's value in one event.
func (f *field) read(m *material) reading {
	if m.awaits && (awaits(f.places, m) || awaits(f.country, m)) {
		return awaitedReading(f.name)
	}
	for i := range f.places {
		place := &f.places[i]
		value, ok := place.find(m)
		if !ok {
			continue
		}
		r := f.readAt(place, value, m)
		if r.state == unreadable {
			r.detail = fmt.Sprintf("%s (%s)", r.detail, place)
		}
		return r
	}
	if f.fallback != nil {
		return *f.fallback
	}
	detail := "nothing at " + f.where()
	if m.unasked != "" && usesLookup(f.places) {
		detail += "; no look-up: " + m.unasked
	}
	return reading{state: missing, reason: reasonMissing, detail: detail}
}

// readAt converts the value at a place. Of the many values of a path with [*]
// a list takes all, join puts all together, and other fields take the first.
func (f *field) readAt(place *lookup, value payload.Value, m *material) reading {
	switch {
	case f.kind == typePhone:
		return f.convertPhone(value, f.countryOf(m))
	case place.many && f.kind == typeList:
		return f.convert([]any(place.all(m)))
	case f.join != nil:
		values := []payload.Value{value}
		if place.many {
			values = place.all(m)
		}
		texts, problem := flatten(values)
		if problem != "" {
			return odd(reasonBadField, problem)
		}
		return textReading(strings.Join(texts, *f.join))
	}
	return f.convert(value)
}

func isObject(v payload.Value) bool {
	_, ok := v.(map[string]any)
	return ok
}

func (f *field) where() string {
	names := make([]string, len(f.places))
	for i := range f.places {
		names[i] = f.places[i].String()
	}
	return strings.Join(names, ", ")
}

// String is the place as the configuration names it.
func (l *lookup) String() string { return l.origin + ":" + l.name }
