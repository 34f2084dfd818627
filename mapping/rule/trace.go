package rule

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"callbridge/untrusted"
)

// Part is a part of a rule between && and ||, with its value: true, false, or why it
// is neither. A part with ! before it is shown with the !.
type Part struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// Parts evaluates every part of the rule, also those that Evaluate skips because
// the result is already certain, and returns them in the order of the text. Of parts
// between || that are true together, it returns only those that are true themselves: the
// others say nothing about the result.
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
	for _, e := range telling(native.Expr(), details.State()) {
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

// telling are the parts between && and || that say why an expression has its value.
func telling(e ast.Expr, state interpreter.EvalState) []ast.Expr {
	isOr := e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalOr
	isAnd := e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalAnd
	if !isOr && !isAnd {
		return []ast.Expr{e}
	}
	holds := func(e ast.Expr) bool {
		value, ok := state.Value(e.ID())
		return ok && value == types.True
	}
	var parts []ast.Expr
	for _, arg := range e.AsCall().Args() {
		if !isOr || !holds(e) || holds(arg) {
			parts = append(parts, telling(arg, state)...)
		}
	}
	return parts
}

// conditions are the operands of &&, in the order of the text.
func conditions(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.LogicalAnd {
		return []ast.Expr{e}
	}
	var parts []ast.Expr
	for _, arg := range e.AsCall().Args() {
		parts = append(parts, conditions(arg)...)
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
