package callabsim

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Call is a call object in the form of GET /calls/{id}, with every documented
// field. Pointers are the fields that are documented as nullable. The client has
// its own struct on purpose: a wrong field name that both share would not be
// found by any test.
// Source: https://docs.callab.ai/api-reference/campaign-calls/get-one.
type Call struct {
	ID                    string            `json:"id"`
	CallSID               string            `json:"call_sid"`
	CompanyID             string            `json:"company_id"`
	CampaignID            *string           `json:"campaign_id"`
	AIAgentID             string            `json:"ai_agent_id"`
	ContactID             *string           `json:"contact_id"`
	CallProvider          string            `json:"call_provider"`
	CallFrom              string            `json:"call_from"`
	CallTo                string            `json:"call_to"`
	CallDuration          int               `json:"call_duration"`
	CallStatus            string            `json:"call_status"`
	CallDirection         string            `json:"call_direction"`
	IsTest                bool              `json:"is_test"`
	CallRating            int               `json:"call_rating"`
	CallFeedback          *string           `json:"call_feedback"`
	RecordURL             *string           `json:"record_url"`
	Transcript            *string           `json:"transcript"`
	TranscriptObject      map[string]any    `json:"transcript_object"`
	TranscriptLanguage    *string           `json:"transcript_language"`
	Cost                  float64           `json:"cost"`
	PriceUnit             string            `json:"price_unit"`
	Latency               int               `json:"latency"`
	DisconnectReason      string            `json:"disconnect_reason"`
	AnalysisSentiment     string            `json:"analysis_sentiment"`
	AgentTaskStatus       string            `json:"agent_task_status"`
	AgentTaskFeedback     string            `json:"agent_task_feedback"`
	Metadata              map[string]any    `json:"metadata"`
	AgentDynamicVariables map[string]any    `json:"agent_dynamic_variables"`
	AgentPostCallOutcomes map[string]string `json:"agent_post_call_outcomes"`
	Notes                 string            `json:"notes"`
	CreatedAt             time.Time         `json:"created_at"`
	UpdatedAt             time.Time         `json:"updated_at"`
	DeletedAt             *time.Time        `json:"deleted_at"`
	StartedAt             *time.Time        `json:"started_at"`
	EndedAt               *time.Time        `json:"ended_at"`
	RetryAt               *time.Time        `json:"retry_at"`
	WorkspaceID           string            `json:"workspace_id"`

	// fate is what becomes of the call; "" if Options.Life is nil.
	fate Fate
}

// simCompany is the company of a call whose request has none.
const simCompany = "6f1d2c3b-4a59-4687-8796-a5b4c3d2e1f0"

// complete returns the call with the fields filled in that every call has.
func (c Call) complete(now time.Time) Call {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&c.ID, uuid.NewString())
	set(&c.CallSID, "SIM"+strings.ReplaceAll(c.ID, "-", ""))
	set(&c.CompanyID, simCompany)
	set(&c.CallProvider, "simulator")
	set(&c.CallStatus, "in-progress")
	set(&c.CallDirection, "outbound")
	set(&c.PriceUnit, "USD")
	set(&c.WorkspaceID, "default")
	if c.AgentPostCallOutcomes == nil {
		c.AgentPostCallOutcomes = map[string]string{}
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now.UTC()
	}
	if c.UpdatedAt.IsZero() {
		c.UpdatedAt = c.CreatedAt
	}
	return c
}

// without returns the call without the named fields.
func (c Call) without(fields []string) Call {
	for _, field := range fields {
		switch field {
		case "metadata":
			c.Metadata = nil
		case "notes":
			c.Notes = ""
		case "agent_dynamic_variables":
			c.AgentDynamicVariables = nil
		default:
			panic("callabsim: no field " + field + " can be forgotten")
		}
	}
	return c
}

// unanswered is a number at which calls fail after RingTime.
const unanswered = "+12025550189"

// at returns the state of the call at a time, which depends only on its age.
func (s *Sim) at(c Call, now time.Time) Call {
	if c.fate != "" {
		return s.options.Life.at(c, now)
	}
	answered := c.CreatedAt.Add(s.options.RingTime)
	if s.options.CallLength == 0 || c.EndedAt != nil || now.Before(answered) {
		return c
	}
	if s.options.MagicNumbers && c.CallTo == unanswered {
		c.CallStatus, c.DisconnectReason = "failed", "no-answer"
		c.EndedAt, c.UpdatedAt = &answered, answered
		return c
	}
	c.StartedAt, c.UpdatedAt = &answered, answered
	if ended := answered.Add(s.options.CallLength); !now.Before(ended) {
		return c.ended(ended, s.options.CallLength)
	}
	return c
}

// ended returns the call as completed at a time.
func (c Call) ended(at time.Time, length time.Duration) Call {
	name, ok := c.AgentDynamicVariables["first_name"].(string)
	if !ok {
		name = "there"
	}
	text := fmt.Sprintf("Agent: Hello %s, is this a good time?\nUser: Yes, go ahead.\nAgent: Thank you, goodbye.", name)
	record, language := "https://recordings.example.com/"+c.ID+".mp3", "en"
	c.CallStatus, c.DisconnectReason = "completed", "user_hangup"
	c.EndedAt, c.UpdatedAt = &at, at
	c.CallDuration, c.Latency = int(length.Seconds()), 420
	c.Cost = float64(c.CallDuration) / 600
	c.Transcript, c.TranscriptLanguage, c.RecordURL = &text, &language, &record
	c.TranscriptObject = map[string]any{"turns": strings.Split(text, "\n")}
	c.AnalysisSentiment, c.AgentTaskStatus = "positive", "completed"
	c.AgentPostCallOutcomes = maps.Clone(c.AgentPostCallOutcomes)
	c.AgentPostCallOutcomes["interested"] = "yes"
	return c
}

// lastDigits returns the part of a number that may be logged.
func lastDigits(number string) string { return "…" + number[max(0, len(number)-2):] }
