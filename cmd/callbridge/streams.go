package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/stream"
	"callbridge/cmd/callbridge/act"
	"callbridge/cmd/callbridge/output"
	"callbridge/untrusted"
)

func newStreams() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "streams",
		Short: "Print the NATS streams and consumers that serve uses",
		Long: `streams prints the streams and consumers that follow from the environment
(NATS_SUBJECT_PREFIX, NATS_REPLICAS, RETENTION, DIAL_ACK_WAIT), for a NATS where
an administrator creates them and NATS_MANAGE=false. It connects to no server.

The text is a shell script for the nats command. It makes what is missing, changes
what is there, and stops at the first error. "streams apply" does the same without
the nats command, and checks all of them before it changes the first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(cmd.Context(), envconfig.MultiLookuper(envconfig.OsLookuper(), someNATS))
			if err != nil {
				return err
			}
			definitions := bus.Define(s.bus(nil, nil))
			if format == "json" {
				return output.JSON(cmd.OutOrStdout(), definitions)
			}
			return writeScript(cmd.OutOrStdout(), definitions)
		},
	}
	output.Flag(cmd, &format, "text", "json")
	cmd.AddCommand(newStreamsApply())
	cmd.AddCommand(act.NewAcknowledge(actSettings))
	return cmd
}

func newStreamsApply() *cobra.Command {
	var format string
	var dry bool
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make and change the streams and consumers on an external NATS",
		Long: `apply compares the streams and consumers at NATS_URL with those that follow from the
environment, makes what is missing and changes what differs. It checks all of them
first and changes nothing if NATS cannot make one of the changes, or if a shorter
RETENTION would delete a message that is not done. It stops at the first error.
It needs the role administrator: NATS_USER=administrator.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(cmd.Context(), envconfig.OsLookuper())
			if err != nil {
				return err
			}
			if s.NATS.URL == "" {
				return errors.New("NATS_URL is not set: streams apply is for an external NATS; the embedded NATS follows the environment of serve by itself")
			}
			err = bus.ApplyStreams(cmd.Context(), s.client(), dry, func(step stream.Step) error {
				return printStep(cmd.OutOrStdout(), step, format)
			})
			if errors.Is(err, bus.ErrUnreachable) {
				return fmt.Errorf("NATS_URL %w", err)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only print what would be done")
	output.Flag(cmd, &format, "text", "json")
	return cmd
}

func printStep(w io.Writer, step stream.Step, format string) error {
	if format == "json" {
		_, err := fmt.Fprintf(w, "%s\n", compact(step))
		return err
	}
	var line bytes.Buffer
	untrusted.Fprintf(&line, "%-6s  %s", step.Action, step.Name())
	if step.Differences != nil {
		untrusted.Fprintf(&line, ": %s", strings.Join(step.Differences, "; "))
	}
	line.WriteByte('\n')
	_, err := line.WriteTo(w)
	return err
}

// someNATS is a placeholder for the address of the remote NATS, which need not be known
// yet. It is not printed.
var someNATS = envconfig.MapLookuper(map[string]string{"NATS_URL": "nats://127.0.0.1:4222"})

// writeScript prints a script that can be run again: it changes what is there.
func writeScript(w io.Writer, d stream.Definitions) error {
	// The first command fails if NATS or the permission is missing: otherwise "info" would
	// fail for each stream, as if none were there.
	if _, err := fmt.Fprint(w, "set -eu\nnats stream ls > /dev/null\n\n"); err != nil {
		return err
	}
	for _, s := range d.Streams {
		if err := writeStep(w, s.Name+".json", s, "stream", s.Name); err != nil {
			return err
		}
	}
	for _, c := range d.Consumers {
		if err := writeStep(w, c.Stream+"."+c.Config.Durable+".json", c.Config, "consumer", c.Stream+" "+c.Config.Durable); err != nil {
			return err
		}
	}
	return nil
}

// writeStep prints a file and the commands that use it.
func writeStep(w io.Writer, file string, config any, kind, name string) error {
	if _, err := fmt.Fprintf(w, "cat > %s <<'END'\n", file); err != nil {
		return err
	}
	if err := output.JSON(w, config); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `END
if nats %[1]s info %[2]s > /dev/null 2>&1; then
  nats %[1]s edit %[2]s --force --config %[3]s
else
  nats %[1]s add %[2]s --config %[3]s
fi

`, kind, name, file)
	return err
}
