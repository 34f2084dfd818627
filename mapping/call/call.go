// Package call makes the body of Callab's create call from the values of one
// event: it reads call: of a route, with merge tags ({{field}}) in its texts, and
// fills it in. A call that lacks a value it needs is refused with a reason.
package call

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/phone"
)

const (
	// maxVariables keeps a CRM's texts from filling the agent's prompt. No provider
	// publishes a limit.
	maxVariables = 40
	// requestIDKey is a key of the metadata that only callbridge sets: it finds
	// the call in Callab's list if the answer to the create call was lost.
	requestIDKey = "callbridge_request_id"
	notesPrefix  = "callbridge "
)

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

	// Cuts are the texts that were longer than their maximum.
	Cuts []Cut `json:"-"`
}

// format is how the value of a key of a call is written.
type format int

const (
	// formatText is literal text with merge tags.
	formatText format = iota
	// formatUUID and formatPhone are never a bare word: a bare word is the name
	// of a field there.
	formatUUID
	formatPhone
	formatDirection
)

// textKey is a key of the call whose value is one text.
type textKey struct {
	name   string
	format format
	member func(*Body) *string
}

var textKeys = []textKey{
	{"company_id", formatUUID, func(b *Body) *string { return &b.CompanyID }},
	{"campaign_id", formatUUID, func(b *Body) *string { return &b.CampaignID }},
	{"ai_agent_id", formatUUID, func(b *Body) *string { return &b.AIAgentID }},
	{"contact_id", formatUUID, func(b *Body) *string { return &b.ContactID }},
	{"call_provider", formatText, func(b *Body) *string { return &b.CallProvider }},
	{"call_from", formatPhone, func(b *Body) *string { return &b.CallFrom }},
	{"call_to", formatPhone, func(b *Body) *string { return &b.CallTo }},
	{"call_direction", formatDirection, func(b *Body) *string { return &b.CallDirection }},
	{"notes", formatText, func(b *Body) *string { return &b.Notes }},
	{"workspace_id", formatText, func(b *Body) *string { return &b.WorkspaceID }},
	{"workspace", formatText, func(b *Body) *string { return &b.Workspace }},
	{"call_sid", formatText, func(b *Body) *string { return &b.CallSID }},
}

// Call is call: of a route, read for the names of one source.
type Call struct {
	texts     []text
	isTest    *Template
	metadata  jsonTemplate
	variables []variable
	to        string
}

// text is a key of a call with its template.
type text struct {
	key      textKey
	template Template
	// max is how many characters the notes may have.
	max int
}

type variable struct {
	name     string
	template Template
	max      int
}

// Read reads call:. It returns nil if the value is not a mapping.
func Read(at config.Node, s Scope) *Call {
	keys, ok := at.Known(config.CallKeys)
	if !ok {
		return nil
	}
	c := &Call{}
	for _, key := range textKeys {
		if n, ok := keys.Get(key.name); ok {
			read := readText(n, key, s)
			c.texts = append(c.texts, read)
			if tag, ok := read.template.Single(); ok && key.name == "call_to" {
				c.to = tag.Name
			}
		}
	}
	if _, ok := keys.Get("call_to"); !ok {
		at.Problem(`"call_to" is missing`, "name the field with the number to dial")
	}
	if _, ok := keys.Get("ai_agent_id"); !ok {
		at.Warn(`"ai_agent_id" is missing: Callab refuses a create call without an agent`, "write the id of the agent")
	}
	if n, ok := keys.Get("is_test"); ok {
		c.isTest = readBool(n, s)
	}
	if n, ok := keys.Get("metadata"); ok {
		c.metadata = readMetadata(n, s)
	}
	if n, ok := keys.Get("agent_dynamic_variables"); ok {
		c.variables = readVariables(n, s)
	}
	return c
}

func readText(at config.Node, key textKey, s Scope) text {
	read := text{key: key}
	if key.name == "notes" {
		if at, read.max = readLimited(at, maxNotes, maxNotes); read.max == 0 {
			return read
		}
	}
	written := strings.TrimSpace(at.PlainText())
	isName := s.Declares(written)
	switch {
	case written == "":
		at.Problem("is empty", "leave the key out")
	case isName && (key.format == formatUUID || key.format == formatPhone):
		read.template = ReadTemplate(at, "{{"+written+"}}", s, false)
	case isName:
		at.Problem(strconv.Quote(written)+" is the name of a field, not its value", `write "{{`+written+`}}" for its value`)
	case strings.Contains(written, "{{"):
		read.template = ReadTemplate(at, written, s, false)
	default:
		read.template = Template{Parts: []Part{{Literal: sanitized(written)}}}
		checkLiteral(at, key, written, s)
	}
	if key.format == formatPhone {
		checkPhone(at, key, read.template, s)
	}
	return read
}

// checkLiteral checks a value without tags when the configuration is loaded.
func checkLiteral(at config.Node, key textKey, literal string, s Scope) {
	switch key.format {
	case formatUUID:
		if !isUUID(literal) {
			at.Problem(strconv.Quote(literal)+" is neither a UUID nor a declared name", config.Suggest(literal, s.Names()))
		}
	case formatDirection:
		at.OneOf(config.CallDirections)
	case formatPhone:
		_, err := phone.Parse(literal, phone.Options{})
		if event.IsE164(literal) && (err == nil || key.name == "call_from") {
			return
		}
		at.Problem("neither a phone number with + and country code nor a declared name", config.Suggest(literal, s.Names()))
	}
}

