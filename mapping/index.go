package mapping

import (
	"maps"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// routeIndex finds the routes of a source whose rules may hold for an event.
// Who has a thousand routes has one for each owner, stage or country, and an
// event has one of these: the other rules are false without being asked, since
// in CEL false && x is false even where x is unknown or an error. Where the
// field itself is not there, they are asked: undecided is not false.
type routeIndex struct {
	// splits have no route in common.
	splits []split
	// others are the routes of no split: every event is held against them, or at
	// least against their bounds.
	others []*binding
	// bounded says that some want a number within bounds.
	bounded bool
}

// split is routes whose rules want a value of one field, in the file's order.
type split struct {
	field   string
	byValue map[string][]*binding // a route may stand under several values
	all     []*binding
}

// fewRoutes are not worth a split: to look a value up takes as long as a rule.
const fewRoutes = 2

// candidates returns the routes that may take the event, in the file's order.
func (x *routeIndex) candidates(r *reader) []*binding {
	candidates, mixed := x.others, false
	for i := range x.splits {
		found := x.splits[i].routes(r)
		switch {
		case len(candidates) == 0:
			candidates = found
		case len(found) > 0:
			candidates, mixed = slices.Concat(candidates, found), true
		}
	}
	if mixed {
		slices.SortFunc(candidates, func(a, b *binding) int { return a.position - b.position })
	}
	return x.within(r, candidates)
}

// within leaves out the routes that want other numbers than the event has.
func (x *routeIndex) within(r *reader, routes []*binding) []*binding {
	if !x.bounded {
		return routes
	}
	left := make([]*binding, 0, min(len(routes), 8))
	for _, b := range routes {
		if b.rule.admits(r) {
			left = append(left, b)
		}
	}
	return left
}

func (s *split) routes(r *reader) []*binding {
	value := r.read(s.field)
	if text, ok := value.rule.(types.String); ok && value.state == there {
		return s.byValue[string(text)]
	}
	return s.all
}

func newRouteIndex(routes []*binding) *routeIndex {
	x := &routeIndex{others: slices.Clone(routes)}
	tests := make(map[*binding]map[string][]string, len(routes))
	for _, b := range routes {
		if b.rule != nil {
			tests[b] = b.rule.texts
			x.bounded = x.bounded || len(b.rule.bounds) > 0
		}
	}
	for {
		s := finest(x.others, tests)
		if s == nil {
			return x
		}
		x.splits = append(x.splits, *s)
		x.others = slices.DeleteFunc(x.others, func(b *binding) bool {
			_, split := tests[b][s.field]
			return split
		})
	}
}

// finest is the split by the field of which the routes want most values; nil if
// none is worth it.
func finest(routes []*binding, tests map[*binding]map[string][]string) *split {
	splits := map[string]*split{}
	for _, b := range routes {
		for field, values := range tests[b] {
			if splits[field] == nil {
				splits[field] = &split{field: field, byValue: map[string][]*binding{}}
			}
			splits[field].add(b, values)
		}
	}
	var best *split
	for _, field := range slices.Sorted(maps.Keys(splits)) {
		s := splits[field]
		if len(s.all) >= fewRoutes && (best == nil || len(s.byValue) > len(best.byValue)) {
			best = s
		}
	}
	return best
}

func (s *split) add(b *binding, values []string) {
	s.all = append(s.all, b)
	for _, value := range slices.Compact(slices.Sorted(slices.Values(values))) {
		s.byValue[value] = append(s.byValue[value], b)
	}
}

// findTests notes, by field, the texts of which an event that has the field must
// have one, and the bounds of its numbers: what stands between the rule's && and
// compares a field with literals. A rule that is stopped when it costs too much may fail before it comes to a
// test. Tests themselves cost a unit or two for each character, so those that
// it begins with are come to.
func (r *rule) findTests() {
	if r.limited && len(r.text) > ruleCost/10 {
		return
	}
	r.texts = map[string][]string{}
	for _, part := range conditions(r.ast.NativeRep().Expr(), operators.LogicalAnd) {
		if field, texts, ok := r.test(part); ok {
			r.texts[field] = texts
		} else if want, ok := r.bound(part); ok {
			r.bounds = append(r.bounds, want)
		} else if r.limited {
			break
		}
	}
}

// test reads field == "a", "a" == field, field in ["a", "b"], and an || of these
// for one field.
func (r *rule) test(e ast.Expr) (field string, texts []string, ok bool) {
	if e.Kind() != ast.CallKind {
		return "", nil, false
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalOr:
		for i, part := range conditions(e, operators.LogicalOr) {
			name, more, ok := r.test(part)
			if !ok || i > 0 && name != field {
				return "", nil, false
			}
			field, texts = name, append(texts, more...)
		}
		return field, texts, true
	case operators.Equals:
		if args[0].Kind() == ast.LiteralKind {
			return r.isOneOf(args[1], args[:1])
		}
		return r.isOneOf(args[0], args[1:])
	case operators.In:
		if args[1].Kind() == ast.ListKind {
			return r.isOneOf(args[0], args[1].AsList().Elements())
		}
	}
	return "", nil, false
}

func (r *rule) isOneOf(field ast.Expr, literals []ast.Expr) (string, []string, bool) {
	if field.Kind() != ast.IdentKind || !r.source.declares(field.AsIdent()) {
		return "", nil, false
	}
	texts := make([]string, len(literals))
	for i, literal := range literals {
		if literal.Kind() != ast.LiteralKind {
			return "", nil, false
		}
		text, ok := literal.AsLiteral().(types.String)
		if !ok {
			return "", nil, false
		}
		texts[i] = string(text)
	}
	return field.AsIdent(), texts, true
}
