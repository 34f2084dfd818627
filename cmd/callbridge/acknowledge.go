package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/loss"
	"callbridge/untrusted"
)

func newAcknowledge() *cobra.Command {
	var nats natsClient
	var why, by string
	cmd := &cobra.Command{
		Use:   "acknowledge --why TEXT",
		Short: "Say that a person knows of a loss of streams, so that readiness is no longer degraded",
		Long: `acknowledge ends the state "degraded" that a loss of streams or their restore from a
backup leaves in /readyz. Who, when and why are stored in NATS and logged by serve.
Requests from before the loss stay as they are: none is dialled by it. It connects to
NATS_URL, else to NATS_LISTEN of a process on this machine, and needs the role operator.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(why) == "" {
				return errors.New("--why is empty: write what was lost and what you did about it")
			}
			config, err := nats.config(cmd.Context())
			if err != nil {
				return err
			}
			problems, err := bus.AcknowledgeLoss(cmd.Context(), config, by, why)
			if errors.Is(err, loss.ErrNothing) {
				return fmt.Errorf("%w: there is nothing to do", err)
			}
			for _, p := range problems {
				untrusted.Fprintf(cmd.OutOrStdout(), "acknowledged: %s was %s, found at %s\n", p.Stream, p.Kind, p.At.UTC().Format(time.RFC3339))
			}
			return nats.explain(err)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "what was lost, and what was done about it (required)")
	cmd.Flags().StringVar(&by, "by", person(), "who acknowledges it")
	nats.addTo(cmd)
	return cmd
}

// person is the user of this machine, as user@host.
func person() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
