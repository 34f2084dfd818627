package mapping

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v4"
)

var (
	undeclaredName = regexp.MustCompile(`^undeclared reference to '([^']+)'`)
	noOverload     = regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '(.*)'$`)
)

// ruleProblems notes what CEL says of a rule at its place in the YAML file.
func ruleProblems(at node, source *Source, issues *cel.Issues) {
	for _, issue := range issues.Errors() {
		text, hint := plainWords(issue.Message, source)
		if hint == "" {
			hint = wordHint(at.Value, issue.Location)
		}
		line, column := at.locate(beforeCall(at.Value, issue))
		at.problemAt(line, column, text, hint)
	}
}

// beforeCall moves from the bracket of a function that does not exist, which
// is where CEL complains, to its name.
func beforeCall(rule string, issue *cel.Error) common.Location {
	found := undeclaredName.FindStringSubmatch(issue.Message)
	lines := strings.Split(rule, "\n")
	place := issue.Location
	if found == nil || place.Line() < 1 || place.Line() > len(lines) {
		return place
	}
	line := []rune(lines[place.Line()-1])
	if before := string(line[:min(place.Column(), len(line))]); strings.HasSuffix(before, found[1]) {
		return common.NewLocation(place.Line(), place.Column()-len([]rune(found[1])))
	}
	return place
}

// plainWords says what CEL means in the words of the configuration.
func plainWords(message string, source *Source) (text, hint string) {
	if found := undeclaredName.FindStringSubmatch(message); found != nil {
		known := source.names()
		for _, function := range Functions() {
			known = append(known, function.Name)
		}
		return "undeclared name " + quote(found[1]), suggest(found[1], known)
	}
	if found := noOverload.FindStringSubmatch(message); found != nil {
		name := found[1]
		if sign, ok := operators.FindReverse(name); ok && sign != "" {
			name = sign
		}
		if name == elapsedName {
			return "days_since and hours_since take a field of type time", ""
		}
		return fmt.Sprintf("%s does not take %s", quote(name), inFieldTypes(found[2])), ""
	}
	if syntax, ok := strings.CutPrefix(message, "Syntax error: "); ok {
		syntax, _, _ = strings.Cut(syntax, " expecting ")
		return "syntax error: " + strings.ReplaceAll(syntax, "'<EOF>'", "end of the rule"), ""
	}
	return message, ""
}

// celType are the types of CEL, as it names them.
var celType = regexp.MustCompile(`\b(google\.protobuf\.Timestamp|timestamp|double|u?int)\b`)

// inFieldTypes says CEL's types in the words of a field's type.
func inFieldTypes(text string) string {
	return celType.ReplaceAllStringFunc(text, func(name string) string {
		if strings.HasSuffix(strings.ToLower(name), "timestamp") {
			return "time"
		}
		return "number"
	})
}

func undeclared(name string, source *Source) string {
	text := "undeclared name " + quote(name)
	if hint := suggest(name, source.names()); hint != "" {
		text += "; " + hint
	}
	return text
}

// otherLanguages are words that people write for CEL's signs.
var otherLanguages = []struct{ written, cel string }{
	{"and ", "&&"}, {"or ", "||"}, {"not ", "!"}, {"AND ", "&&"}, {"OR ", "||"}, {"NOT ", "!"},
	{"= ", "=="}, {"& ", "&&"}, {"| ", "||"}, {"<> ", "!="},
}

func wordHint(rule string, place common.Location) string {
	rest := []rune(rule)[min(offset(rule, place), len([]rune(rule))):]
	for _, word := range otherLanguages {
		if strings.HasPrefix(string(rest), word.written) {
			return "write " + word.cel
		}
	}
	return ""
}

// offset is a place in a rule as a count of characters from its start.
func offset(rule string, place common.Location) int {
	at := 0
	for i, line := range strings.Split(rule, "\n") {
		if i+1 == place.Line() {
			return at + max(place.Column(), 0)
		}
		at += len([]rune(line)) + 1
	}
	return at
}

// locate finds a place of a text in the YAML file. Quotes, escapes, folded
// lines and indentation stand in the file and not in the text, but what is in
// the text stands in the file in the same order: so both are walked together.
func (n node) locate(place common.Location) (line, column int) {
	line, column = n.Line, n.Column
	rest := []rune(strings.Join(n.doc.lines[min(line-1, len(n.doc.lines)):], "\n"))
	at := min(column-1, len(rest))
	switch {
	case n.block():
		for at < len(rest) && rest[at] != '\n' {
			at++ // the line with | or > holds no text
		}
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at++
	}
	text := []rune(n.Value)
	text = text[:min(offset(n.Value, place), len(text))]
	for _, r := range text {
		if unicode.IsSpace(r) {
			continue
		}
		for at < len(rest) && rest[at] != r {
			at++
		}
		at++
	}
	for at < len(rest) && unicode.IsSpace(rest[at]) && len(text) < len([]rune(n.Value)) {
		at++
	}
	for _, r := range rest[:min(at, len(rest))] {
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	if line == n.Line {
		column = at + 1
	}
	return line, column
}

// checkZones refuses a zone that does not exist where the rule writes it out.
func checkZones(at node, rule *cel.Ast) {
	root := ast.NavigateAST(rule.NativeRep())
	for _, call := range ast.MatchDescendants(root, ast.KindMatcher(ast.CallKind)) {
		name, args := call.AsCall().FunctionName(), call.AsCall().Args()
		if name != "local_hour" && name != "weekday" || args[1].Kind() != ast.LiteralKind {
			continue
		}
		zone, _ := args[1].AsLiteral().(types.String)
		if _, err := loadZone(string(zone)); err != nil {
			line, column := at.locate(rule.NativeRep().SourceInfo().GetStartLocation(args[1].ID()))
			at.problemAt(line, column, err.Error(), `write it as "Europe/Berlin"`)
		}
	}
}

// loadZone refuses the two names that mean this machine's zone.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("no time zone %q", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("no time zone %q", name)
	}
	return zone, nil
}
