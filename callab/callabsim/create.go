package callabsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Placed is the record of one call that would have been dialled.
type Placed struct {
	Time   time.Time `json:"time"`
	CallID string    `json:"call_id"`
	// Endpoint is "/v1/calls" or "/v1/calls/make-call".
	Endpoint string `json:"endpoint"`
	// Body is the request's body, unchanged.
	Body json.RawMessage `json:"body"`
}

// Mentions reports whether the body holds the text, for example a request id in
// its metadata, notes or variables.
func (p Placed) Mentions(text string) bool { return bytes.Contains(p.Body, []byte(text)) }

// Placed returns every call that was placed, oldest first, without those of
// AddCalls.
func (s *Sim) Placed() []Placed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.placed)
}

// Posts returns the number of requests to place a call, refused ones included.
func (s *Sim) Posts() int { return int(s.posts.Load()) }

// AddCalls adds calls to the list as if another client had placed them. Empty
// fields that every call has are filled in.
func (s *Sim) AddCalls(calls ...Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range calls {
		s.store(c.complete(s.options.Clock()))
	}
}

// store needs mu.
func (s *Sim) store(c Call) {
	s.index[c.ID] = len(s.calls)
	s.calls = append(s.calls, c)
}

func (s *Sim) createCall(x *exchange) { s.placeCall(x, &newCall{}, http.StatusOK) }

func (s *Sim) makeCall(x *exchange) { s.placeCall(x, &testCall{}, http.StatusBadRequest) }

// createBody is the body of an endpoint that places calls.
type createBody interface {
	// to returns the number as written in the body.
	to() string
	validate() error
	call() Call
}

// placeCall answers a request to place a call; an invalid one with the HTTP
// status invalid.
func (s *Sim) placeCall(x *exchange, body createBody, invalid int) {
	err := decode(x.body, body)
	fault := s.nextFault(OnPlace, body.to())
	if fault.beforePlacing(x) {
		return
	}
	if err == nil {
		err = body.validate()
	}
	if err != nil {
		x.refuse(invalid, err.Error())
		return
	}
	call := s.place(body.call(), x)
	s.options.Log.Info("callab.placed", "call_id", call.ID, "to", lastDigits(call.CallTo))
	if !fault.afterPlacing(x, call) {
		x.ok(call)
	}
}

func decode(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return errors.New("body is not the documented JSON object")
	}
	return nil
}

func (s *Sim) place(c Call, x *exchange) Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock()
	c = c.without(s.options.Forgets)
	if s.options.Life != nil {
		c.fate = s.nextFate(c.CallTo)
		c = s.options.Life.begin(c)
	}
	c = c.complete(now)
	s.store(c)
	s.placed = append(s.placed, Placed{Time: now, CallID: c.ID, Endpoint: x.r.URL.Path, Body: x.body})
	return c
}

// newCall is the body of POST /calls: the fields of both documented versions.
type newCall struct {
	CompanyID     string         `json:"company_id"`
	CampaignID    string         `json:"campaign_id"`
	AIAgentID     string         `json:"ai_agent_id"`
	ContactID     string         `json:"contact_id"`
	CallSID       string         `json:"call_sid"`
	CallProvider  string         `json:"call_provider"`
	CallFrom      string         `json:"call_from"`
	CallTo        string         `json:"call_to"`
	CallDirection string         `json:"call_direction"`
	IsTest        bool           `json:"is_test"`
	Metadata      map[string]any `json:"metadata"`
	Variables     map[string]any `json:"agent_dynamic_variables"`
	Notes         string         `json:"notes"`
	WorkspaceID   string         `json:"workspace_id"`
	Workspace     string         `json:"workspace"`
}

func (n *newCall) to() string { return n.CallTo }

func (n *newCall) call() Call {
	return Call{
		CompanyID: n.CompanyID, CampaignID: optional(n.CampaignID), AIAgentID: n.AIAgentID,
		ContactID: optional(n.ContactID), CallSID: n.CallSID, CallProvider: n.CallProvider,
		CallFrom: n.CallFrom, CallTo: n.CallTo, CallDirection: n.CallDirection, IsTest: n.IsTest,
		Metadata: n.Metadata, AgentDynamicVariables: n.Variables, Notes: n.Notes,
		WorkspaceID: cmp.Or(n.WorkspaceID, n.Workspace),
	}
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func (n *newCall) validate() error {
	if n.AIAgentID == "" {
		return errors.New("ai_agent_id is required")
	}
	for _, id := range []struct{ name, value string }{
		{"ai_agent_id", n.AIAgentID}, {"company_id", n.CompanyID}, {"campaign_id", n.CampaignID}, {"contact_id", n.ContactID},
	} {
		if id.value != "" && uuid.Validate(id.value) != nil {
			return fmt.Errorf("%s is not a UUID", id.name)
		}
	}
	switch {
	case !e164.MatchString(n.CallFrom):
		return errors.New("call_from is not an E.164 number")
	case !e164.MatchString(n.CallTo):
		return errors.New("call_to is not an E.164 number")
	case n.CallDirection != "" && n.CallDirection != "outbound" && n.CallDirection != "inbound":
		return errors.New("call_direction is neither outbound nor inbound")
	}
	return nil
}

// testCall is the body of POST /calls/make-call.
// Source: https://docs.callab.ai/api-reference/campaign-calls/make-call.
type testCall struct {
	AIAgentID string `json:"ai_agent_id"`
	CallFrom  string `json:"call_from"`
	CallTo    string `json:"call_to"`
	Variables []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"dynamic_variables"`
	Workspace *string `json:"workspace"`
}

func (t *testCall) to() string { return t.CallTo }

func (t *testCall) call() Call {
	variables := map[string]any{}
	for _, v := range t.Variables {
		variables[v.Name] = v.Value
	}
	c := Call{
		AIAgentID: t.AIAgentID, CallFrom: t.CallFrom, CallTo: t.CallTo, IsTest: true,
		AgentDynamicVariables: variables,
	}
	if t.Workspace != nil {
		c.WorkspaceID = *t.Workspace
	}
	return c
}

const maxWorkspace = 100

func (t *testCall) validate() error {
	if uuid.Validate(t.AIAgentID) != nil {
		return errors.New("ai_agent_id is not a UUID")
	}
	if !dialable(t.CallFrom) {
		return errors.New("call_from is not a telephone number")
	}
	if !dialable(t.CallTo) {
		return errors.New("call_to is not a telephone number")
	}
	for _, v := range t.Variables {
		if v.Name == "" || strings.Contains(v.Name, " ") {
			return errors.New("the name of a dynamic variable is empty or holds spaces")
		}
		if v.Value == "" {
			return fmt.Errorf("dynamic variable %s is empty", v.Name)
		}
	}
	if t.Workspace != nil && (*t.Workspace == "" || len(*t.Workspace) > maxWorkspace) {
		return fmt.Errorf("workspace must have 1 to %d characters", maxWorkspace)
	}
	return nil
}

// numberForm matches the forms of numbers that make-call accepts: E.164,
// national, with separators, with an extension.
var numberForm = regexp.MustCompile(`^\+?[0-9(][0-9 ().\-]*[0-9](?: ext [0-9]{1,6})?$`)

func dialable(number string) bool {
	main, _, _ := strings.Cut(number, " ext ")
	digits := 0
	for _, r := range main {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return numberForm.MatchString(number) && digits >= 7 && digits <= 15
}

// optional returns nil for an empty text, which becomes null.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
