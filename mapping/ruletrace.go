package mapping

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"callbridge/event"
)

// parts evaluates the whole rule, what Map leaves out because the answer is
// clear included, and returns its parts in the order in which they are written.
func (r *rule) parts(read *reader) []RulePart {
	if r == nil {
		return nil
	}
	program, err := r.source.env.Program(r.ast, cel.CostLimit(ruleCost),
		cel.EvalOptions(cel.OptTrackState, cel.OptExhaustiveEval))
	if err != nil {
		return nil
	}
	_, details, _ := program.Eval(activation{read})
	if details == nil {
		return nil
	}
	written, issues := r.source.env.Parse(r.text) // without what numbers.fix changed
	if issues.Err() != nil {
		return nil
	}
	native := written.NativeRep()
	var parts []RulePart
	for _, e := range conditions(native.Expr(), operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot) {
		text, err := cel.ExprToString(e, native.SourceInfo())
		if err != nil {
			continue
		}
		value, ok := details.State().Value(e.ID())
		if !ok && e.Kind() == ast.LiteralKind {
			value, ok = e.AsLiteral(), true
		}
		if ok {
			parts = append(parts, RulePart{Text: text, Value: shown(value)})
		}
	}
	return parts
}

// conditions are the parts between these operators, in the order in which they
// are written.
func conditions(e ast.Expr, between ...string) []ast.Expr {
	if e.Kind() != ast.CallKind || !slices.Contains(between, e.AsCall().FunctionName()) {
		return []ast.Expr{e}
	}
	var parts []ast.Expr
	for _, arg := range e.AsCall().Args() {
		parts = append(parts, conditions(arg, between...)...)
	}
	return parts
}

// shown is true, false, or why it is neither.
func shown(value ref.Val) string {
	switch value := value.(type) {
	case *types.Unknown:
		return "unknown: " + strings.Join(unknownFields(value), ", ")
	case *types.Err:
		return "error: " + event.Redact(value.Error())
	default:
		return fmt.Sprint(value.Value())
	}
}
