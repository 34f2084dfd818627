package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"callbridge/callab/callabsim"
	"callbridge/cmd/callbridge/listener"
	"callbridge/untrusted"
)

func newSimulate() *cobra.Command {
	var address, token string
	var speed float64
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Run a simulated Callab for tests: no phone rings",
		Long: `simulate answers like https://api.callab.ai/v1 and places no call. Set CALLAB_URL to
its address. It can simulate faults; see docs/simulator.md.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sim := callabsim.New(callabsim.Options{
				Tokens: []string{token}, MagicNumbers: true, Log: logTo(cmd.ErrOrStderr()), Life: callabsim.LifeAt(speed),
			})
			l, err := listener.Open("--addr", address, sim.Server(""))
			if err != nil {
				return err
			}
			untrusted.Fprintf(cmd.OutOrStdout(), "simulator on %s/v1\nuse it with: CALLAB_URL=%s/v1 CALLAB_TOKEN=%s callbridge serve\n", l.URL(), l.URL(), token)
			served := make(chan error, 1)
			go func() { served <- l.Serve() }()
			select {
			case err = <-served:
			case <-cmd.Context().Done():
			}
			l.Close()
			return err
		},
	}
	cmd.Flags().StringVar(&address, "addr", "127.0.0.1:8090", "address to listen on")
	cmd.Flags().StringVar(&token, "token", "sim-token", "bearer token that is accepted")
	cmd.Flags().Float64Var(&speed, "life", 0, "calls ring, are answered and end, this many times faster than real ones; see docs/simulator.md")
	cmd.Flags().Lookup("life").NoOptDefVal = "1"
	return cmd
}

func logTo(w io.Writer) *slog.Logger { return untrusted.NewLogger(slog.NewTextHandler(w, nil)) }
