// Package field turns an event into typed values: value paths (body:contact.id,
// header:X-Id) find a value in the input, and a field converts it to its type:
// text, number, time, phone number, and so on. Each declared name is read at
// most once for an event, and only if a rule or a call needs it.
//
//   - field.go: fields: of a source, their keys, and the set of all names
//   - path.go: value paths, and the expressions of key:, type:, time: and version:
//   - input.go: what the values of an event are read from; which texts count as missing
//   - value.go: the values of one event: present, missing, unreadable or pending
//   - convert.go: text, number, bool, country and list
//   - time.go: time formats
//   - phone.go: phone numbers and regions
//
// A value that is missing, or that cannot be read as its type, is never
// guessed: it stays missing or unreadable, with a reason. The package knows
// neither rules nor calls.
package field

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/payload"
)

// Types of a field. A new type needs: its name here and in config.FieldKeys, a
// case in convert (phone numbers are read in readPhone, because they need the
// country), and, if rules see it as another type than text, a case in
// Environment.celType (mapping/rule/environment.go).
const (
	TypeString  = "string"
	TypeNumber  = "number"
	TypeBool    = "bool"
	TypeTime    = "time"
	TypePhone   = "phone"
	TypeCountry = "country"
	TypeList    = "list"
)

// The built-in names, which every event has.
const (
	NameSource = "source"
	NameKey    = "key"
	NameType   = "type"
	NameTime   = "time"
)

var builtinNames = []string{NameSource, NameKey, NameType, NameTime}

// Field is one declared name.
type Field struct {
	name     string
	kind     string
	paths    []Path
	optional bool
	// fallback replaces a missing value, but never an unreadable one: a default
	// could be the answer that allows a call.
	fallback *Value
	// numbers is for type phone.
	numbers numbering
	join    *string
	// separator splits a text into a list; empty for no splitting.
	separator string
	formats   []string
	// zone is for type time: where times without an offset are.
	zone Zone
	// decimal is for type number: "." or ",", or "" for no thousands separators.
	decimal string
	// words and trueUnless are for type bool.
	words      Words
	trueUnless []string
	// anyTrue: the field is true if one of its paths is.
	anyTrue bool
	// empty is what null or a blank at a path means; nil if it is missing.
	empty *bool
	// table has the names of ids; firstWord takes only the first word of a text.
	table     map[string]string
	firstWord bool
	source    *Defaults
}

// Defaults are what a source says for all of its fields.
type Defaults struct {
	// KeepMarkup leaves HTML in texts; KeepPlaceholders takes a merge tag that the
	// CRM has not filled in for a value.
	KeepMarkup, KeepPlaceholders bool
	Words                        Words
	// Zone is that of times without an offset.
	Zone Zone
	// Tables have the names of ids, by the name of the table.
	Tables map[string]map[string]string
}

// celWords are words of CEL, which no field can have as its name.
var celWords = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in",
	"let", "loop", "package", "namespace", "null", "return", "true", "var", "void", "while",
	"bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "uint",
}

// ReadFields reads fields: of a preset and of the source that uses it. A field of
// the source with a path replaces the preset's and keeps only its type; without one it
// changes only the keys that it has, such as the region of a phone number.
func ReadFields(source *Defaults, layers ...config.Node) []*Field {
	var order []string
	names, merged := map[string]config.Node{}, map[string]config.Object{}
	for _, layer := range layers {
		named, ok := layer.Object()
		if !ok {
			continue
		}
		for _, name := range named.Keys {
			keys, _ := named.Value(name).Known(config.FieldKeys)
			base, exists := merged[name]
			_, hasPath := keys.Get("path")
			_, hasType := keys.Get("type")
			kind, hadType := base.Get("type")
			switch {
			case exists && !hasPath:
				keys = base.Overlay(keys)
			case exists && hadType && !hasType && !keys.IsZero():
				keys = keys.With("type", kind)
			}
			if !exists {
				order = append(order, name)
			}
			names[name], merged[name] = named.Name(name), keys
		}
	}
	fields := make([]*Field, 0, len(order))
	for _, name := range order {
		if merged[name].IsZero() {
			continue // not a mapping, which is a problem already
		}
		checkName(names[name], name)
		fields = append(fields, readField(name, merged[name], source))
	}
	return fields
}

func checkName(at config.Node, name string) {
	switch {
	case slices.Contains(builtinNames, name):
		at.Problem("the field name "+strconv.Quote(name)+" is taken", "source, key, type and time are built in")
	case slices.Contains(celWords, name):
		at.Problem("the field name "+strconv.Quote(name)+" is a word of the rule language", "")
	case !config.FieldName.MatchString(name):
		at.Problem("a field name is a-z, 0-9 and _, and begins with a letter", "")
	}
}

