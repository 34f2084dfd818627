package rule

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Function is a function that callbridge adds to CEL.
type Function struct {
	Name string
	// Signature has the parameters and the result.
	Signature string
	Doc       string
	// Example is a rule that is true for the event of the tests.
	Example string
}

// Functions returns the functions that rules may call in addition to CEL's own
// and those of its strings extension.
func Functions() []Function {
	return []Function{
		{"present", "present(field) → bool", "Whether the field is present. A present but invalid field leaves the rule undecided.", `!present(nickname)`},
		{"days_since", "days_since(time) → number", "Days from the time to the receipt of the webhook, with a fraction; negative for a future time.", `days_since(created) < 7`},
		{"hours_since", "hours_since(time) → number", "The same in hours.", `hours_since(created) >= 24`},
		{"local_hour", "local_hour(time, zone) → number", "Hour of the day, 0 to 23, in a zone such as Europe/Berlin.", `local_hour(created, "America/New_York") == 9`},
		{"weekday", "weekday(time, zone) → text", "monday to sunday, in a zone.", `weekday(created, "Europe/Berlin") in ["monday", "friday"]`},
		{"starts_with_any", "starts_with_any(text, list) → bool", "Whether the text begins with one of the list.", `starts_with_any(phone, ["+1", "+44"])`},
		{"contains_any", "contains_any(text, list) → bool", "Whether the text contains one of the list. Case matters; see lower.", `contains_any(lower(job), ["chief", "head of"])`},
		{"lower", "lower(text) → text", "The text in lower case, in every script.", `lower(job) == "head of sales"`},
	}
}

// doubleFunctions give numbers that whole numbers are compared with.
var doubleFunctions = []string{"days_since", "hours_since", "local_hour", elapsedName}

// elapsedName is what days_since and hours_since become: a time, the moment
// the webhook came in, and the unit in hours.
const elapsedName = "@elapsed"

func (e *Environment) functions() []cel.EnvOption {
	text, list := cel.StringType, cel.ListType(cel.StringType)
	return append(clockFunctions(),
		cel.Macros(e.presentMacro(), sinceMacro("days_since", 24), sinceMacro("hours_since", 1)),
		cel.Function(elapsedName, cel.Overload("elapsed",
			[]*cel.Type{cel.TimestampType, cel.TimestampType, cel.DoubleType}, cel.DoubleType,
			cel.FunctionBinding(elapsed))),
		cel.Function("starts_with_any", cel.Overload("starts_with_any", []*cel.Type{text, list},
			cel.BoolType, cel.BinaryBinding(anyOf(strings.HasPrefix)))),
		cel.Function("contains_any", cel.Overload("contains_any", []*cel.Type{text, list},
			cel.BoolType, cel.BinaryBinding(anyOf(strings.Contains)))),
		cel.Function("lower", cel.Overload("lower", []*cel.Type{text}, text,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.String(strings.ToLower(string(v.(types.String)))) }))),
	)
}

// presentMacro turns present(x) into the variable @present_x. A function would
// take the value of x, and an unknown argument makes its result unknown.
func (e *Environment) presentMacro() cel.Macro {
	return cel.GlobalMacro("present", 1,
		func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
			if args[0].Kind() != ast.IdentKind {
				return nil, f.NewError(args[0].ID(), "present takes the name of a field")
			}
			name := args[0].AsIdent()
			if !e.declares(name) {
				return nil, f.NewError(args[0].ID(), e.undeclared(name))
			}
			return f.NewIdent(presentPrefix + name), nil
		})
}

// sinceMacro adds the time when the webhook came in, which rules cannot name.
func sinceMacro(name string, unitHours float64) cel.Macro {
	return cel.GlobalMacro(name, 1,
		func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
			return f.NewCall(elapsedName, args[0], f.NewIdent(nowName), f.NewLiteral(types.Double(unitHours))), nil
		})
}

func elapsed(args ...ref.Val) ref.Val {
	since, now := args[0].(types.Timestamp), args[1].(types.Timestamp)
	return types.Double(now.Sub(since.Time).Hours() / float64(args[2].(types.Double)))
}

// anyOf reports whether a text matches one element of a list.
func anyOf(holds func(text, with string) bool) func(text, list ref.Val) ref.Val {
	return func(text, list ref.Val) ref.Val {
		for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
			with, ok := it.Next().(types.String)
			if !ok {
				return types.NewErr("the list contains something other than texts")
			}
			if holds(string(text.(types.String)), string(with)) {
				return types.True
			}
		}
		return types.False
	}
}
