// Package rule evaluates the conditions of routes and lookups: CEL over the
// declared names of one source. It compiles a rule against the names and their
// types, reports each mistake with its position in the YAML file, and with the type
// names of callbridge.yaml instead of CEL's, and evaluates a rule with the values of
// one event.
//
// A value that is missing or unreadable is CEL's "unknown": false && unknown is
// false, true || unknown is true, and any other result that depends on the value
// is undecided. The package knows names, types and values, not fields or routes;
// no other package imports CEL.
package rule

import (
	"errors"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"callbridge/mapping/config"
)

const (
	// costLimit bounds one evaluation, in CEL's units (about 1 per step and 0.1 per
	// character): some milliseconds. A rule that exceeds it fails.
	costLimit = 100_000
	// estimateLimit bounds the cost that is estimated for usualSizes. A rule
	// above it is refused at load.
	estimateLimit = 1_000_000
)

// Rule is a compiled condition. A nil rule holds for every event.
type Rule struct {
	environment *Environment
	text        string
	ast         *cel.Ast
	program     cel.Program
}

// Verdict is the result of a rule for one event.
type Verdict int

const (
	// NoMatch is false.
	NoMatch Verdict = iota
	// Match is true.
	Match
	// Undecided means that the result depends on a value that is missing or
	// unreadable.
	Undecided
)

// Values are the values of the declared names in one event.
type Values interface {
	// RuleValue returns a string, float64, int64, bool, time.Time, []string or map[string]string;
	// or nil and whether it is certain that the value is missing. A value that
	// is neither present nor certainly missing leaves present() undecided.
	RuleValue(name string) (value any, missing bool)
	// Received is when the webhook came in: the current time of rules.
	Received() time.Time
}

// Compile checks a rule against the declared names. Whatever is wrong becomes a
// problem at its position in the YAML file, and the result is nil.
func (e *Environment) Compile(at config.Node) *Rule {
	text, ok := at.Text()
	if !ok {
		return nil
	}
	if tag := at.CustomTag(); tag != "" {
		at.Problem("YAML takes "+tag+" for a tag, not for a part of the rule", `put the rule in quotes, for example "!consent"`)
		return nil
	}
	if strings.TrimSpace(text) == "" {
		at.Problem("is empty", "leave the key out to take every event")
		return nil
	}
	at.PlainText() // refuses ${…}
	checked, issues := e.env.Parse(text)
	if issues.Err() == nil {
		e.fixNumbers(checked)
		checked, issues = e.env.Check(checked)
	}
	if err := issues.Err(); err != nil {
		e.report(at, issues)
		return nil
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		at.Problem("the rule is a "+inFieldTypes(checked.OutputType().String())+", not true or false",
			"compare it with something")
		return nil
	}
	checkZones(at, checked)
	e.checkComparisons(at, checked)
	estimate, err := e.env.EstimateCost(checked, usualSizes)
	if err == nil && estimate.Max > estimateLimit {
		at.Problem("the rule may take too long on a large event", "loop over fewer lists")
		return nil
	}
	program, err := e.env.Program(checked, append(e.limit(checked), cel.EvalOptions(cel.OptOptimize))...)
	if err != nil {
		at.Problem("plan rule: "+err.Error(), "")
		return nil
	}
	r := &Rule{environment: e, text: text, ast: checked, program: program}
	r.checkContradictions(at)
	return r
}

// limit makes CEL count the cost of an evaluation, unless the rule cannot exceed
// the limit: counting takes longer than most rules.
func (e *Environment) limit(checked *cel.Ast) []cel.ProgramOption {
	worst, err := e.env.EstimateCost(checked, largestSizes)
	if err == nil && worst.Max <= costLimit {
		return nil
	}
	return []cel.ProgramOption{cel.CostLimit(costLimit)}
}

// Evaluate decides the rule for one event. For an undecided rule it returns the
// names whose values would decide it.
func (r *Rule) Evaluate(values Values) (Verdict, []string, error) {
	if r == nil {
		return Match, nil, nil
	}
	value, _, err := r.program.Eval(activation{r.environment, values})
	if err != nil {
		return NoMatch, nil, err
	}
	if unknown, ok := value.(*types.Unknown); ok {
		return Undecided, unknownNames(unknown), nil
	}
	matched, ok := value.(types.Bool)
	if !ok {
		return NoMatch, nil, errors.New("the rule is neither true nor false")
	}
	if matched {
		return Match, nil, nil
	}
	return NoMatch, nil, nil
}

// Presence returns the names that the rule tests with present().
func (r *Rule) Presence() []string {
	var names []string
	for _, ident := range r.identifiers() {
		if name, ok := presentField(ident); ok {
			names = append(names, name)
		}
	}
	return names
}

// Names returns the names that the rule uses, in present() or for their values.
func (r *Rule) Names() []string {
	names := r.identifiers()
	for i, ident := range names {
		if name, ok := presentField(ident); ok {
			names[i] = name
		}
	}
	return names
}

func (r *Rule) identifiers() []string {
	if r == nil {
		return nil
	}
	var names []string
	root := ast.NavigateAST(r.ast.NativeRep())
	for _, ident := range ast.MatchDescendants(root, ast.KindMatcher(ast.IdentKind)) {
		names = append(names, ident.AsIdent())
	}
	return names
}

// activation gives CEL the values by name.
type activation struct {
	environment *Environment
	values      Values
}

// ResolveName implements interpreter.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	if name == nowName {
		return types.Timestamp{Time: a.values.Received()}, true
	}
	if field, ok := presentField(name); ok {
		switch value, missing := a.values.RuleValue(field); {
		case value != nil:
			return types.True, true
		case missing:
			return types.False, true
		}
		return unknown(field), true
	}
	if !a.environment.declares(name) {
		return nil, false
	}
	if value, _ := a.values.RuleValue(name); value != nil {
		return types.DefaultTypeAdapter.NativeToValue(value), true
	}
	return unknown(name), true
}

// Parent implements interpreter.Activation.
func (activation) Parent() interpreter.Activation { return nil }

func unknown(name string) *types.Unknown {
	return types.NewUnknown(0, types.NewAttributeTrail(name))
}

func unknownNames(unknown *types.Unknown) []string {
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