func readField(name string, keys config.Object, source *Defaults) *Field {
	f := &Field{name: name, kind: TypeString, source: source}
	if _, ok := keys.Get("type"); ok {
		f.kind = keys.OneOf("type")
	}
	if n, ok := keys.Get("path"); ok {
		f.paths = readPaths(n)
	} else {
		keys.At.Problem(`"path" is missing`, "say where the value is, for example contact.phone")
	}
	if n, ok := keys.Get("optional"); ok {
		f.optional = n.Bool()
	}
	f.readTypeKeys(keys)
	if n, ok := keys.Get("default"); ok {
		f.readDefault(n)
	}
	return f
}

// readTypeKeys reads the keys that only one type has.
func (f *Field) readTypeKeys(keys config.Object) {
	only := func(key, kind string) (config.Node, bool) {
		n, ok := keys.Get(key)
		if ok && f.kind != kind && f.kind != "" {
			n.Problem("is only for type "+kind+", and this field is "+f.kind, "")
			return n, false
		}
		return n, ok
	}
	f.numbers.read(keys, only)
	if n, ok := only("join", TypeString); ok {
		text := n.PlainText()
		f.join = &text
	}
	if n, ok := only("separator", TypeList); ok {
		if f.separator = n.PlainText(); f.separator == "" {
			n.Problem("separator: is empty", "")
		}
	}
	if n, ok := only("format", TypeTime); ok {
		f.formats = ReadTimeFormats(n)
	}
	if n, ok := only("zone", TypeTime); ok {
		f.zone = ReadZone(n)
	}
	f.readWords(keys, only)
}

// readWords reads the keys that say how texts are converted.
func (f *Field) readWords(keys config.Object, only func(key, kind string) (config.Node, bool)) {
	if _, ok := only("decimal", TypeNumber); ok {
		f.decimal = keys.OneOf("decimal")
	}
	_, hasTrue := only("true_words", TypeBool)
	_, hasFalse := only("false_words", TypeBool)
	if hasTrue || hasFalse {
		f.words = ReadWords(keys)
	}
	if n, ok := only("true_unless", TypeBool); ok {
		for _, word := range n.PlainTexts() {
			f.trueUnless = append(f.trueUnless, NormalWord(word))
		}
	}
	if n, ok := only("any_true", TypeBool); ok {
		f.anyTrue = n.Bool()
	}
	if n, ok := only("empty", TypeBool); ok {
		empty := n.Bool()
		f.empty = &empty
	}
	if _, ok := only("take", TypeString); ok {
		f.firstWord = keys.OneOf("take") == "first_word"
	}
	if n, ok := keys.Get("table"); ok {
		name := n.PlainText()
		if f.table, ok = f.source.Tables[name]; !ok {
			n.Problem("there is no table "+strconv.Quote(name), "write it under tables: of the source")
		}
		if f.kind != TypeString && f.kind != TypeList {
			n.Problem("is only for type string and list, and this field is "+f.kind, "")
		}
	}
}

// readDefault converts the default as if the CRM had sent it.
func (f *Field) readDefault(n config.Node) {
	if f.kind == TypePhone {
		n.Problem("a phone number has no default", "a person unrelated to the event would be called")
		return
	}
	if f.kind == TypeString {
		text := textValue(n.PlainText())
		f.fallback = &text
		return
	}
	var value payload.Value
	if f.kind == TypeList {
		var items []any
		for _, text := range n.PlainTexts() {
			items = append(items, text)
		}
		value = items
	} else {
		value = n.PlainText()
	}
	converted := f.convert(value, nil)
	if converted.State != Present && f.kind != "" {
		n.Problem("the default is not a valid "+f.kind+": "+converted.Detail, "")
		return
	}
	f.fallback = &converted
}

// read finds and converts the field's value.
func (f *Field) read(in *Input) Value {
	if f.kind == TypePhone {
		return f.readPhone(in)
	}
	if f.isFlag() {
		return f.readFlag(in)
	}
	if in.Pending && (isPending(f.paths, in) || isPending(f.zone.paths, in)) {
		return pending(f.name)
	}
	for i := range f.paths {
		path := &f.paths[i]
		found, ok := path.find(in)
		if !ok {
			continue
		}
		value := f.convertAt(path, found, in)
		if value.State == Missing {
			continue // nothing but markup
		}
		if value.State == Unreadable {
			value.Detail = fmt.Sprintf("%s (%s)", value.Detail, path)
		}
		return value
	}
	return f.absent(in)
}

// absent is the value of a field that no path has: its default, or that it is
// missing.
func (f *Field) absent(in *Input) Value {
	if f.fallback != nil {
		return *f.fallback
	}
	names := make([]string, len(f.paths))
	for i := range f.paths {
		names[i] = f.paths[i].String()
	}
	detail := "nothing at " + strings.Join(names, ", ")
	for i := range f.paths {
		if text, ok := f.paths[i].rawText(in); ok {
			detail = "found " + Describe(text) + ", which stands for no value (" + f.paths[i].String() + ")"
			break
		}
		detail += f.paths[i].obstacle(in)
	}
	if in.NoLookup != "" && useLookup(f.paths) {
		detail += "; no lookup: " + in.NoLookup
	}
	return missing(detail)
}

