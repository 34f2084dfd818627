package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/mapping"
)

// mapFlags are what `map` is told beside the webhook.
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
		Short: "Show what a webhook would lead to: who would be called, with which variables",
		Long: "map takes a webhook's body from a file (or from standard input, -) and explains\n" +
			"what the configuration makes of it: its fields, each route's rule, and the call as\n" +
			"it would be sent. It dials nothing, and checks no signature.\n\n" +
			"map --paths lists every value of the webhook with its path, as path: of a field\n" +
			"takes it. Without --source it needs no configuration.",
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
	cmd.Flags().StringVar(&f.lookup, "lookup", "", "file with what the CRM's API answers where the source looks something up")
	cmd.Flags().BoolVar(&f.reveal, "reveal", false, "show telephone numbers in full")
	cmd.Flags().BoolVar(&f.paths, "paths", false, "list the values of the webhook with their paths instead")
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

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func sourceNames(c *mapping.Config) string {
	var names []string
	for _, s := range c.Sources() {
		names = append(names, s.Name())
	}
	return strings.Join(names, ", ")
}

// contentTypes are what a file's ending says about a body.
var contentTypes = map[string]string{
	".json": "application/json", ".xml": "text/xml", ".form": "application/x-www-form-urlencoded",
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
		contentType = contentTypes[filepath.Ext(file)]
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
