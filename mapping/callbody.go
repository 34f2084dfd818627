package mapping

import (
	"encoding/json"

	"callbridge/mapping/payload"
)

// roomOfCall is what most calls need, in bytes.
const roomOfCall = 640

// encode writes the body of the create call as encoding/json would, and leaves
// <, > and & as they are. By reflection it took longer than to read all fields;
// a test holds both against each other.
func (c *createCall) encode() (json.RawMessage, error) {
	w := callWriter{b: append(make([]byte, 0, roomOfCall), '{')}
	w.text("company_id", c.CompanyID)
	w.text("campaign_id", c.CampaignID)
	w.text("ai_agent_id", c.AIAgentID)
	w.text("contact_id", c.ContactID)
	w.text("call_provider", c.CallProvider)
	w.text(keyCallFrom, c.CallFrom)
	w.always(keyCallTo, c.CallTo)
	w.always("call_direction", c.CallDirection)
	if c.IsTest != nil {
		w.value(keyIsTest, *c.IsTest)
	}
	w.value(keyMetadata, c.Metadata)
	if len(c.Variables) > 0 {
		w.value(keyVariables, c.Variables)
	}
	w.always("notes", c.Notes)
	w.text("workspace_id", c.WorkspaceID)
	w.text("workspace", c.Workspace)
	w.text("call_sid", c.CallSID)
	return append(w.b, '}'), w.err
}

type callWriter struct {
	b   []byte
	err error
}

// text leaves out what is empty.
func (w *callWriter) text(name, text string) {
	if text != "" {
		w.always(name, text)
	}
}

func (w *callWriter) always(name, text string) {
	if w.key(name); w.err == nil {
		w.b, w.err = payload.AppendText(w.b, text)
	}
}

func (w *callWriter) value(name string, v payload.Value) {
	if w.key(name); w.err == nil {
		w.b, w.err = payload.Append(w.b, v)
	}
}

func (w *callWriter) key(name string) {
	if len(w.b) > 1 {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), '"', ':')
}
