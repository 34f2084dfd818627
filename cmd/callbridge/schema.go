package main

import (
	"github.com/spf13/cobra"

	"callbridge/mapping/config"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of callbridge.yaml, for editors",
		Long: `schema prints the JSON Schema of callbridge.yaml. Editors with a YAML language
server take it from a first line in the file:

  # yaml-language-server: $schema=callbridge.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