// isPending reports whether the answer of the lookup may bring the value: no
// earlier path has one.
func isPending(paths []Path, in *Input) bool {
	for i := range paths {
		if paths[i].origin == fromLookup {
			return true
		}
		if _, ok := paths[i].find(in); ok {
			return false
		}
	}
	return false
}

// convertAt converts the value at a path. Of the values of a path with [*], a
// list takes all, join concatenates all, and other fields take the first.
func (f *Field) convertAt(path *Path, found payload.Value, in *Input) Value {
	switch {
	case path.many && f.kind == TypeList:
		return f.convert([]any(path.all(in)), nil)
	case f.join != nil:
		values := []payload.Value{found}
		if path.many {
			values = path.all(in)
		}
		texts, problem := f.flatten(values)
		if problem != "" {
			return unreadable(event.ReasonBadField, problem)
		}
		return textValue(strings.Join(texts, *f.join))
	}
	location, problem := f.location(in)
	if problem != "" {
		return unreadable(event.ReasonBadField, problem)
	}
	return f.convert(found, location)
}

// location is where the times of the field are that have no offset.
func (f *Field) location(in *Input) (*time.Location, string) {
	switch {
	case f.kind != TypeTime:
		return nil, ""
	case f.zone.isSet():
		return f.zone.Location(in)
	}
	return f.source.Zone.Location(in)
}

// Set is the names that the rules and calls of one source may use: the built-in
// names and the declared fields. It is safe for concurrent use.
type Set struct {
	// Type and Time are where an event has its type and its time.
	Type, Time Expression
	// Timezone is the field with the zone of the person, in which times are spoken;
	// empty for none.
	Timezone string

	fields map[string]*Field
	names  []string
	// index is the position of each name in names.
	index map[string]int
}

// NewSet returns the names of a source, in the order of the file.
func NewSet(typ, time Expression, fields []*Field) *Set {
	s := &Set{Type: typ, Time: time, fields: map[string]*Field{}, names: slices.Clone(builtinNames), index: map[string]int{}}
	for _, f := range fields {
		s.fields[f.name] = f
		s.names = append(s.names, f.name)
	}
	for i, name := range s.names {
		s.index[name] = i
	}
	return s
}

// Names returns all names, the built-in ones first.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Declares reports whether the name may be used.
func (s *Set) Declares(name string) bool {
	_, ok := s.index[name]
	return ok
}

// TypeOf returns the type of a name.
func (s *Set) TypeOf(name string) string {
	switch f, ok := s.fields[name]; {
	case ok:
		return f.kind
	case name == NameTime:
		return TypeTime
	default:
		return TypeString
	}
}

// IsOptional reports whether a rule may do without the name.
func (s *Set) IsOptional(name string) bool {
	f, ok := s.fields[name]
	return ok && f.optional
}

// HasDefault reports whether a missing value is replaced by a default.
func (s *Set) HasDefault(name string) bool {
	f, ok := s.fields[name]
	return ok && f.fallback != nil
}

// OnlyAfterLookup reports whether the name has no value before the lookup.
func (s *Set) OnlyAfterLookup(name string) bool {
	if f, ok := s.fields[name]; ok {
		return onlyLookup(f.paths)
	}
	e := map[string]Expression{NameType: s.Type, NameTime: s.Time}[name]
	return len(e) > 0 && !slices.ContainsFunc(e, func(parts []Path) bool { return !useLookup(parts) })
}

// UsesLookup reports whether the answer of a lookup may bring the value of the name.
func (s *Set) UsesLookup(name string) bool {
	if f, ok := s.fields[name]; ok {
		return useLookup(f.paths)
	}
	return slices.ContainsFunc(map[string]Expression{NameType: s.Type, NameTime: s.Time}[name], useLookup)
}

// DeliveryValues returns, by path, the values of fields and of version that are not in
// the event but elsewhere in its delivery. They have to be stored with an event
// whose fields are read when the delivery is no longer available.
func (s *Set) DeliveryValues(version Expression, in *Input) map[string]any {
	kept := map[string]any{}
	keep := func(paths []Path) {
		for i := range paths {
			path := &paths[i]
			switch {
			case !slices.Contains([]string{fromRoot, fromHeader, fromQuery}, path.origin):
			case path.many:
				kept[path.String()] = path.all(in)
			default:
				if value, ok := path.find(in); ok {
					kept[path.String()] = value
				}
			}
		}
	}
	for f := range maps.Values(s.fields) {
		keep(f.paths)
		keep(f.numbers.country)
		keep(f.zone.paths)
		keep(f.source.Zone.paths)
	}
	for _, parts := range version {
		keep(parts)
	}
	return kept
}
