package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"callbridge/cmd/callbridge/output"
	"callbridge/mapping"
	"callbridge/mapping/rule"
	"callbridge/policy"
	"callbridge/untrusted"
)

// lookupStates are the texts for the states of a lookup.
var lookupStates = map[string]string{
	"made":     "answered from the file",
	"awaited":  "not made; give the CRM's answer with --lookup FILE",
	"needless": "not needed: no route depends on it",
}

func printLookup(w io.Writer, t *mapping.LookupTrace) {
	if t == nil {
		return
	}
	untrusted.Fprintf(w, "\nlookup\n  %s %s\n", t.Method, t.URL)
	if t.Body != "" {
		untrusted.Fprintf(w, "  %s\n", untrusted.Lines(t.Body))
	}
	untrusted.Fprintf(w, "  %s\n", lookupStates[t.State])
}

// Map prints how the configuration maps each event of a delivery, as text or as json.
func Map(w io.Writer, c *mapping.Config, events []mapping.Incoming, format string, reveal bool) error {
	all := []mapping.Explanation{}
	for _, e := range events {
		x := c.Explain(e)
		if reveal {
			x = x.Reveal()
		}
		all = append(all, x)
	}
	if format == "json" {
		return output.JSON(w, all)
	}
	for _, x := range all {
		if !reveal {
			x.Event.Key, x.Event.Type = untrusted.Redact(x.Event.Key), untrusted.Redact(x.Event.Type)
		}
		printExplanation(w, x)
	}
	if len(all) == 0 {
		untrusted.Fprintf(w, "no event: the source ignores this webhook (challenge, kind ignore)\n")
	}
	return nil
}

func printExplanation(w io.Writer, x mapping.Explanation) {
	p := func(format string, v ...any) { untrusted.Fprintf(w, format, v...) }
	p("event %s\n  source %s, key %s, type %s\n", x.Event.ID, x.Event.Source, orNone(x.Event.Key), orNone(x.Event.Type))
	if x.Problem != "" {
		p("  problem: %s\n", x.Problem)
	}
	printLookup(w, x.Lookup)
	p("\nfields\n")
	for _, f := range x.Fields {
		value := fmt.Sprint(f.Value)
		if f.State != "there" {
			value = f.State
		}
		if f.Detail != "" {
			value += " (" + f.Detail + ")"
		}
		p("  %-20s %-8s %s\n", f.Name, f.Type, value)
	}
	p("\nroutes\n")
	for _, r := range x.Routes {
		p("  %-20s %-8s %s\n", r.Route, r.Mode, r.State)
		for _, part := range r.Parts {
			value, text := columns(part)
			p("      %-8s %s\n", value, text)
		}
		if r.Problem != "" {
			p("      %s\n", r.Problem)
		}
	}
	p("\ndecisions\n")
	for _, d := range x.Decisions {
		p("  %-20s %s %s %s\n", orNone(d.Route), d.Outcome, d.Reason, d.Detail)
		Gates(w, d.Policy)
		for _, cut := range d.Cut {
			p("      cut: %s\n", cut)
		}
		if len(d.Call) > 0 {
			p("%s\n", untrusted.Lines(indented(d.Call)))
		}
	}
	p("\n")
}

// columns splits a part of a rule into its value, one word, and its text with the reason
// why it is neither true nor false.
func columns(part rule.Part) (value, text string) {
	value, why, _ := strings.Cut(part.Value, ": ")
	switch {
	case why == "" || why == part.Text:
		return value, part.Text
	case value == "unknown":
		return value, part.Text + " (depends on " + why + ")"
	default:
		return value, part.Text + " (" + why + ")"
	}
}

func indented(body json.RawMessage) string {
	var b bytes.Buffer
	b.WriteString("      ")
	if json.Indent(&b, body, "      ", "  ") != nil {
		return string(body)
	}
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Gates prints what the policy says about a call, if it was asked.
func Gates(w io.Writer, j *mapping.Judgement) {
	if j == nil {
		return
	}
	p := func(format string, v ...any) { untrusted.Fprintf(w, format, v...) }
	p("      %-16s %-7s %s\n", "gate", "says", "value")
	for _, found := range j.Gates {
		p("      %-16s %-7s %s\n", found.Gate, output.Says(found.Passes), found.Value)
	}
	switch {
	case j.Action == policy.Wait && j.Until.IsZero():
		p("      the call waits\n")
	case j.Action == policy.Wait:
		p("      the call waits until %s\n", j.Until.Format("Mon 2006-01-02 15:04 (-07:00)"))
	case j.Action == policy.Skip:
		p("      there is no call\n")
	default:
		p("      the call may be made now; stops, the do-not-call list, caps and cool-downs are asked right before it\n")
	}
}
