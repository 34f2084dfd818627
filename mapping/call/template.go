package call

import (
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Template is text with merge tags: {{field}}, {{field|fallback}} and, for times,
// {{field:2 January 2006}} and {{field in zone:3:04 PM}}.
type Template struct {
	Parts []Part
}

// Part is literal text or, with a name, a merge tag.
type Part struct {
	Literal string
	Name    string
	layout  string
	// zone is the field with the time zone in which a time is spoken; empty for the
	// person's.
	zone     string
	fallback *string
}

// Scope are the names that templates may use.
type Scope struct {
	*field.Set
	// Presence are the names that the route's rule tests with present().
	Presence []string
}

// mayLack reports whether the name may have no value when the call is made.
func (s Scope) mayLack(name string) bool {
	return s.IsOptional(name) && !s.HasDefault(name) && !slices.Contains(s.Presence, name)
}

// ReadTemplate parses text, which is the value of at or made of it. A tag whose
// field may be missing needs a fallback, unless mayBeMissing says that the whole
// text may be left out.
func ReadTemplate(at config.Node, text string, s Scope, mayBeMissing bool) Template {
	var t Template
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			t.Parts = append(t.Parts, Part{Literal: before})
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(rest, "}}")
		if !closed {
			at.Problem("{{ without }}", "")
			break
		}
		if p, ok := readTag(at, inside, s, mayBeMissing); ok {
			t.Parts = append(t.Parts, p)
		}
		text = after
	}
	return t
}

func readTag(at config.Node, inside string, s Scope, mayBeMissing bool) (Part, bool) {
	name, fallback, hasFallback := strings.Cut(inside, "|")
	name, layout, hasLayout := strings.Cut(name, ":")
	name, zone, _ := strings.Cut(strings.TrimSpace(name), " in ")
	p := Part{Name: strings.TrimSpace(name), layout: strings.TrimSpace(layout), zone: strings.TrimSpace(zone)}
	if hasFallback {
		p.fallback = &fallback
	}
	switch {
	case !s.Declares(p.Name):
		at.Problem("undeclared name "+strconv.Quote(p.Name)+" in {{"+inside+"}}", config.SuggestField(p.Name, s.Names()))
		return p, false
	case p.zone != "" && !s.Declares(p.zone):
		at.Problem("undeclared name "+strconv.Quote(p.zone)+" in {{"+inside+"}}", config.SuggestField(p.zone, s.Names()))
		return p, false
	case p.zone != "" && !hasLayout:
		at.Problem("{{"+inside+"}} needs a format", "for example {{"+p.Name+" in "+p.zone+":3:04 PM}}")
		return p, false
	case hasLayout && s.TypeOf(p.Name) != field.TypeTime:
		at.Problem(strconv.Quote(p.Name)+" is not a time, so "+strconv.Quote(p.layout)+" does not fit", "")
		return p, false
	case hasLayout && field.NotOfLayout(p.layout) != "":
		at.Problem(strconv.Quote(field.NotOfLayout(p.layout))+" in "+strconv.Quote(p.layout)+" is no part of the model date Monday 2 January 2006, 15:04:05 (3:04:05 PM)", "write the model date in your format, for example {{"+p.Name+":Monday 2 January, 15:04}}")
		return p, false
	case hasLayout && !field.IsDateLayout(p.layout) && !isClock(p.layout):
		at.Problem(strconv.Quote(p.layout)+" is not a time format", `for example {{`+p.Name+`:2 January 2006}}`)
		return p, false
	case s.mayLack(p.Name) && !hasFallback && !mayBeMissing:
		at.Problem(strconv.Quote(p.Name)+" is optional and may be missing here",
			"write {{"+p.Name+"|what to say instead}}, or ask for it in the rule: present("+p.Name+")")
		return p, false
	}
	return p, true
}

// Single returns the tag that is the whole text, such as "{{lead_id}}".
func (t Template) Single() (Part, bool) {
	if len(t.Parts) == 1 && t.Parts[0].Name != "" {
		return t.Parts[0], true
	}
	return Part{}, false
}

// isLiteral reports whether the text has no tags.
func (t Template) isLiteral() bool {
	return !slices.ContainsFunc(t.Parts, func(p Part) bool { return p.Name != "" })
}

// Render replaces the tags by values.
func (t Template) Render(values *field.Values) (string, *field.Refusal) {
	if len(t.Parts) == 1 {
		return t.Parts[0].Render(values)
	}
	var b strings.Builder
	for i := range t.Parts {
		value, refused := t.Parts[i].Render(values)
		if refused != nil {
			return "", refused
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// Render returns the literal text or the value of the tag. An optional field that
// is unreadable counts as missing: the agent says the fallback.
func (p *Part) Render(values *field.Values) (string, *field.Refusal) {
	if p.Name == "" {
		return p.Literal, nil
	}
	value := values.Get(p.Name)
	switch {
	case value.State == field.Present && p.layout != "":
		return spoken(value.Time(), p.layout, values.Location(p.zone)), nil
	case value.State == field.Present:
		return value.Text, nil
	case p.fallback != nil && value.State != field.Pending && (value.State == field.Missing || values.IsOptional(p.Name)):
		return *p.fallback, nil
	default:
		return "", values.Refuse(p.Name)
	}
}

// spoken writes a time in the zone of the person. Without one it is written in the
// zone in which the CRM sent it, and a time of the day names that zone, because the
// person would take it for their own.
func spoken(t time.Time, layout string, person *time.Location) string {
	if person != nil {
		return t.In(person).Format(layout)
	}
	text := t.Format(layout)
	if !isClock(layout) || strings.Contains(layout, "-07") || strings.Contains(layout, "Z07") || strings.Contains(layout, "MST") || isNamed(t.Location()) {
		return text
	}
	if _, offset := t.Zone(); offset == 0 {
		return text + " UTC"
	}
	return text + " " + t.Format("UTC-07:00")
}

// isNamed reports whether a location is a zone that the configuration or the CRM
// named, rather than an offset.
func isNamed(l *time.Location) bool { return l != time.UTC && strings.Contains(l.String(), "/") }

// isClock reports whether a layout has a time of the day, such as 15:04.
func isClock(layout string) bool {
	return strings.Contains(layout, "15") || strings.Contains(layout, "3:04")
}
