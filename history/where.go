package history

import (
	"encoding/json"
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"

	"callbridge/event"
)

// costLimit bounds the evaluation of a condition for one result, in CEL's units.
const costLimit = 100_000

// Where is a condition on results in CEL. A nil Where holds for every result.
type Where struct{ program cel.Program }

// CompileWhere compiles a condition. It sees the members of a result as docs/nats.md has
// them (result.outcome, result.reason, …), and as data the payload of the event.
func CompileWhere(text string) (*Where, error) {
	if text == "" {
		return nil, nil
	}
	env, err := cel.NewEnv(cel.Variable("result", cel.DynType), cel.Variable("data", cel.DynType))
	if err != nil {
		return nil, fmt.Errorf("make the environment of a condition: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("condition: %w; it sees result and data, as in data.email == \"ada@example.com\" or result.attempts > 1", issues.Err())
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, errors.New("condition: it must be true or false, as in data.email == \"ada@example.com\"")
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	return &Where{program}, nil
}

// holds reports whether the condition is true for a result. A member that is missing, or of
// another type, makes it false.
func (w *Where) holds(r event.Result) bool {
	if w == nil {
		return true
	}
	payload := r.Event.Data
	r.Event.Data = nil
	text, err := event.Marshal(r)
	if err != nil {
		return false
	}
	var envelope struct {
		Data any `json:"data"`
	}
	var data any
	if json.Unmarshal(text, &envelope) != nil || len(payload) > 0 && json.Unmarshal(payload, &data) != nil {
		return false
	}
	got, _, err := w.program.Eval(map[string]any{"result": envelope.Data, "data": data})
	if err != nil {
		return false
	}
	is, ok := got.Value().(bool)
	return ok && is
}
