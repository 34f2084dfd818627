package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"callbridge/event"
)

const (
	// maxVariables and maxVariableRunes keep a CRM's text from filling the
	// agent's prompt. No provider publishes a limit.
	maxVariables     = 40
	maxVariableRunes = 500
)

const reasonBadCall = event.ReasonBadCall

var variableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// callTemplate is the call of a route, read for the fields of one s.
type callTemplate struct {
	slots     []slot
	isTest    *template
	metadata  jsonTemplate
	variables []variable
	// to is the field that call_to names; empty for a literal.
	to string
}

type variable struct {
	name string
	text template
}

func readCall(at node, s scope, warnings *Problems) *callTemplate {
	keys, ok := at.known(callSectionKeys())
	if !ok {
		return nil
	}
	c := &callTemplate{}
	for _, key := range callKeys {
		if n, ok := keys.get(key.name); ok {
			read := readSlot(n, key, s)
			c.slots = append(c.slots, read)
			if tag, ok := read.text.single(); ok && key.name == keyCallTo {
				c.to = tag.name
			}
		}
	}
	if _, ok := keys.get(keyCallTo); !ok {
		at.problem(`"call_to" is missing`, "name the field with the number to dial")
	}
	if n, ok := keys.get(keyIsTest); ok {
		c.isTest = readBoolean(n, s)
	}
	if n, ok := keys.get(keyMetadata); ok {
		c.metadata = readMetadata(n, s, warnings)
	}
	if n, ok := keys.get(keyVariables); ok {
		c.variables = readVariables(n, s)
	}
	return c
}

// readBoolean takes true, false or a field of type bool.
func readBoolean(at node, s scope) *template {
	text := plainText(at)
	if text == "true" || text == "false" {
		return &template{parts: []part{{literal: text}}}
	}
	if !strings.Contains(text, "{{") {
		text = "{{" + text + "}}"
	}
	before := len(*at.doc.problems)
	t := readTemplate(at, text, s, false)
	tag, single := t.single()
	if len(*at.doc.problems) == before && (!single || s.kindOf(tag.name) != typeBool) {
		at.problem("must be true, false or a field of type bool", "")
	}
	return &t
}

func readVariables(at node, s scope) []variable {
	named, ok := at.object()
	if !ok {
		return nil
	}
	if len(named.keys) > maxVariables {
		at.problem(fmt.Sprintf("%d variables; at most %d are allowed", len(named.keys), maxVariables), "")
	}
	var variables []variable
	for _, name := range named.keys {
		if !variableName.MatchString(name) {
			named.names[name].problem("a variable is letters, digits and _, and begins with a letter", "")
		}
		n := named.values[name]
		text := plainText(n)
		switch {
		case strings.TrimSpace(text) == "":
			n.problem("is empty", "an agent would read nothing; leave the variable out")
		case s.declares(text):
			n.problem(quote(text)+" is the name of a field, not its value", `write "{{`+text+`}}" for its value`)
		}
		variables = append(variables, variable{name, readTemplate(n, text, s, false)})
	}
	return variables
}

// build makes the call for one event. call_to comes first: where the number is
// missing, that is what the result says.
func (c *callTemplate) build(r *reader, requestID string) (*createCall, *refusal) {
	call := &createCall{CallDirection: directions[0], Notes: notesPrefix + requestID}
	if c.to != "" && r.read(c.to).state != there {
		return nil, refuse(r, c.to)
	}
	for _, s := range c.slots {
		text, refused := s.render(r)
		if refused != nil {
			return nil, refused
		}
		if text != "" {
			*s.key.field(call) = text
		}
	}
	if c.isTest != nil {
		text, refused := c.isTest.render(r)
		if refused != nil {
			return nil, refused
		}
		isTest := boolWords[text]
		call.IsTest = &isTest
	}
	var refused *refusal
	if call.Variables, refused = c.speak(r); refused != nil {
		return nil, refused
	}
	if call.Metadata, refused = c.metadata.object(r); refused != nil {
		return nil, refused
	}
	call.Metadata[requestIDKey] = requestID
	return call, nil
}

// speak fills the variables in. An empty one would make the agent stumble.
func (c *callTemplate) speak(r *reader) (map[string]string, *refusal) {
	if len(c.variables) == 0 {
		return nil, nil
	}
	texts := make(map[string]string, len(c.variables))
	for _, v := range c.variables {
		text, refused := v.text.render(r)
		if refused != nil {
			return nil, refused
		}
		if text = capped(spoken(text), maxVariableRunes); text == "" {
			return nil, &refusal{reasonMissing, v.field(), "the variable " + v.name + " is empty"}
		}
		texts[v.name] = text
	}
	return texts, nil
}

// field is the first field that the variable names.
func (v variable) field() string {
	i := slices.IndexFunc(v.text.parts, func(p part) bool { return p.name != "" })
	if i < 0 {
		return v.name
	}
	return v.text.parts[i].name
}
