package callab

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Call is a call as Callab tells it. Every field but ID may be missing, null,
// or of a type that the documentation does not name; it is zero then, and Raw
// still has it.
// Source: https://docs.callab.ai/api-reference/campaign-calls/get-one.
type Call struct {
	ID string `json:"id"`
	// CallSID is the telephony provider's id.
	CallSID      string `json:"call_sid"`
	CompanyID    string `json:"company_id"`
	CampaignID   string `json:"campaign_id"`
	AIAgentID    string `json:"ai_agent_id"`
	ContactID    string `json:"contact_id"`
	CallProvider string `json:"call_provider"`
	CallFrom     string `json:"call_from"`
	CallTo       string `json:"call_to"`
	// CallDuration is in seconds.
	CallDuration int `json:"call_duration"`
	// CallStatus is an open vocabulary; "completed", "failed" and
	// "in-progress" are documented.
	CallStatus    string `json:"call_status"`
	CallDirection string `json:"call_direction"`
	IsTest        bool   `json:"is_test"`
	// CallRating is 1 to 5.
	CallRating         int             `json:"call_rating"`
	CallFeedback       string          `json:"call_feedback"`
	RecordURL          string          `json:"record_url"`
	Transcript         string          `json:"transcript"`
	TranscriptObject   json.RawMessage `json:"transcript_object"`
	TranscriptLanguage string          `json:"transcript_language"`
	// Cost is in PriceUnit, a currency.
	Cost      float64 `json:"cost"`
	PriceUnit string  `json:"price_unit"`
	// Latency is in milliseconds.
	Latency               int             `json:"latency"`
	DisconnectReason      string          `json:"disconnect_reason"`
	AnalysisSentiment     string          `json:"analysis_sentiment"`
	AgentTaskStatus       string          `json:"agent_task_status"`
	AgentTaskFeedback     string          `json:"agent_task_feedback"`
	Metadata              map[string]any  `json:"metadata"`
	AgentDynamicVariables map[string]any  `json:"agent_dynamic_variables"`
	AgentPostCallOutcomes json.RawMessage `json:"agent_post_call_outcomes"`
	Notes                 string          `json:"notes"`
	CreatedAt             Time            `json:"created_at"`
	UpdatedAt             Time            `json:"updated_at"`
	DeletedAt             Time            `json:"deleted_at"`
	StartedAt             Time            `json:"started_at"`
	EndedAt               Time            `json:"ended_at"`
	RetryAt               Time            `json:"retry_at"`
	WorkspaceID           string          `json:"workspace_id"`

	// Raw is the whole object as Callab wrote it, fields that are not above
	// included.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads what can be read; only something that is no JSON object
// is an error.
func (c *Call) UnmarshalJSON(data []byte) error {
	type fields Call
	if len(data) == 0 || data[0] != '{' {
		return errors.New("call is not a JSON object")
	}
	// Only a number where any value may stand needs a Decoder, which copies all
	// that it reads.
	if json.Unmarshal(data, (*fields)(c)) != nil || hasNumber(c.Metadata) || hasNumber(c.AgentDynamicVariables) {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := tolerate(decoder.Decode((*fields)(c))); err != nil {
			return err
		}
	}
	c.Raw = bytes.Clone(data)
	return nil
}

// hasNumber reports whether a number, which may have lost digits, stands
// anywhere in a value.
func hasNumber(value any) bool {
	switch v := value.(type) {
	case float64:
		return true
	case []any:
		return slices.ContainsFunc(v, hasNumber)
	case map[string]any:
		for _, inner := range v {
			if hasNumber(inner) {
				return true
			}
		}
	}
	return false
}

// MarshalJSON writes the object as Callab wrote it.
func (c Call) MarshalJSON() ([]byte, error) {
	if c.Raw == nil {
		return []byte("null"), nil
	}
	return c.Raw, nil
}

// tolerate forgives a value of the wrong type: encoding/json has skipped that
// field and read all the others.
func tolerate(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return nil
	}
	return err
}

// Time is a time that Callab wrote; zero if it wrote none, or none that can be
// read.
type Time struct{ time.Time }

// UnmarshalJSON reads RFC 3339, and the same without a zone, which other pages
// of the documentation show and which is taken for UTC. It never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time = time.Time{}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if parsed, err := time.Parse(layout, text); err == nil {
			t.Time = parsed
			return nil
		}
	}
	return nil
}
