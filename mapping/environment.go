package mapping

import (
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

// Names with an @ cannot be written in a rule, so no field can take them.
const (
	nowName       = "@now"
	presentPrefix = "@present_"
)

func presentField(name string) (string, bool) { return strings.CutPrefix(name, presentPrefix) }

// newEnvironment declares the fields of a source, and nothing else, to CEL.
func newEnvironment(source *Source) (*cel.Env, error) {
	options := []cel.EnvOption{
		// Without it lead_score >= 50 does not compile: a double and an int.
		cel.CrossTypeNumericComparisons(true),
		cel.EnableMacroCallTracking(), // Explain shows rules as they are written
		ext.Strings(),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
		cel.Variable(nowName, cel.TimestampType),
	}
	for _, name := range source.names() {
		options = append(options,
			cel.Variable(name, source.ruleType(name)),
			cel.Variable(presentPrefix+name, cel.BoolType))
	}
	options = append(options, functions(source)...)
	return cel.NewEnv(options...)
}

// ruleType is what a rule sees a name as.
func (s *Source) ruleType(name string) *cel.Type {
	if name == nameTime {
		return cel.TimestampType
	}
	f, ok := s.fields[name]
	if !ok {
		return cel.StringType
	}
	switch f.kind {
	case typeNumber:
		return cel.DoubleType
	case typeBool:
		return cel.BoolType
	case typeTime:
		return cel.TimestampType
	case typeList:
		return cel.ListType(cel.StringType)
	default:
		return cel.StringType
	}
}

// ruleSizes is how large fields are taken to be when the cost of a rule is
// estimated. ruleCost holds whatever the sizes are.
type ruleSizes struct{ text, list uint64 }

var (
	// usualSizes are texts of two hundred characters, lists of a hundred.
	usualSizes = ruleSizes{text: 200, list: 100}
	// largestSizes are larger than any payload: a webhook, or the answer of a
	// CRM, has a megabyte.
	largestSizes = ruleSizes{text: 16 << 20, list: 16 << 20}
)

// EstimateSize implements cost.Estimator.
func (s ruleSizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
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
func (ruleSizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// numbers lets people write lead_score == 50 where CEL wants 50.0: whole
// numbers beside a number field become doubles before the rule is checked.
type numbers struct {
	source *Source
	ast    *ast.AST
}

func (s *Source) numbersOf(parsed *cel.Ast) numbers {
	return numbers{source: s, ast: parsed.NativeRep()}
}

var numberOperators = []string{
	operators.Equals, operators.NotEquals, operators.In,
	operators.Add, operators.Subtract, operators.Multiply, operators.Divide,
}

func (n numbers) fix() {
	factory := ast.NewExprFactory()
	root := ast.NavigateAST(n.ast)
	for _, call := range ast.MatchDescendants(root, ast.KindMatcher(ast.CallKind)) {
		function, args := call.AsCall().FunctionName(), call.AsCall().Args()
		if !slices.Contains(numberOperators, function) || !slices.ContainsFunc(args, n.double) {
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

// double reports whether an expression is a number field or computed from one.
func (n numbers) double(e ast.Expr) bool {
	switch e.Kind() {
	case ast.IdentKind:
		f, ok := n.source.fields[e.AsIdent()]
		return ok && f.kind == typeNumber
	case ast.LiteralKind:
		d, ok := e.AsLiteral().(types.Double)
		return ok && !math.IsNaN(float64(d))
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Negate:
			return slices.ContainsFunc(call.Args(), n.double)
		case operators.Conditional:
			return slices.ContainsFunc(call.Args()[1:], n.double)
		}
		return slices.Contains(doubleFunctions, call.FunctionName())
	default:
		return false
	}
}
