package mapping

import (
	"math"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// bound is a number that a field has to be above, below or equal to for a rule to
// hold. To look at it takes a fiftieth of the time of the rule.
type bound struct {
	field    string
	index    int // of the field, in Source.index
	operator string
	than     float64
}

// turned is what an operator is where its sides change places.
var turned = map[string]string{
	operators.Equals: operators.Equals,
	operators.Less:   operators.Greater, operators.Greater: operators.Less,
	operators.LessEquals: operators.GreaterEquals, operators.GreaterEquals: operators.LessEquals,
}

// bound reads field >= 5 and 5 <= field.
func (r *rule) bound(e ast.Expr) (bound, bool) {
	if e.Kind() != ast.CallKind {
		return bound{}, false
	}
	call := e.AsCall()
	back, ok := turned[call.FunctionName()]
	if !ok {
		return bound{}, false
	}
	field, literal, operator := call.Args()[0], call.Args()[1], call.FunctionName()
	if field.Kind() == ast.LiteralKind {
		field, literal, operator = literal, field, back
	}
	if field.Kind() != ast.IdentKind || !r.source.declares(field.AsIdent()) || literal.Kind() != ast.LiteralKind {
		return bound{}, false
	}
	than, ok := doubleOf(literal)
	return bound{field.AsIdent(), r.source.index[field.AsIdent()], operator, than}, ok
}

// doubleOf reads a number that a double holds exactly.
func doubleOf(literal ast.Expr) (float64, bool) {
	switch number := literal.AsLiteral().(type) {
	case types.Double:
		return float64(number), !math.IsNaN(float64(number))
	case types.Int:
		return float64(number), number >= -1<<53 && number <= 1<<53
	default:
		return 0, false
	}
}

// admits reports whether the rule may hold as far as its bounds go.
func (r *rule) admits(read *reader) bool {
	if r == nil {
		return true
	}
	for i := range r.bounds {
		if !r.bounds[i].admits(read) {
			return false
		}
	}
	return true
}

// admits reports whether the rule may hold. A number that is not there, or more
// exact than a double, is the rule's own matter.
func (b *bound) admits(r *reader) bool {
	number, ok := r.at(b.index, b.field).rule.(types.Double)
	if !ok {
		return true
	}
	value := float64(number)
	switch b.operator {
	case operators.Less:
		return value < b.than
	case operators.LessEquals:
		return value <= b.than
	case operators.Greater:
		return value > b.than
	case operators.GreaterEquals:
		return value >= b.than
	default:
		return value == b.than
	}
}
