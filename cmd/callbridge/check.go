package main

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/output"
	"callbridge/mapping"
	"callbridge/untrusted"
)

// report is the output of `check -o json`.
type report struct {
	File     string            `json:"file"`
	OK       bool              `json:"ok"`
	Hash     string            `json:"hash,omitempty"`
	Problems []mapping.Problem `json:"problems,omitempty"`
	Warnings []mapping.Problem `json:"warnings,omitempty"`
}

func newCheck() *cobra.Command {
	var format, config string
	var without bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check callbridge.yaml: exit 1 with file:line:column of each mistake",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := configFile(append(args, nonEmpty(config)...))
			config, err := loadConfig(file, mapping.Options{WithoutSecrets: without, Reserved: mapping.Settings(settings{})})
			r := report{File: file, OK: err == nil}
			var problems mapping.Problems
			switch {
			case err == nil:
				r.Hash, r.Warnings = config.Hash(), config.Warnings()
			case errors.As(err, &problems):
				r.Problems = problems
			default:
				return err
			}
			if format == "json" {
				if encodeErr := json.NewEncoder(cmd.OutOrStdout()).Encode(r); encodeErr != nil {
					return encodeErr
				}
			} else if err == nil {
				printCheck(cmd.OutOrStdout(), file, config)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "the file, as for map and test")
	cmd.Flags().BoolVar(&without, "without-secrets", false, "accept ${VARIABLES} that are not set, for example in CI")
	output.Flag(cmd, &format, "text", "json")
	return cmd
}

func printCheck(w io.Writer, file string, config *mapping.Config) {
	untrusted.Fprintf(w, "%s is fine: %d sources, %d routes, hash %s\n", file, len(config.Sources()), len(config.Routes()), config.Hash())
	for _, r := range config.Routes() {
		untrusted.Fprintf(w, "  route %-20s %s\n", r.Name, r.Mode)
	}
	for _, p := range config.Warnings() {
		untrusted.Fprintf(w, "warning: %s\n", p)
	}
	if old := oldZoneData(time.Now()); old != "" {
		untrusted.Fprintf(w, "warning: %s\n", old)
	}
}
