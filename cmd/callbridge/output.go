package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// addOutput adds -o to a command that prints something a script may want.
func addOutput(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "text or json")
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("-o %s: it is text or json", *output)
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}
