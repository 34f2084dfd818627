package field

import (
	"fmt"
	"slices"
	"strings"

	"callbridge/event"
	"callbridge/mapping/payload"
)

// isFlag reports whether the field is read as a flag: an opt-out, for which a text
// that cannot be understood is not a missing one.
func (f *Field) isFlag() bool {
	return f.kind == TypeBool && (f.anyTrue || f.trueUnless != nil || f.empty != nil)
}

// readFlag returns the first value of the paths, or, with any_true, whether one of
// them is true. A value that is unreadable is the field's, unless another is true.
func (f *Field) readFlag(in *Input) Value {
	var seen []Value
	for i := range f.paths {
		path := &f.paths[i]
		if in.Pending && path.origin == fromLookup {
			seen = append(seen, pending(f.name))
		} else {
			for _, found := range path.every(in) {
				value := f.flagOf(found)
				if value.State == Unreadable {
					value.Detail = fmt.Sprintf("%s (%s)", value.Detail, path)
				}
				if value.State != Missing {
					seen = append(seen, value)
				}
			}
		}
		if len(seen) > 0 && !f.anyTrue {
			return seen[0]
		}
	}
	if len(seen) == 0 {
		return f.absent(in)
	}
	return worst(seen)
}

// worst is a true one of the values; else one that may be true; else a false one.
func worst(values []Value) Value {
	rank := func(v Value) int {
		switch {
		case v.State == Present && v.Typed == true:
			return 3
		case v.State == Unreadable:
			return 2
		case v.State == Pending:
			return 1
		}
		return 0
	}
	found := values[0]
	for _, v := range values[1:] {
		if rank(v) > rank(found) {
			found = v
		}
	}
	return found
}

// flagOf converts one value. Null, a blank and an empty list are what CRMs send for a
// flag that is not set: empty: says what they mean. With true_unless, markup, an
// unfilled placeholder or a word for no value is a text like every other.
func (f *Field) flagOf(v payload.Value) Value {
	text, ok := v.(string)
	list, isList := v.([]any)
	switch {
	case v != nil && !(ok && strings.TrimSpace(text) == "") && !(isList && len(list) == 0):
	case f.empty != nil:
		return boolValue(*f.empty)
	default:
		return missing("empty")
	}
	if !ok || f.trueUnless == nil {
		value := f.convert(v, nil)
		if value.State == Missing {
			return unreadable(event.ReasonBadField, "found "+Describe(v)+" where "+f.kind+" belongs")
		}
		return value
	}
	if plain := plainText(text, f.source.KeepMarkup); plain != "" {
		text = plain
	}
	value, _ := f.boolOf(text)
	return boolValue(value)
}

// every returns the values at the path, whatever they say.
func (p *Path) every(in *Input) []payload.Value {
	var all []payload.Value
	if p.many {
		all = p.allRaw(in)
	} else if found, ok := p.raw(in); ok {
		all = []payload.Value{found}
	}
	return slices.DeleteFunc(all, func(v payload.Value) bool { return p.wraps && isObject(v) })
}
