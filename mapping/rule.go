package mapping

import (
	"errors"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

const (
	// ruleCost bounds one evaluation, in CEL's units (about one a step and a
	// tenth a character): some milliseconds. A rule that exceeds it fails.
	ruleCost = 100_000
	// ruleCostEstimate is the most that a rule may cost on the sizes of
	// ruleSizes. Above it, it is refused at load.
	ruleCostEstimate = 1_000_000
)

// rule is a condition in CEL over the fields of one source.
type rule struct {
	source  *Source
	text    string
	ast     *cel.Ast
	program cel.Program
}

// verdict is what a rule says of an event.
type verdict int

const (
	noMatch verdict = iota
	match
	// undecided: the answer hangs on a field that is missing or unreadable.
	undecided
)

// compileRule checks the rule against the source's fields. What is wrong is
// noted at its place in the YAML file.
func compileRule(at node, source *Source) *rule {
	text, ok := at.text()
	if !ok {
		return nil
	}
	if tag := at.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		at.problem("YAML takes "+tag+" for a tag, not for a part of the rule", `put the rule in quotes, for example "!consent"`)
		return nil
	}
	if strings.TrimSpace(text) == "" {
		at.problem("is empty", "leave the key out to take every event")
		return nil
	}
	plainText(at) // refuses ${…}
	checked, issues := source.env.Parse(text)
	if issues.Err() == nil {
		source.numbersOf(checked).fix()
		checked, issues = source.env.Check(checked)
	}
	if err := issues.Err(); err != nil {
		ruleProblems(at, source, issues)
		return nil
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		at.problem("the rule is a "+inFieldTypes(checked.OutputType().String())+", not true or false",
			"compare it with something")
		return nil
	}
	checkZones(at, checked)
	estimate, err := source.env.EstimateCost(checked, usualSizes)
	if err == nil && estimate.Max > ruleCostEstimate {
		at.problem("the rule may take too long on a large event", "loop over fewer lists")
		return nil
	}
	program, err := source.env.Program(checked, append(costLimit(checked, source), cel.EvalOptions(cel.OptOptimize))...)
	if err != nil {
		at.problem("plan rule: "+err.Error(), "")
		return nil
	}
	return &rule{source: source, text: text, ast: checked, program: program}
}

// costLimit counts what an evaluation costs, where it could cost too much at
// all: to count takes longer than most rules.
func costLimit(checked *cel.Ast, source *Source) []cel.ProgramOption {
	worst, err := source.env.EstimateCost(checked, largestSizes)
	if err == nil && worst.Max <= ruleCost {
		return nil
	}
	return []cel.ProgramOption{cel.CostLimit(ruleCost)}
}

// evaluate decides the rule. For an undecided one it returns the fields that
// it hangs on.
func (r *rule) evaluate(read *reader) (verdict, []string, error) {
	if r == nil {
		return match, nil, nil
	}
	value, _, err := r.program.Eval(activation{read})
	if err != nil {
		return noMatch, nil, err
	}
	if unknown, ok := value.(*types.Unknown); ok {
		return undecided, unknownFields(unknown), nil
	}
	matched, ok := value.(types.Bool)
	if !ok {
		return noMatch, nil, errors.New("the rule is neither true nor false")
	}
	if matched {
		return match, nil, nil
	}
	return noMatch, nil, nil
}

// asked are the fields that the rule asks for with present. A call may use
// them; where the rule lets an event without them through, it is rejected.
func (r *rule) asked() []string {
	if r == nil {
		return nil
	}
	var names []string
	root := ast.NavigateAST(r.ast.NativeRep())
	for _, ident := range ast.MatchDescendants(root, ast.KindMatcher(ast.IdentKind)) {
		if name, ok := presentField(ident.AsIdent()); ok {
			names = append(names, name)
		}
	}
	return names
}

// activation gives CEL the fields by name. A field that is not there, or not
// what its type says, is CEL's "unknown": false && unknown is false,
// true || unknown is true, and every other answer hangs on the field.
type activation struct{ read *reader }

// ResolveName implements interpreter.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	if name == nowName {
		return types.Timestamp{Time: a.read.event.Received}, true
	}
	if field, ok := presentField(name); ok {
		switch a.read.read(field).state {
		case there:
			return types.True, true
		case missing:
			return types.False, true
		}
		return unknownField(field), true
	}
	if !a.read.source.declares(name) {
		return nil, false
	}
	if value := a.read.read(name); value.state == there {
		return value.rule, true
	}
	return unknownField(name), true
}

// Parent implements interpreter.Activation.
func (activation) Parent() interpreter.Activation { return nil }

func unknownField(name string) *types.Unknown {
	return types.NewUnknown(0, types.NewAttributeTrail(name))
}

func unknownFields(unknown *types.Unknown) []string {
	var names []string
	for _, id := range unknown.IDs() {
		trails, _ := unknown.GetAttributeTrails(id)
		for _, trail := range trails {
			names = append(names, trail.Variable())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
