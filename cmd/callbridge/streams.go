package main

import (
	"fmt"
	"io"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/stream"
)

func newStreams() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "streams",
		Short: "Print the NATS streams and consumers that serve uses",
		Long: `streams prints the streams and consumers that follow from the environment
(NATS_SUBJECT_PREFIX, NATS_REPLICAS, RETENTION, DIAL_ACK_WAIT), for a NATS where
an administrator creates them and NATS_MANAGE=false. It connects to no server.

The text is a shell script that creates them with the nats command: it writes the
files for "nats stream add --config" and "nats consumer add --config".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(cmd.Context(), envconfig.MultiLookuper(envconfig.OsLookuper(), someNATS))
			if err != nil {
				return err
			}
			definitions := bus.Define(s.bus(nil, nil))
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), definitions)
			}
			return writeScript(cmd.OutOrStdout(), definitions)
		},
	}
	addOutput(cmd, &output)
	return cmd
}

// someNATS is a placeholder for the address of the remote NATS, which need not be known
// yet. It is not printed.
var someNATS = envconfig.MapLookuper(map[string]string{"NATS_URL": "nats://127.0.0.1:4222"})

func writeScript(w io.Writer, d stream.Definitions) error {
	for _, s := range d.Streams {
		if err := writeStep(w, s.Name+".json", s, "nats stream add "+s.Name); err != nil {
			return err
		}
	}
	for _, c := range d.Consumers {
		file, command := c.Stream+"."+c.Config.Durable+".json", "nats consumer add "+c.Stream+" "+c.Config.Durable
		if err := writeStep(w, file, c.Config, command); err != nil {
			return err
		}
	}
	return nil
}

// writeStep prints a file and the command that uses it.
func writeStep(w io.Writer, file string, config any, command string) error {
	if _, err := fmt.Fprintf(w, "cat > %s <<'END'\n", file); err != nil {
		return err
	}
	if err := writeJSON(w, config); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "END\n%s --config %s\n\n", command, file)
	return err
}
