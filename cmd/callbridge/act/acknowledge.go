package act

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/loss"
	"callbridge/cmd/callbridge/output"
	"callbridge/untrusted"
)

// NewAcknowledge makes the command streams acknowledge.
func NewAcknowledge(settings Settings) *cobra.Command {
	a := &actor{settings: settings, output: "text"}
	cmd := &cobra.Command{
		Use:   "acknowledge --why TEXT",
		Short: "Say that a person knows of a loss of streams, so that readiness is no longer degraded",
		Long: `acknowledge ends the state "degraded" that a loss of streams or their restore from a
backup leaves in /readyz. Who, when and why are stored in NATS and logged by serve.
Requests from before the loss stay as they are: none is dialled by it. It connects to
NATS_URL, else to NATS_LISTEN of a process on this machine, and needs the role operator.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(a.why) == "" {
				return errors.New("--why is empty: write what was lost and what you did about it")
			}
			config, err := a.config(cmd.Context())
			if err != nil {
				return err
			}
			problems, err := bus.AcknowledgeLoss(cmd.Context(), config, a.by, a.why)
			if errors.Is(err, loss.ErrNothing) {
				return fmt.Errorf("%w: there is nothing to do", err)
			}
			for _, p := range problems {
				untrusted.Fprintf(cmd.OutOrStdout(), "acknowledged: %s was %s, found at %s\n", p.Stream, p.Kind, p.At.UTC().Format(time.RFC3339))
			}
			return output.Explain(err)
		},
	}
	a.addPerson(cmd, "what was lost, and what was done about it (required)")
	cmd.Flags().StringVar(&a.url, "nats", "", addressHelp)
	return cmd
}