// checkPhone allows one field of type phone and no other text.
func checkPhone(at config.Node, key textKey, t Template, s Scope) {
	if t.isLiteral() {
		return
	}
	tag, single := t.Single()
	switch {
	case !single:
		at.Problem("a number is one field or one literal", "write the name of the field alone")
	case s.TypeOf(tag.Name) != field.TypePhone:
		at.Problem(strconv.Quote(tag.Name)+" is of type "+s.TypeOf(tag.Name)+", not phone", "declare the field with type: phone")
	case tag.fallback != nil && key.name == "call_to":
		at.Problem("the number to dial has no fallback", "a person unrelated to the event would be called")
	}
}

// readBool reads true, false or a field of type bool.
func readBool(at config.Node, s Scope) *Template {
	written := at.PlainText()
	if written == "true" || written == "false" {
		return &Template{Parts: []Part{{Literal: written}}}
	}
	if !strings.Contains(written, "{{") {
		written = "{{" + written + "}}"
	}
	before := at.Problems()
	t := ReadTemplate(at, written, s, false)
	tag, single := t.Single()
	if at.Problems() == before && (!single || s.TypeOf(tag.Name) != field.TypeBool) {
		at.Problem("must be true, false or a field of type bool", "")
	}
	return &t
}

func readVariables(at config.Node, s Scope) []variable {
	named, ok := at.Object()
	if !ok {
		return nil
	}
	if len(named.Keys) > maxVariables {
		at.Problem(fmt.Sprintf("%d variables; at most %d are allowed", len(named.Keys), maxVariables), "")
	}
	var variables []variable
	for _, name := range named.Keys {
		refuseOwnKey(named, name)
		if !config.VariableName.MatchString(name) {
			named.Name(name).Problem("a variable is letters, digits and _, and begins with a letter", "")
		}
		n, limit := readLimited(named.Value(name), defaultVariable, maxVariable)
		if limit == 0 {
			continue
		}
		written := n.PlainText()
		switch {
		case strings.TrimSpace(written) == "":
			n.Problem("is empty", "an agent would read nothing; leave the variable out")
		case s.Declares(written):
			n.Problem(strconv.Quote(written)+" is the name of a field, not its value", `write "{{`+written+`}}" for its value`)
		}
		v := variable{name, ReadTemplate(n, written, s, false), limit}
		if v.template.isLiteral() && longer(written, limit) {
			n.Warn(fmt.Sprintf("the text has more than %d characters and is cut", limit), `write {text: "…", max: 500}, or a shorter text`)
		}
		variables = append(variables, v)
	}
	return variables
}

// To is the field that call_to names, "" for a literal number.
func (c *Call) To() string { return c.to }

// Build fills the call in for one event. If the number to dial is missing, that
// is the reason of the refusal, whatever else is missing.
func (c *Call) Build(values *field.Values, requestID string) (*Body, *field.Refusal) {
	body := &Body{CallDirection: config.CallDirections[0], Notes: notesPrefix + requestID}
	if c.to != "" && values.Get(c.to).State != field.Present {
		return nil, values.Refuse(c.to)
	}
	cut := (*cuts)(&body.Cuts)
	for _, t := range c.texts {
		filled, refused := t.render(values, cut)
		if refused != nil {
			return nil, refused
		}
		if filled != "" {
			*t.key.member(body) = filled
		}
	}
	if c.isTest != nil {
		filled, refused := c.isTest.Render(values)
		if refused != nil {
			return nil, refused
		}
		isTest := filled == "true"
		body.IsTest = &isTest
	}
	var refused *field.Refusal
	if body.Variables, refused = c.renderVariables(values, cut); refused != nil {
		return nil, refused
	}
	if body.Metadata, refused = c.metadata.object(values, cut); refused != nil {
		return nil, refused
	}
	body.Metadata[requestIDKey] = requestID
	return body, nil
}

// render fills the text in and checks its format.
func (t text) render(values *field.Values, cut *cuts) (string, *field.Refusal) {
	filled, refused := t.template.Render(values)
	if refused != nil {
		return "", refused
	}
	if t.template.isLiteral() {
		return filled, nil // checked at load
	}
	filled = sanitized(filled)
	problem := ""
	switch {
	case t.key.format == formatUUID && !isUUID(filled):
		problem = " is not a UUID"
	case t.key.format == formatPhone && !event.IsE164(filled):
		problem = " is not a phone number"
	case t.key.format == formatDirection && !slices.Contains(config.CallDirections, filled):
		problem = " is neither inbound nor outbound"
	case t.key.name == "notes":
		return cut.limit(filled, t.max, "notes", ""), nil
	default:
		return filled, nil
	}
	return "", &field.Refusal{Reason: event.ReasonBadCall, Field: t.key.name, Detail: t.key.name + problem}
}

// renderVariables fills the variables in. It refuses an empty one, which the
// agent would speak as a gap.
func (c *Call) renderVariables(values *field.Values, cut *cuts) (map[string]string, *field.Refusal) {
	if len(c.variables) == 0 {
		return nil, nil
	}
	texts := make(map[string]string, len(c.variables))
	for _, v := range c.variables {
		filled, refused := v.template.Render(values)
		if refused != nil {
			return nil, refused
		}
		filled = cut.limit(sanitized(filled), v.max, "agent_dynamic_variables", v.name)
		if filled == "" {
			return nil, &field.Refusal{
				Reason: event.ReasonMissingField, Field: v.firstField(), Detail: "the variable " + v.name + " is empty",
			}
		}
		texts[v.name] = filled
	}
	return texts, nil
}

// firstField is the first field that the variable uses.
func (v variable) firstField() string {
	i := slices.IndexFunc(v.template.Parts, func(p Part) bool { return p.Name != "" })
	if i < 0 {
		return v.name
	}
	return v.template.Parts[i].Name
}

// isUUID accepts only the canonical form: uuid.Parse also accepts braces, urn:
// and bare digits.
func isUUID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil && len(text) == len("00000000-0000-0000-0000-000000000000")
}
