package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"callbridge/mapping"
	"callbridge/mapping/config"
	"callbridge/mapping/golden"
	"callbridge/mapping/payload"
	"callbridge/mapping/rule"
	"callbridge/untrusted"
)

// mapFlags are the flags of `map`.
type mapFlags struct {
	config, source, contentType, output string
	lookup                              string
	headers                             []string
	reveal, paths                       bool
}

func newMap() *cobra.Command {
	var f mapFlags
	cmd := &cobra.Command{
		Use:   "map --source NAME FILE|-",
		Short: "Show how a webhook is mapped: which call would be placed, with which variables",
		Long: `map reads a webhook's body from a file (or from standard input, -) and explains how
the configuration maps it: its fields, each route's rule, and the call as it would be
sent. It places no call and verifies no signature.

map --paths lists every value of the webhook with its path, as path: of a field
takes it. Without --source it needs no configuration.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			delivery, err := readDelivery(cmd.InOrStdin(), args[0], f.source, f.contentType, f.headers)
			switch {
			case err != nil:
				return err
			case f.source != "":
				return f.explain(cmd.OutOrStdout(), delivery)
			case f.paths:
				return f.listWhole(cmd.OutOrStdout(), delivery)
			default:
				return errors.New("--source is missing: the source that the webhook came to")
			}
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "callbridge.yaml (default: CONFIG_FILE, then callbridge.yaml)")
	cmd.Flags().StringVarP(&f.source, "source", "s", "", "name of the source that the webhook came to")
	cmd.Flags().StringVar(&f.contentType, "content-type", "", "Content-Type of the body (default: by the file's ending)")
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "a header of the webhook, \"Name: value\"")
	cmd.Flags().StringVar(&f.lookup, "lookup", "", "file with the answer of the CRM's API to a lookup")
	cmd.Flags().BoolVar(&f.reveal, "reveal", false, "show telephone numbers in full")
	cmd.Flags().BoolVar(&f.paths, "paths", false, "list the values of the webhook with their paths")
	addOutput(cmd, &f.output)
	return cmd
}

func (f *mapFlags) explain(w io.Writer, delivery mapping.Delivery) error {
	file := configFile(nonEmpty(f.config))
	c, err := mapping.Load(file, mapping.Options{WithoutSecrets: true})
	if err != nil {
		return err
	}
	s, ok := c.Source(f.source)
	if !ok {
		return fmt.Errorf("source %q is not in %s: it has %s", f.source, file, sourceNames(c))
	}
	incoming, err := s.Read(delivery)
	switch {
	case err != nil:
		return fmt.Errorf("read webhook: %w", err)
	case f.paths:
		return f.list(w, incoming)
	}
	if f.lookup != "" {
		if err := answerLookups(c, incoming, f.lookup); err != nil {
			return err
		}
	}
	return printMap(w, c, incoming, f.output, f.reveal)
}

func readDelivery(in io.Reader, file, source, contentType string, headers []string) (mapping.Delivery, error) {
	d := mapping.Delivery{Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/" + source}, Header: http.Header{}, Received: time.Now()}
	var err error
	if file == "-" {
		d.Body, err = io.ReadAll(in)
	} else {
		d.Body, err = os.ReadFile(file)
	}
	if err != nil {
		return d, fmt.Errorf("read webhook: %w", err)
	}
	if contentType == "" {
		contentType = golden.ContentType(file)
	}
	if contentType != "" {
		d.Header.Set("Content-Type", contentType)
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return d, fmt.Errorf("--header %q is not \"Name: value\"", h)
		}
		d.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return d, nil
}

// answerLookups adds the answer in the file to every event for which the CRM would be asked.
func answerLookups(c *mapping.Config, events []mapping.Incoming, file string) error {
	answer, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read --lookup: %w", err)
	}
	for i, e := range events {
		if c.Explain(e).Lookup == nil {
			continue
		}
		if events[i], err = e.WithLookup(answer, golden.ContentType(file)); err != nil {
			return fmt.Errorf("read --lookup %s: %w", file, err)
		}
	}
	return nil
}

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

// printMap prints how the configuration maps each event of a delivery.
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
		return writeJSON(w, all)
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

// list prints all values of the events of a delivery.
func (f *mapFlags) list(w io.Writer, events []mapping.Incoming) error {
	leaves := []payload.Leaf{}
	for _, e := range events {
		tree, err := payload.Decode("", payload.JSON, e.Event.Data)
		if err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		leaves = append(leaves, payload.Leaves(tree)...)
	}
	return f.printLeaves(w, leaves)
}

// listWhole prints all values of a webhook without knowing its source.
func (f *mapFlags) listWhole(w io.Writer, d mapping.Delivery) error {
	tree, err := payload.Decode(d.Header.Get("Content-Type"), payload.Auto, d.Body)
	if err != nil {
		return fmt.Errorf("read webhook: %w", err)
	}
	return f.printLeaves(w, payload.Leaves(tree))
}

// printLeaves prints the paths as callbridge.yaml has to contain them; in JSON they are
// without the quotes of YAML.
func (f *mapFlags) printLeaves(w io.Writer, leaves []payload.Leaf) error {
	width := 0
	for i, l := range leaves {
		if text, ok := l.Value.(string); ok && !f.reveal {
			leaves[i].Value = untrusted.Redact(text)
		}
		leaves[i].Path = mapping.BodyPath(l.Path)
		if f.output != "json" {
			leaves[i].Path = config.Quoted(leaves[i].Path)
		}
		width = max(width, utf8.RuneCountInString(leaves[i].Path))
	}
	if f.output == "json" {
		return writeJSON(w, leaves)
	}
	for _, l := range leaves {
		untrusted.Fprintf(w, "%-*s  %s\n", width, l.Path, compact(l.Value))
	}
	return nil
}
