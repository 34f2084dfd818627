package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/bus/role"
	"callbridge/callab/callabsim"
	"callbridge/cmd/callbridge/listener"
	"callbridge/demo"
	"callbridge/mapping"
	"callbridge/untrusted"
)

//go:embed example
var example embed.FS

const demoToken = "demo-token"

func newDemo() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: NATS, a simulated Callab and signed webhooks, with each step printed",
		Long: `demo runs everything in this process: NATS, a simulator in place of Callab, the
example configuration, and signed webhooks from two CRMs. It prints each step, then
keeps running and prints how to send a webhook and read the results. No phone rings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the sample webhooks; exit 1 if one did not end as it should")
	return cmd
}

// runDemo runs the process and a simulator, sends the sample webhooks and prints the steps.
func runDemo(ctx context.Context, out io.Writer, once bool) error {
	dir, err := os.MkdirTemp("", "callbridge-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sim, err := listener.Open("simulator", free("127.0.0.1:8090"), callabsim.New(callabsim.Options{Tokens: []string{demoToken}, MagicNumbers: true}).Server(""))
	if err != nil {
		return err
	}
	defer sim.Close()
	go func() { _ = sim.Serve() }()

	webhooks := make(demo.Log, 256)
	p, err := startDemo(ctx, dir, sim.URL(), untrusted.NewLogger(webhooks))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()

	printer, err := demo.Connect(p.bus.UserURL(role.Operator), out)
	if err != nil {
		return err
	}
	defer printer.Close()
	untrusted.Fprintf(out, "callbridge demo: nothing leaves this machine, no phone rings.\n\n"+
		"  webhooks   %s\n  NATS       %s\n  simulator  %s (in place of https://api.callab.ai)\n\n", p.public.URL(), p.bus.ClientURL(), sim.URL())
	err = printer.SendSamples(ctx, p.public.URL(), example)
	if !once && err == nil {
		printer.Invite(p.public.URL(), p.bus.UserURL(role.Reader), p.bus.UserURL(role.Results))
		printer.Follow(ctx, webhooks)
	}
	cancel()
	return errors.Join(err, <-ended)
}

// startDemo starts the process that serve runs, with settings for the demo. The routes of
// the example are in dry_run; the demo makes them live, because it calls only the simulator.
func startDemo(ctx context.Context, dir, simulator string, log *slog.Logger) (*process, error) {
	s, err := loadSettings(ctx, envconfig.MapLookuper(map[string]string{
		"HTTP_ADDR": free("127.0.0.1:8080"), "ADMIN_ADDR": free("127.0.0.1:8081"),
		"NATS_LISTEN": free("127.0.0.1:4222"), "NATS_STORE_DIR": dir, "NATS_SYNC": "interval",
		"CALLAB_URL": simulator + "/v1", "CALLAB_TOKEN": demoToken,
	}))
	if err != nil {
		return nil, err
	}
	config, err := exampleConfig(func(text []byte) []byte { return demo.Config(text, time.Now()) })
	if err != nil {
		return nil, err
	}
	return start(ctx, s, fixed(config.WithMode(mapping.Live)), log)
}

// exampleConfig is the example, with the policy that change gives it.
func exampleConfig(change func([]byte) []byte) (*mapping.Config, error) {
	const file = "example/callbridge.yaml"
	data, err := example.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return mapping.Parse(file, change(data), mapping.Options{LookupEnv: func(name string) (string, bool) {
		v, ok := demo.Secrets[name]
		return v, ok
	}})
}

// free returns the address, or one with a port that the system chooses if it is in use.
func free(address string) string {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = socket.Close()
	return address
}
