package rule

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// Names with an @ cannot be written in a rule, so no field can have them.
const (
	nowName       = "@now"
	presentPrefix = "@present_"
)

// presentField returns the field of a variable that present() was turned into.
func presentField(name string) (string, bool) { return strings.CutPrefix(name, presentPrefix) }

// Environment are the names that the rules of one source may use, and the
// functions. It is safe for concurrent use.
type Environment struct {
	env    *cel.Env
	names  []string
	typeOf func(name string) string
	// fixed is set if a file cannot declare further names.
	fixed bool
}

// NewEnvironment declares names to CEL. The types are number, bool, time, list (of
// texts) and map (of texts); every other type is a text. A text of type word is in
// lower case, with _ between its parts.
func NewEnvironment(names []string, typeOf func(name string) string) (*Environment, error) {
	e := &Environment{names: names, typeOf: typeOf}
	options := []cel.EnvOption{
		// Without it lead_score >= 50 does not compile: a double and an int.
		cel.CrossTypeNumericComparisons(true),
		cel.EnableMacroCallTracking(), // Explain shows rules as they are written
		ext.Strings(),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
		cel.Variable(nowName, cel.TimestampType),
	}
	for _, name := range e.names {
		options = append(options,
			cel.Variable(name, e.celType(name)),
			cel.Variable(presentPrefix+name, cel.BoolType))
	}
	options = append(options, e.functions()...)
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("declare fields: %w", err)
	}
	e.env = env
	return e, nil
}

// Fixed returns the environment for a file that cannot declare further names: the
// hint to an unknown name then lists those that there are.
func (e *Environment) Fixed() *Environment {
	e.fixed = true
	return e
}

func (e *Environment) declares(name string) bool { return slices.Contains(e.names, name) }

func (e *Environment) celType(name string) *cel.Type {
	switch e.typeOf(name) {
	case "number":
		return cel.DoubleType
	case "bool":
		return cel.BoolType
	case "time":
		return cel.TimestampType
	case "list":
		return cel.ListType(cel.StringType)
	case "map":
		return cel.MapType(cel.StringType, cel.StringType)
	default:
		return cel.StringType
	}
}

// sizes are the sizes of values for an estimate of a rule's cost. costLimit holds
// for values of any size.
type sizes struct{ text, list uint64 }

var (
	// usualSizes are texts of two hundred characters, lists of a hundred.
	usualSizes = sizes{text: 200, list: 100}
	// largestSizes are larger than any payload: a webhook, and the answer of a
	// lookup, have a megabyte at most.
	largestSizes = sizes{text: 16 << 20, list: 16 << 20}
)

// EstimateSize implements cost.Estimator.
func (s sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	if len(element.Path()) == 0 {
		return nil
	}
	switch element.Type().Kind() {
	case types.ListKind:
		return &cost.SizeEstimate{Max: s.list}
	default:
		return &cost.SizeEstimate{Max: s.text}
	}
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

var numberOperators = []string{
	operators.Equals, operators.NotEquals, operators.In,
	operators.Add, operators.Subtract, operators.Multiply, operators.Divide,
}

// fixNumbers replaces whole numbers by doubles where they are compared or
// computed with a number field: people write lead_score == 50, and CEL requires
// 50.0.
func (e *Environment) fixNumbers(parsed *cel.Ast) {
	factory := ast.NewExprFactory()
	root := ast.NavigateAST(parsed.NativeRep())
	for _, call := range ast.MatchDescendants(root, ast.KindMatcher(ast.CallKind)) {
		function, args := call.AsCall().FunctionName(), call.AsCall().Args()
		if !slices.Contains(numberOperators, function) || !slices.ContainsFunc(args, e.isDouble) {
			continue
		}
		for _, arg := range args {
			for _, literal := range literals(arg) {
				if whole, ok := literal.AsLiteral().(types.Int); ok && whole >= -1<<53 && whole <= 1<<53 {
					literal.SetKindCase(factory.NewLiteral(literal.ID(), types.Double(whole)))
				}
			}
		}
	}
}

// literals are the argument itself or, of a list, its elements.
func literals(arg ast.Expr) []ast.Expr {
	switch arg.Kind() {
	case ast.LiteralKind:
		return []ast.Expr{arg}
	case ast.ListKind:
		return slices.DeleteFunc(slices.Clone(arg.AsList().Elements()), func(e ast.Expr) bool {
			return e.Kind() != ast.LiteralKind
		})
	default:
		return nil
	}
}

// isDouble reports whether an expression is a number field or computed from one.
func (e *Environment) isDouble(x ast.Expr) bool {
	switch x.Kind() {
	case ast.IdentKind:
		return e.declares(x.AsIdent()) && e.typeOf(x.AsIdent()) == "number"
	case ast.LiteralKind:
		d, ok := x.AsLiteral().(types.Double)
		return ok && !math.IsNaN(float64(d))
	case ast.CallKind:
		call := x.AsCall()
		switch call.FunctionName() {
		case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Negate:
			return slices.ContainsFunc(call.Args(), e.isDouble)
		case operators.Conditional:
			return slices.ContainsFunc(call.Args()[1:], e.isDouble)
		}
		return slices.Contains(doubleFunctions, call.FunctionName())
	default:
		return false
	}
}
