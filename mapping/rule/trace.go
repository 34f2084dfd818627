package rule

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"callbridge/untrusted"
)

// Part is a part of a rule between &&, || and !, with its value: true, false, or
// why it is neither.
type Part struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// Parts evaluates every part of the rule, also those that Evaluate skips because
// the result is already certain, and returns them in the order of the text.
func (r *Rule) Parts(values Values) []Part {
	if r == nil {
		return nil
	}
	program, err := r.environment.env.Program(r.ast, cel.CostLimit(costLimit),
		cel.EvalOptions(cel.OptTrackState, cel.OptExhaustiveEval))
	if err != nil {
		return nil
	}
	_, details, _ := program.Eval(activation{r.environment, values})
	if details == nil {
		return nil
	}
	written, issues := r.environment.env.Parse(r.text) // without the changes of fixNumbers
	if issues.Err() != nil {
		return nil
	}
	native := written.NativeRep()
	var parts []Part
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
			parts = append(parts, Part{Text: text, Value: describe(value)})
		}
	}
	return parts
}

// conditions are the operands of these operators, in the order of the text.
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

func describe(value ref.Val) string {
	switch value := value.(type) {
	case *types.Unknown:
		return "unknown: " + strings.Join(unknownNames(value), ", ")
	case *types.Err:
		return "error: " + untrusted.Redact(value.Error())
	default:
		return fmt.Sprint(value.Value())
	}
}
