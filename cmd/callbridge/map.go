package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/output"
	"callbridge/cmd/callbridge/show"
	"callbridge/mapping"
	"callbridge/mapping/config"
	"callbridge/mapping/golden"
	"callbridge/mapping/payload"
	"callbridge/untrusted"
)

// mapFlags are the flags of `map`.
type mapFlags struct {
	config, source, contentType, format string
	lookup, at                          string
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
sent. It shows what the policy says about the call at that time, or at --at TIME. It places no
call and verifies no signature.

map --paths lists every value of the webhook with its path, as path: of a field
takes it. Without --source it needs no configuration.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			delivery, err := f.delivery(cmd.InOrStdin(), args[0])
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
	cmd.Flags().StringVar(&f.at, "at", "", "time at which the webhook comes in, such as 2026-11-30T08:00:00-05:00 (default: now)")
	cmd.Flags().BoolVar(&f.reveal, "reveal", false, "show telephone numbers in full")
	cmd.Flags().BoolVar(&f.paths, "paths", false, "list the values of the webhook with their paths")
	output.Flag(cmd, &f.format, "text", "json")
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
	return show.Map(w, c, incoming, f.format, f.reveal)
}

// delivery reads the webhook.
func (f *mapFlags) delivery(in io.Reader, file string) (mapping.Delivery, error) {
	d := mapping.Delivery{Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/" + f.source}, Header: http.Header{}}
	var err error
	if d.Received, err = show.Instant(f.at); err != nil {
		return d, err
	}
	if file == "-" {
		d.Body, err = io.ReadAll(in)
	} else {
		d.Body, err = os.ReadFile(file)
	}
	if err != nil {
		return d, fmt.Errorf("read webhook: %w", err)
	}
	if contentType := cmp.Or(f.contentType, golden.ContentType(file)); contentType != "" {
		d.Header.Set("Content-Type", contentType)
	}
	for _, h := range f.headers {
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
		if f.format != "json" {
			leaves[i].Path = config.Quoted(leaves[i].Path)
		}
		width = max(width, utf8.RuneCountInString(leaves[i].Path))
	}
	if f.format == "json" {
		return output.JSON(w, leaves)
	}
	for _, l := range leaves {
		untrusted.Fprintf(w, "%-*s  %s\n", width, l.Path, compact(l.Value))
	}
	return nil
}
