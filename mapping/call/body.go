package call

// Body is the body of Callab's create call, in the order of Callab's documentation
// of POST /calls. workspace and call_sid are of a newer version of it.
type Body struct {
	CompanyID     string            `json:"company_id,omitempty"`
	CampaignID    string            `json:"campaign_id,omitempty"`
	AIAgentID     string            `json:"ai_agent_id,omitempty"`
	ContactID     string            `json:"contact_id,omitempty"`
	CallProvider  string            `json:"call_provider,omitempty"`
	CallFrom      string            `json:"call_from,omitempty"`
	CallTo        string            `json:"call_to"`
	CallDirection string            `json:"call_direction"`
	IsTest        *bool             `json:"is_test,omitempty"`
	Metadata      map[string]any    `json:"metadata"`
	Variables     map[string]string `json:"agent_dynamic_variables,omitempty"`
	Notes         string            `json:"notes"`
	WorkspaceID   string            `json:"workspace_id,omitempty"`
	Workspace     string            `json:"workspace,omitempty"`
	CallSID       string            `json:"call_sid,omitempty"`
}

// roomOfCall is what most calls need, in bytes.
const roomOfCall = 640
