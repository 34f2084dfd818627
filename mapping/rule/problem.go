package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"callbridge/mapping/config"
)

var (
	undeclaredName = regexp.MustCompile(`^undeclared reference to '([^']+)'`)
	noOverload     = regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '(.*)'$`)
)

// report turns CEL's messages into problems at their positions in the YAML file. If the
// rule cannot be parsed because of a word or sign of another language, that is the only
// problem: CEL's messages about what follows it say nothing more.
func (e *Environment) report(at config.Node, issues *cel.Issues) {
	isSyntax := slices.ContainsFunc(issues.Errors(), func(issue *cel.Error) bool {
		return strings.HasPrefix(issue.Message, syntaxError) || strings.HasPrefix(issue.Message, "reserved identifier")
	})
	if isSyntax {
		if f, ok := e.foreignIn(at.Raw()); ok {
			at.ProblemAt(f.offset, f.problem(), f.hint)
			return
		}
	}
	for _, issue := range issues.Errors() {
		place := offset(at.Raw(), nameOf(at.Raw(), issue))
		text, hint := e.plainWords(issue.Message, string([]rune(at.Raw())[min(place, len([]rune(at.Raw()))):]))
		at.ProblemAt(place, text, hint)
	}
}

// syntaxError begins CEL's messages about a rule that cannot be parsed.
const syntaxError = "Syntax error: "

// nameOf returns the position of an issue. For an undeclared function, CEL reports
// the position of the parenthesis; this is that of the name.
func nameOf(rule string, issue *cel.Error) common.Location {
	found := undeclaredName.FindStringSubmatch(issue.Message)
	lines := strings.Split(rule, "\n")
	at := issue.Location
	if found == nil || at.Line() < 1 || at.Line() > len(lines) {
		return at
	}
	line := []rune(lines[at.Line()-1])
	if before := string(line[:min(at.Column(), len(line))]); strings.HasSuffix(before, found[1]) {
		return common.NewLocation(at.Line(), at.Column()-len([]rune(found[1])))
	}
	return at
}

// plainWords rewrites a message of CEL in the words of the configuration. Rest is the
// rule from the place of the message.
func (e *Environment) plainWords(message, rest string) (text, hint string) {
	if found := undeclaredName.FindStringSubmatch(message); found != nil {
		return "undeclared name " + strconv.Quote(found[1]), e.undeclaredHint(found[1], strings.TrimPrefix(rest, found[1]))
	}
	if found := noOverload.FindStringSubmatch(message); found != nil {
		name := found[1]
		if sign, ok := operators.FindReverse(name); ok && sign != "" {
			name = sign
		}
		if name == elapsedName {
			return "days_since and hours_since take a field of type time", ""
		}
		kinds := inFieldTypes(found[2])
		return fmt.Sprintf("%s does not take %s", strconv.Quote(name), kinds), overloadHint(name, kinds)
	}
	if syntax, ok := strings.CutPrefix(message, syntaxError); ok {
		syntax, _, _ = strings.Cut(syntax, " expecting ")
		return "syntax error: " + strings.ReplaceAll(syntax, "'<EOF>'", "end of the rule"), syntaxHint(syntax, rest)
	}
	return message, ""
}

// celType are the types of CEL, as it names them.
var celType = regexp.MustCompile(`\b(google\.protobuf\.Timestamp|timestamp|double|u?int)\b`)

// inFieldTypes replaces the names of CEL's types by those of field types.
func inFieldTypes(text string) string {
	return celType.ReplaceAllStringFunc(text, func(name string) string {
		if strings.HasSuffix(strings.ToLower(name), "timestamp") {
			return "time"
		}
		return "number"
	})
}

func (e *Environment) undeclared(name string) string {
	return "undeclared name " + strconv.Quote(name) + "; " + e.undeclaredHint(name, "")
}

// offset is a position in a rule as a count of characters from its start.
func offset(rule string, position common.Location) int {
	at := 0
	for i, line := range strings.Split(rule, "\n") {
		if i+1 == position.Line() {
			return at + max(position.Column(), 0)
		}
		at += len([]rune(line)) + 1
	}
	return at
}

// checkZones refuses literal names of time zones that do not exist.
func checkZones(at config.Node, rule *cel.Ast) {
	root := ast.NavigateAST(rule.NativeRep())
	for _, call := range ast.MatchDescendants(root, ast.KindMatcher(ast.CallKind)) {
		named := zoneOf(call.AsCall())
		if named == nil || named.Kind() != ast.LiteralKind {
			continue
		}
		name, _ := named.AsLiteral().(types.String)
		if _, err := place(string(name)); err != nil {
			position := rule.NativeRep().SourceInfo().GetStartLocation(named.ID())
			at.ProblemAt(offset(at.Raw(), position), err.Error(), `write it as "Europe/Berlin"`)
		}
	}
}

// zoneOf returns the argument of a call that names a zone, or nil.
func zoneOf(call ast.CallExpr) ast.Expr {
	switch args := call.Args(); {
	case call.FunctionName() == "local_hour", call.FunctionName() == "weekday":
		return args[1]
	case call.IsMemberFunction() && len(args) == 1 && readsClock(call.FunctionName()):
		return args[0]
	}
	return nil
}
