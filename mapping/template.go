package mapping

import (
	"slices"
	"strings"
	"unicode"

	"callbridge/event"
)

// template is text with merge tags: {{field}}, {{field|text if it is not
// there}} and, for times, {{field:2 January 2006}}.
type template struct {
	parts []part
}

// part is literal text or, with a name, a merge tag.
type part struct {
	literal  string
	name     string
	layout   string
	fallback *string
}

// scope is what a call may name: the fields of a source, and of the optional
// ones those without a fallback that the route's rule asks for with present.
type scope struct {
	*Source
	asked []string
}

// mayLack reports whether the name may have no value when the call is made.
func (s scope) mayLack(name string) bool {
	return s.optional(name) && s.fields[name].fallback == nil && !slices.Contains(s.asked, name)
}

// refusal is why an event makes no call.
type refusal struct {
	reason event.Reason
	field  string
	detail string
}

// readTemplate checks text at load. A tag whose field may be missing needs a
// fallback, unless the place does without (optionalPlace).
func readTemplate(at node, text string, s scope, optionalPlace bool) template {
	var t template
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			t.parts = append(t.parts, part{literal: before})
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(rest, "}}")
		if !closed {
			at.problem("{{ without }}", "")
			break
		}
		if p, ok := readTag(at, inside, s, optionalPlace); ok {
			t.parts = append(t.parts, p)
		}
		text = after
	}
	return t
}

func readTag(at node, inside string, s scope, optionalPlace bool) (part, bool) {
	name, fallback, hasFallback := strings.Cut(inside, "|")
	name, layout, hasLayout := strings.Cut(name, ":")
	p := part{name: strings.TrimSpace(name), layout: strings.TrimSpace(layout)}
	if hasFallback {
		p.fallback = &fallback
	}
	switch {
	case !s.declares(p.name):
		at.problem("undeclared name "+quote(p.name)+" in {{"+inside+"}}", suggest(p.name, s.names()))
		return p, false
	case hasLayout && s.kindOf(p.name) != typeTime:
		at.problem(quote(p.name)+" is no time, so "+quote(p.layout)+" does not fit", "")
		return p, false
	case hasLayout && !isLayout(p.layout) && !isClock(p.layout):
		at.problem(quote(p.layout)+" is no way to write a time", `for example {{`+p.name+`:2 January 2006}}`)
		return p, false
	case s.mayLack(p.name) && !hasFallback && !optionalPlace:
		at.problem(quote(p.name)+" is optional and may be missing here",
			"write {{"+p.name+"|what to say instead}}, or ask for it in the rule: present("+p.name+")")
		return p, false
	}
	return p, true
}

// single returns the tag that is the whole text, such as "{{lead_id}}".
func (t template) single() (part, bool) {
	if len(t.parts) == 1 && t.parts[0].name != "" {
		return t.parts[0], true
	}
	return part{}, false
}

// literal reports whether the text has no tags.
func (t template) literal() bool {
	return !slices.ContainsFunc(t.parts, func(p part) bool { return p.name != "" })
}

// render fills the tags in.
func (t template) render(r *reader) (string, *refusal) {
	if len(t.parts) == 1 {
		return t.parts[0].read(r)
	}
	var b strings.Builder
	for i := range t.parts {
		value, refused := t.parts[i].read(r)
		if refused != nil {
			return "", refused
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// read is the text itself or that of a tag. An optional field that is there but unreadable
// counts as not there: the agent says the fallback.
func (p *part) read(r *reader) (string, *refusal) {
	if p.name == "" {
		return p.literal, nil
	}
	value := r.read(p.name)
	switch {
	case value.state == there && p.layout != "":
		return value.moment().Format(p.layout), nil
	case value.state == there:
		return value.text, nil
	case p.fallback != nil && value.state != awaited && (value.state == missing || r.source.optional(p.name)):
		return *p.fallback, nil
	default:
		return "", refuse(r, p.name)
	}
}

// refuse says why a field that is needed has no value.
func refuse(r *reader, name string) *refusal {
	value := r.read(name)
	return &refusal{reason: value.reason, field: name, detail: value.detail}
}

// isClock is a layout without a day, such as 15:04.
func isClock(layout string) bool {
	return strings.Contains(layout, "15") || strings.Contains(layout, "3:04")
}

// spoken makes text from a CRM fit for an agent's prompt: one line, no control
// characters, nothing that a template language would take for its own.
func spoken(text string) string {
	if speakable(text) {
		return strings.TrimSpace(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	var last rune
	for _, r := range text {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			r = ' '
		}
		if isMark(last, r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return strings.TrimSpace(b.String())
}

// speakable reports whether a text is fit already, as nearly all are. It does
// not know all that are.
func speakable(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '{' || c == '}' {
			return false
		}
	}
	return true
}

// isMark knows what begins and ends a tag in Liquid, Jinja and Mustache:
// {{ }} {% %}.
func isMark(a, b rune) bool {
	return a == '{' && (b == '{' || b == '%') || b == '}' && (a == '}' || a == '%')
}

// capped cuts a text after so many characters.
func capped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	if runes := []rune(text); len(runes) > most {
		return strings.TrimSpace(string(runes[:most]))
	}
	return text
}
