package rule

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"callbridge/mapping/config"
)

var (
	isoCountry = regexp.MustCompile(`^[A-Z]{2}$`)
	e164       = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	notWord    = regexp.MustCompile(`[^\p{Ll}\p{Lo}\p{N}]+`)
	e164Start  = regexp.MustCompile(`^(\+([1-9][0-9]{0,14})?)?$`)
)

var weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// checkComparisons refuses comparisons that hold for no event, or with != for every
// event, because the value never has that form: weekday(time, zone) == "Saturday".
func (e *Environment) checkComparisons(at config.Node, rule *cel.Ast) {
	native := rule.NativeRep()
	for _, call := range ast.MatchDescendants(ast.NavigateAST(native), ast.KindMatcher(ast.CallKind)) {
		for _, compared := range e.compared(call.AsCall()) {
			problem, hint := compared.never()
			if problem != "" {
				at.ProblemAt(offset(at.Raw(), native.SourceInfo().GetStartLocation(compared.literal.ID())), problem, hint)
			}
		}
	}
}

// compared is a value and a literal that it is compared with.
type compared struct {
	// form is what the value always is, such as "weekday" or "phone".
	form    string
	sign    string
	literal ast.Expr
}

// compared returns the literals with which a call compares a value of a known form.
func (e *Environment) compared(call ast.CallExpr) (found []compared) {
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	if len(args) != 2 {
		return nil
	}
	sign, value, with := call.FunctionName(), args[0], args[1]
	switch sign {
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if value.Kind() == ast.LiteralKind {
			value, with, sign = with, value, mirrored(sign)
		}
	case operators.In, "startsWith", "starts_with_any", "contains", "contains_any", "endsWith":
	default:
		return nil
	}
	form := e.form(value)
	if form == "" {
		return nil
	}
	for _, literal := range literals(with) {
		found = append(found, compared{form, sign, literal})
	}
	return found
}

// mirrored is the operator with its sides exchanged.
func mirrored(sign string) string {
	switch sign {
	case operators.Less:
		return operators.Greater
	case operators.LessEquals:
		return operators.GreaterEquals
	case operators.Greater:
		return operators.Less
	case operators.GreaterEquals:
		return operators.LessEquals
	}
	return sign
}

// form returns what the value of an expression always is, or "" if it may be anything.
func (e *Environment) form(x ast.Expr) string {
	if x.Kind() == ast.IdentKind && e.declares(x.AsIdent()) {
		if kind := e.typeOf(x.AsIdent()); kind == "phone" || kind == "country" || kind == "word" {
			return kind
		}
		return ""
	}
	if x.Kind() != ast.CallKind {
		return ""
	}
	switch name := x.AsCall().FunctionName(); name {
	case "weekday", "local_hour", "size", "lower":
		return name
	case "lowerAscii":
		return "lower"
	}
	return ""
}

// never returns why the value never equals the literal, begins with it, contains it or
// compares with it as the rule says.
func (c compared) never() (problem, hint string) {
	switch literal := c.literal.AsLiteral().(type) {
	case types.String:
		return c.neverText(string(literal))
	case types.Int:
		return c.neverNumber(float64(literal))
	case types.Double:
		return c.neverNumber(float64(literal))
	}
	return "", ""
}

func (c compared) neverText(text string) (problem, hint string) {
	isWhole := slices.Contains([]string{operators.Equals, operators.NotEquals, operators.In}, c.sign)
	isStart := c.sign == "startsWith" || c.sign == "starts_with_any"
	quoted := strconv.Quote(text)
	lower := strings.ToLower(text)
	switch {
	case c.form == "lower" && lower != text:
		return "lower() never gives " + quoted, "write " + strconv.Quote(lower)
	case c.form == "word" && notWord.ReplaceAllString(lower, "_") != text:
		return "a word is in lower case with _ between its parts, and never " + quoted,
			"write " + strconv.Quote(strings.Trim(notWord.ReplaceAllString(lower, "_"), "_"))
	case c.form == "weekday" && isWhole && !slices.Contains(weekdays, text):
		for _, day := range weekdays {
			if len(lower) >= 2 && strings.HasPrefix(day, lower) {
				return "weekday() never gives " + quoted, "write " + strconv.Quote(day)
			}
		}
		return "weekday() never gives " + quoted, "it gives " + strings.Join(weekdays, ", ")
	case c.form == "country" && isWhole && !isoCountry.MatchString(text):
		return "a field of type country is never " + quoted, "it is a code of two capital letters, such as DE"
	case c.form == "phone" && isWhole && !e164.MatchString(text), c.form == "phone" && isStart && !e164Start.MatchString(text):
		return "a field of type phone is never, and never begins with, " + quoted, "it is + and digits, such as +12025550142"
	}
	return "", ""
}

func (c compared) neverNumber(number float64) (problem, hint string) {
	most := 23.0
	hint = "it gives 0 to 23"
	switch c.form {
	case "local_hour":
	case "size":
		most, hint = math.MaxInt32, "it gives 0 or more"
	default:
		return "", ""
	}
	never := false
	switch c.sign {
	case operators.Equals, operators.NotEquals, operators.In:
		never = number < 0 || number > most || number != math.Trunc(number)
	case operators.Less:
		never = number <= 0
	case operators.LessEquals:
		never = number < 0
	case operators.Greater:
		never = number >= most
	case operators.GreaterEquals:
		never = number > most
	}
	if !never {
		return "", ""
	}
	return c.form + "() never fits " + strconv.FormatFloat(number, 'f', -1, 64) + " here", hint
}

// checkContradictions refuses a rule that needs two values of one name at once.
func (r *Rule) checkContradictions(at config.Node) {
	for name, values := range r.needs() {
		if len(values) == 0 {
			at.Problem("no event matches: "+strconv.Quote(name)+" would have to have two values at once",
				`alternatives are joined with ||, or written as `+name+` in ["a", "b"]`)
			return
		}
	}
}
