package callab

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// NewCall is the body of POST /calls: the fields of both documented versions
// of it. Callab ignores or refuses what its version does not know.
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
	// IsTest is left out if nil; false is sent.
	IsTest *bool `json:"is_test,omitempty"`
	// Metadata comes back with the call. The newer documentation has no
	// such field in the body.
	Metadata map[string]any `json:"metadata,omitempty"`
	// AgentDynamicVariables are what the agent may speak of.
	AgentDynamicVariables map[string]string `json:"agent_dynamic_variables,omitempty"`
	// Notes are covered by the search of GET /calls/query.
	Notes       string `json:"notes,omitempty"`
	WorkspaceID string `json:"workspace_id,omitempty"`
	// Workspace is the slug (newer documentation); Callab's default is
	// "default".
	Workspace string `json:"workspace,omitempty"`
}

// UnmarshalJSON keeps the digits of numbers in Metadata (json.Number): ids are
// often longer than a float64 is exact.
func (n *NewCall) UnmarshalJSON(data []byte) error {
	type fields NewCall
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode((*fields)(n))
}

// TestCall is the same call as a body of POST /calls/make-call. That endpoint
// takes neither metadata nor notes; what must come back has to be a variable.
// Variables without a value are left out, since it refuses them.
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
// spaces; neither may be empty.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
