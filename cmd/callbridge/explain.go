package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"callbridge/event"
	"callbridge/mapping"
)

// printMap explains what the configuration makes of each event of a delivery.
func printMap(w io.Writer, c *mapping.Config, events []mapping.Incoming, output string, reveal bool) error {
	all := []mapping.Explanation{}
	for _, e := range events {
		x := c.Explain(e)
		if reveal {
			x = x.Reveal()
		}
		all = append(all, x)
	}
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(all)
	}
	for _, x := range all {
		if !reveal {
			x.Event.Key, x.Event.Type = event.Redact(x.Event.Key), event.Redact(x.Event.Type)
		}
		printExplanation(w, x)
	}
	if len(all) == 0 {
		_, _ = fmt.Fprintln(w, "no event: the source ignores such a webhook (challenge, kind ignore)")
	}
	return nil
}

func printExplanation(w io.Writer, x mapping.Explanation) {
	p := func(format string, v ...any) { _, _ = fmt.Fprintf(w, format, v...) }
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
		if len(d.Call) > 0 {
			p("%s\n", indented(d.Call))
		}
	}
	p("\n")
}

// columns are the value of a part in a word, and its text with what keeps it
// from being true or false.
func columns(part mapping.RulePart) (value, text string) {
	value, why, _ := strings.Cut(part.Value, ": ")
	switch {
	case why == "" || why == part.Text:
		return value, part.Text
	case value == "unknown":
		return value, part.Text + " (hangs on " + why + ")"
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
