package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/loss"
	"callbridge/untrusted"
)

func newAcknowledge() *cobra.Command {
	var why, by, url string
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
			s, err := loadSettings(cmd.Context(), envconfig.OsLookuper())
			if err != nil {
				return err
			}
			config := s.bus(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			if url != "" {
				config.URL = url
			}
			problems, err := bus.AcknowledgeLoss(cmd.Context(), config, by, why)
			if errors.Is(err, loss.ErrNothing) {
				return fmt.Errorf("%w: there is nothing to do", err)
			}
			if errors.Is(err, bus.ErrUnreachable) {
				return fmt.Errorf("NATS %w; is `callbridge serve` running and listening on NATS_LISTEN? Use --nats for another address", err)
			}
			for _, p := range problems {
				untrusted.Fprintf(cmd.OutOrStdout(), "acknowledged: %s was %s, found at %s\n", p.Stream, p.Kind, p.At.UTC().Format(time.RFC3339))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "what was lost, and what was done about it (required)")
	cmd.Flags().StringVar(&by, "by", person(), "who acknowledges it")
	cmd.Flags().StringVar(&url, "nats", "", "address of NATS (default: NATS_URL, else NATS_LISTEN)")
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
