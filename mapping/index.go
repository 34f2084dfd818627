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
	// groups have no route in common.
	groups []group
	// others are the routes of no group: every event is held against them, or at
	// least against their bounds.
	others []*binding
	// bounded says that some want a number within bounds.
	bounded bool
}

// group is routes whose rules want something of one field.
type group interface {
	// routes returns those that may take the event.
	routes(r *reader) []*binding
}

// split is routes whose rules want a value of one field. A route may stand under
// several values, and under each of them on a ladder.
type split struct {
	field   string
	byValue map[string]*routeIndex
	all     []*binding
}

// fewRoutes are not worth a split: to look a value up takes as long as a rule.
const fewRoutes = 2

// candidates returns the routes that may take the event, in the file's order.
func (x *routeIndex) candidates(r *reader) []*binding {
	if len(x.groups) == 0 {
		return x.within(r, x.others)
	}
	candidates := x.collect(r)
	slices.SortFunc(candidates, func(a, b *binding) int { return a.position - b.position })
	return x.within(r, candidates)
}

// collect returns the routes that the groups leave, in no order, as a new list.
func (x *routeIndex) collect(r *reader) []*binding {
	found := slices.Clone(x.others)
	for _, g := range x.groups {
		found = append(found, g.routes(r)...)
	}
	return found
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
		if x := s.byValue[string(text)]; x != nil {
			return x.collect(r)
		}
		return nil
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
	for s := finest(x.others, tests); s != nil; s = finest(x.others, tests) {
		for _, same := range s.byValue {
			same.addLadders()
		}
		x.groups = append(x.groups, s)
		x.others = slices.DeleteFunc(x.others, func(b *binding) bool {
			_, split := tests[b][s.field]
			return split
		})
	}
	x.addLadders()
	return x
}

// finest is the split by the field of which the routes want most values; nil if
// none is worth it.
func finest(routes []*binding, tests map[*binding]map[string][]string) *split {
	splits := map[string]*split{}
	for _, b := range routes {
		for field, values := range tests[b] {
			if splits[field] == nil {
				splits[field] = &split{field: field, byValue: map[string]*routeIndex{}}
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
		if s.byValue[value] == nil {
			s.byValue[value] = &routeIndex{}
		}
		s.byValue[value].others = append(s.byValue[value].others, b)
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
