package rule

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Exclude reports whether it is certain that no event matches both rules, because they
// need different values of one name: type == "a" and type in ["b", "c"]. It looks only
// at comparisons that are joined by &&, so that false means "not known".
func Exclude(a, b *Rule) bool {
	if a == nil || b == nil {
		return false
	}
	second := b.needs()
	for name, values := range a.needs() {
		others, both := second[name]
		if both && !slices.ContainsFunc(values, func(v any) bool { return slices.Contains(others, v) }) {
			return true
		}
	}
	return false
}

// needs are the names that have to have one of some values for the rule to hold.
func (r *Rule) needs() map[string][]any {
	needs := map[string][]any{}
	for _, part := range conditions(r.ast.NativeRep().Expr()) {
		name, values := needed(part)
		if old, repeated := needs[name]; repeated {
			values = slices.DeleteFunc(values, func(v any) bool { return !slices.Contains(old, v) })
		}
		if name != "" {
			needs[name] = values
		}
	}
	return needs
}

// needed are the values one of which the name of a condition has to have, or "".
func needed(e ast.Expr) (name string, values []any) {
	if e.Kind() == ast.IdentKind {
		return e.AsIdent(), []any{true}
	}
	if e.Kind() != ast.CallKind {
		return "", nil
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalNot:
		if args[0].Kind() == ast.IdentKind {
			return args[0].AsIdent(), []any{false}
		}
	case operators.Equals:
		if args[1].Kind() == ast.IdentKind {
			args = []ast.Expr{args[1], args[0]}
		}
		if args[0].Kind() == ast.IdentKind && args[1].Kind() == ast.LiteralKind {
			return args[0].AsIdent(), []any{comparable(args[1])}
		}
	case operators.In:
		if args[0].Kind() != ast.IdentKind || args[1].Kind() != ast.ListKind {
			return "", nil
		}
		for _, element := range args[1].AsList().Elements() {
			if element.Kind() != ast.LiteralKind {
				return "", nil
			}
			values = append(values, comparable(element))
		}
		return args[0].AsIdent(), values
	}
	return "", nil
}

// comparable is a literal as a value that == compares: whole numbers are doubles.
func comparable(literal ast.Expr) any {
	switch v := literal.AsLiteral().(type) {
	case types.Int:
		return float64(v)
	default:
		return v.Value()
	}
}
