package callab

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
)

// Call is the call object of Callab's answers: the documented fields that this
// client's users need. Every field but ID may be missing, null, or of another
// type than documented; it is then zero. Raw has the whole object.
//
// callabsim has its own struct of the same object on purpose: a wrong field
// name that both share would not be found by any test.
// Source: https://docs.callab.ai/api-reference/campaign-calls/get-one.
type Call struct {
	ID     string `json:"id"`
	CallTo string `json:"call_to"`
	// CallStatus is an open vocabulary; "completed", "failed" and
	// "in-progress" are documented.
	CallStatus string `json:"call_status"`
	// CallDuration is in seconds.
	CallDuration          int            `json:"call_duration"`
	Metadata              map[string]any `json:"metadata"`
	AgentDynamicVariables map[string]any `json:"agent_dynamic_variables"`
	Notes                 string         `json:"notes"`
	CreatedAt             Time           `json:"created_at"`
	UpdatedAt             Time           `json:"updated_at"`
	StartedAt             Time           `json:"started_at"`
	EndedAt               Time           `json:"ended_at"`

	// Raw is the object as Callab wrote it, or its id, number, status and time
	// only, if it exceeds a bound (bound.go).
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON decodes a call object and ignores fields of the wrong type. It
// fails only if data is not a JSON object. Numbers in Metadata and
// AgentDynamicVariables are json.Number, which keeps all digits of long ids.
func (c *Call) UnmarshalJSON(data []byte) error {
	type fields Call
	if len(data) == 0 || data[0] != '{' {
		return errors.New("call is not a JSON object")
	}
	if err := ignoreWrongType(decodeNumbers(data, (*fields)(c))); err != nil {
		return err
	}
	c.Raw = bounded(data, c)
	return nil
}

// MarshalJSON returns Raw.
func (c Call) MarshalJSON() ([]byte, error) {
	if c.Raw == nil {
		return []byte("null"), nil
	}
	return c.Raw, nil
}

func decodeNumbers(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// ignoreWrongType drops an error about a value of the wrong type: encoding/json
// has then skipped that field and decoded all others.
func ignoreWrongType(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return nil
	}
	return err
}

// Time is a time in a call object; zero if it is missing or cannot be parsed.
type Time struct {
	time.Time
	// NoZone: it was written without a zone, and UTC is an assumption.
	NoZone bool
}

// UnmarshalJSON parses RFC 3339, and the same without a zone, which other pages
// of the documentation show, as UTC. It never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	*t = Time{}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if parsed, err := time.Parse(layout, text); err == nil {
			t.Time, t.NoZone = parsed, layout != time.RFC3339
			return nil
		}
	}
	return nil
}

// NewCall is the body of POST /calls: the fields of both documented versions.
// What Callab does with the fields of the other version is not documented.
// Source: https://docs.callab.ai/api-reference/endpoint/create and
// https://docs.callab.ai/api-reference/campaign-calls/create.
type NewCall struct {
	CompanyID  string `json:"company_id,omitempty"`
	CampaignID string `json:"campaign_id,omitempty"`
	AIAgentID  string `json:"ai_agent_id,omitempty"`
	ContactID  string `json:"contact_id,omitempty"`
	// CallSID is the telephony provider's own id (newer documentation).
	CallSID      string `json:"call_sid,omitempty"`
	CallProvider string `json:"call_provider,omitempty"`
	// CallFrom and CallTo are E.164 numbers.
	CallFrom string `json:"call_from,omitempty"`
	CallTo   string `json:"call_to,omitempty"`
	// CallDirection is "outbound" or "inbound".
	CallDirection string `json:"call_direction,omitempty"`
	// IsTest is omitted if nil; false is sent.
	IsTest *bool `json:"is_test,omitempty"`
	// Metadata is returned with the call. The newer documentation has no
	// such field in the body.
	Metadata map[string]any `json:"metadata,omitempty"`
	// AgentDynamicVariables can be used in the agent's prompt.
	AgentDynamicVariables map[string]string `json:"agent_dynamic_variables,omitempty"`
	// Notes are covered by the search of GET /calls/query.
	Notes       string `json:"notes,omitempty"`
	WorkspaceID string `json:"workspace_id,omitempty"`
	// Workspace is the slug (newer documentation); Callab's default is
	// "default".
	Workspace string `json:"workspace,omitempty"`
}

// UnmarshalJSON decodes numbers in Metadata as json.Number, which keeps all
// digits of long ids.
func (n *NewCall) UnmarshalJSON(data []byte) error {
	type fields NewCall
	return decodeNumbers(data, (*fields)(n))
}

// TestCall returns the same call as a body of POST /calls/make-call. That
// endpoint has neither metadata nor notes: a value that must be returned with
// the call has to be a variable. Empty variables are omitted, since the endpoint
// refuses them.
func (n NewCall) TestCall() TestCall {
	t := TestCall{
		AIAgentID: n.AIAgentID, CallFrom: n.CallFrom, CallTo: n.CallTo,
		Workspace: cmp.Or(n.Workspace, n.WorkspaceID),
	}
	for _, name := range slices.Sorted(maps.Keys(n.AgentDynamicVariables)) {
		if value := n.AgentDynamicVariables[name]; value != "" {
			t.DynamicVariables = append(t.DynamicVariables, Variable{Name: name, Value: value})
		}
	}
	return t
}

// TestCall is the body of POST /calls/make-call.
// Source: https://docs.callab.ai/api-reference/campaign-calls/make-call.
type TestCall struct {
	AIAgentID        string     `json:"ai_agent_id"`
	CallFrom         string     `json:"call_from"`
	CallTo           string     `json:"call_to"`
	DynamicVariables []Variable `json:"dynamic_variables,omitempty"`
	// Workspace is at most 100 characters; Callab's default is "default".
	Workspace string `json:"workspace,omitempty"`
}

// Variable is one dynamic variable of a TestCall. Its name must not hold
// spaces; neither name nor value may be empty.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
