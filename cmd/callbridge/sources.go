package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"callbridge/mapping"
)

func newSources() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "sources",
		Short: "List the CRMs that callbridge knows: the presets of a source",
		Long: "sources lists the presets: what sends, and how it proves itself.\n" +
			"`callbridge sources show NAME` prints one with its set-up steps.",
		Args: refuseSourceName,
		RunE: func(cmd *cobra.Command, _ []string) error {
			facts, err := presetFacts()
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), facts)
			}
			return listPresets(cmd.OutOrStdout(), facts)
		},
	}
	addOutput(cmd, &output)
	cmd.AddCommand(newSourcesShow())
	return cmd
}

// refuseSourceName knows what somebody meant who leaves show out.
func refuseSourceName(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	name := args[len(args)-1]
	if !slices.Contains(mapping.PresetNames(), name) {
		name = "NAME"
	}
	return fmt.Errorf("unknown command %q: use `callbridge sources show %s`", cmd.CommandPath()+" "+args[0], name)
}

func newSourcesShow() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Print a preset, with the steps to set it up in the CRM",
		Long: "show prints a preset as it is: the comment at its head is for the CRM's\n" +
			"administrator, and every key of it can be replaced in callbridge.yaml.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(mapping.PresetNames(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			preset, err := presetNamed(args[0])
			if err != nil {
				return err
			}
			if output != "json" {
				_, err = io.WriteString(cmd.OutOrStdout(), preset.YAML)
				return err
			}
			facts, err := preset.Facts()
			if err != nil {
				return err
			}
			return writeJSON(cmd.OutOrStdout(), struct {
				mapping.Facts
				YAML string `json:"yaml"`
			}{facts, preset.YAML})
		},
	}
	addOutput(cmd, &output)
	return cmd
}

func presetNamed(name string) (mapping.Preset, error) {
	for _, preset := range mapping.Presets() {
		if preset.Name == name {
			return preset, nil
		}
	}
	return mapping.Preset{}, fmt.Errorf("no preset %q: there are %s", name, strings.Join(mapping.PresetNames(), ", "))
}

func presetFacts() ([]mapping.Facts, error) {
	var all []mapping.Facts
	for _, preset := range mapping.Presets() {
		facts, err := preset.Facts()
		if err != nil {
			return nil, err
		}
		all = append(all, facts)
	}
	return all, nil
}

func listPresets(w io.Writer, all []mapping.Facts) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, facts := range all {
		what, _, _ := strings.Cut(facts.What, ". ")
		_, _ = fmt.Fprintf(table, "%s\t%s\n\t  %s\n", facts.Name, strings.TrimSuffix(what, "."), facts.Verified)
	}
	return table.Flush()
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// compact encodes a value on one line, without HTML escapes.
func compact(value any) json.RawMessage {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return nil
	}
	return bytes.TrimSpace(text.Bytes())
}
