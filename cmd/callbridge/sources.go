package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/output"
	"callbridge/mapping/config"
	"callbridge/mapping/sources"
	"callbridge/untrusted"
)

func newSources() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "sources",
		Short: "List the presets: the CRMs that callbridge knows",
		Long: `sources lists the presets: what each CRM sends, and how its webhooks are verified.
"callbridge sources show NAME" prints one with its set-up steps.`,
		Args: refuseSourceName,
		RunE: func(cmd *cobra.Command, _ []string) error {
			facts, err := presetFacts()
			if err != nil {
				return err
			}
			if format == "json" {
				return output.JSON(cmd.OutOrStdout(), facts)
			}
			return listPresets(cmd.OutOrStdout(), facts)
		},
	}
	output.Flag(cmd, &format, "text", "json")
	cmd.AddCommand(newSourcesShow())
	return cmd
}

// refuseSourceName refuses `sources NAME` with a hint that `show` is missing.
func refuseSourceName(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	name := args[len(args)-1]
	if !slices.Contains(sources.Names(), name) {
		name = "NAME"
	}
	return fmt.Errorf("unknown command %q: use `callbridge sources show %s`", cmd.CommandPath()+" "+args[0], name)
}

func newSourcesShow() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Print a preset, with the steps to set it up in the CRM",
		Long: `show prints the YAML of a preset. The comment at its head is for the CRM's
administrator; callbridge.yaml can replace every key.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(sources.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			preset, err := findPreset(args[0])
			if err != nil {
				return err
			}
			if format != "json" {
				return untrusted.Fprintf(cmd.OutOrStdout(), "%s", untrusted.Lines(preset.YAML))
			}
			facts, err := config.FactsOf(preset)
			if err != nil {
				return err
			}
			return output.JSON(cmd.OutOrStdout(), struct {
				config.Facts
				YAML string `json:"yaml"`
			}{facts, preset.YAML})
		},
	}
	output.Flag(cmd, &format, "text", "json")
	return cmd
}

func findPreset(name string) (sources.Preset, error) {
	for _, preset := range sources.All() {
		if preset.Name == name {
			return preset, nil
		}
	}
	return sources.Preset{}, fmt.Errorf("no preset %q: there are %s", name, strings.Join(sources.Names(), ", "))
}

func presetFacts() ([]config.Facts, error) {
	var all []config.Facts
	for _, preset := range sources.All() {
		facts, err := config.FactsOf(preset)
		if err != nil {
			return nil, err
		}
		all = append(all, facts)
	}
	return all, nil
}

func listPresets(w io.Writer, all []config.Facts) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, facts := range all {
		what, _, _ := strings.Cut(facts.What, ". ")
		untrusted.Fprintf(table, "%s\t%s\n\t  %s\n", facts.Name, strings.TrimSuffix(what, "."), facts.Verified)
	}
	return table.Flush()
}
