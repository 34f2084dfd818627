package mapping

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/mapping/phone"
)

// createCall is the body of Callab's create call, in the order of Callab's
// documentation of POST /calls. workspace and call_sid are of a newer version
// of it. What the fields mean is Callab's matter.
type createCall struct {
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

// form is how the value of a key of a call is written.
type form int

const (
	// formText is literal text with merge tags.
	formText form = iota
	// formUUID and formPhone cannot be a bare word, so that a bare word is
	// the name of a field.
	formUUID
	formPhone
	formDirection
)

// callKey is a key of the call whose value is one text.
type callKey struct {
	name  string
	form  form
	field func(*createCall) *string
	doc   string
}

var callKeys = []callKey{
	{"company_id", formUUID, func(c *createCall) *string { return &c.CompanyID }, "Callab's id of your company (UUID)."},
	{"campaign_id", formUUID, func(c *createCall) *string { return &c.CampaignID }, "Campaign the call belongs to (UUID)."},
	{"ai_agent_id", formUUID, func(c *createCall) *string { return &c.AIAgentID }, "Agent that speaks (UUID)."},
	{"contact_id", formUUID, func(c *createCall) *string { return &c.ContactID }, "Callab's id of the contact (UUID)."},
	{"call_provider", formText, func(c *createCall) *string { return &c.CallProvider }, "Telephony provider."},
	{keyCallFrom, formPhone, func(c *createCall) *string { return &c.CallFrom }, "Number the call comes from."},
	{keyCallTo, formPhone, func(c *createCall) *string { return &c.CallTo }, "Number to dial: the name of a field of type phone."},
	{"call_direction", formDirection, func(c *createCall) *string { return &c.CallDirection }, "outbound, unless inbound is written."},
	{"notes", formText, func(c *createCall) *string { return &c.Notes }, "Note on the call; callbridge and the request id without it."},
	{"workspace_id", formText, func(c *createCall) *string { return &c.WorkspaceID }, "Workspace."},
	{"workspace", formText, func(c *createCall) *string { return &c.Workspace }, "Workspace, in newer versions of the API."},
	{"call_sid", formText, func(c *createCall) *string { return &c.CallSID }, "Id of the call at the provider, in newer versions of the API."},
}

const (
	keyCallTo    = "call_to"
	keyCallFrom  = "call_from"
	keyIsTest    = "is_test"
	keyMetadata  = "metadata"
	keyVariables = "agent_dynamic_variables"
	// requestIDKey of the metadata is callbridge's own: by it a call is found
	// in Callab's list when the answer was lost.
	requestIDKey = "callbridge_request_id"
	notesPrefix  = "callbridge "
)

func callSectionKeys() []Key {
	keys := make([]Key, 0, len(callKeys)+3)
	for _, k := range callKeys {
		keys = append(keys, Key{Name: k.name, Kind: "text", Doc: k.doc})
	}
	return append(keys,
		Key{Name: keyIsTest, Kind: "bool", Doc: "Marks the call as a test; true, false or a field of type bool."},
		Key{Name: keyMetadata, Kind: "any", Doc: "Any JSON; comes back with the call. A text that is one {{field}} keeps the field's type."},
		Key{Name: keyVariables, Kind: "object", Doc: "What the agent may say: name → text."})
}

// slot is a key of a call with its template.
type slot struct {
	key  callKey
	text template
}

// readSlot reads one text of the call for the fields of one s.
func readSlot(at node, key callKey, s scope) slot {
	text := strings.TrimSpace(plainText(at))
	read := slot{key: key}
	bare := s.declares(text)
	switch {
	case text == "":
		at.problem("is empty", "leave the key out")
	case bare && (key.form == formUUID || key.form == formPhone):
		read.text = readTemplate(at, "{{"+text+"}}", s, false)
	case bare:
		at.problem(quote(text)+" is the name of a field, not its value", `write "{{`+text+`}}" for its value`)
	case strings.Contains(text, "{{"):
		read.text = readTemplate(at, text, s, false)
	default:
		read.text = template{parts: []part{{literal: spoken(text)}}}
		checkLiteral(at, key, text, s)
	}
	if key.form == formPhone {
		checkPhoneSlot(at, key, read.text, s)
	}
	return read
}

// checkLiteral checks at load what is written out.
func checkLiteral(at node, key callKey, text string, s scope) {
	switch key.form {
	case formUUID:
		if !isUUID(text) {
			at.problem(quote(text)+" is neither a UUID nor a declared name", suggest(text, s.names()))
		}
	case formDirection:
		oneOf(at, directions)
	case formPhone:
		_, err := phone.Parse(text, phone.Options{})
		if event.IsE164(text) && (err == nil || key.name == keyCallFrom) {
			return
		}
		at.problem("neither a phone number with + and country code nor a declared name", suggest(text, s.names()))
	}
}

var directions = []string{"outbound", "inbound"}

// checkPhoneSlot allows one field of type phone and nothing around it.
func checkPhoneSlot(at node, key callKey, text template, s scope) {
	if text.literal() {
		return
	}
	tag, single := text.single()
	switch {
	case !single:
		at.problem("a number is one field or one literal", "write the name of the field alone")
	case s.kindOf(tag.name) != typePhone:
		at.problem(quote(tag.name)+" is of type "+s.kindOf(tag.name)+", not phone", "declare the field with type: phone")
	case tag.fallback != nil && key.name == keyCallTo:
		at.problem("the number to dial has no fallback", "somebody would be called who did nothing")
	}
}

// render fills the text in and checks what only the event can tell.
func (s slot) render(r *reader) (string, *refusal) {
	text, refused := s.text.render(r)
	if refused != nil {
		return "", refused
	}
	if s.text.literal() {
		return text, nil // checked at load
	}
	text = spoken(text)
	switch {
	case s.key.form == formUUID && !isUUID(text):
		return "", &refusal{reasonBadCall, s.key.name, s.key.name + " is no UUID"}
	case s.key.form == formPhone && !event.IsE164(text):
		return "", &refusal{reasonBadCall, s.key.name, s.key.name + " is no phone number"}
	case s.key.form == formDirection && !slices.Contains(directions, text):
		return "", &refusal{reasonBadCall, s.key.name, s.key.name + " is neither inbound nor outbound"}
	}
	return text, nil
}

// isUUID takes the usual form only: uuid.Parse also takes braces and urn:,
// which are longer, and bare digits, which are shorter.
func isUUID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil && len(text) == len("00000000-0000-0000-0000-000000000000")
}
