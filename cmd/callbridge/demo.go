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

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/callab/callabsim"
	"callbridge/mapping"
)

//go:embed example
var example embed.FS

// demoSecrets stand in for the environment variables of the example.
var demoSecrets = map[string]string{
	"WEBSITE_SECRET":        "demo-website-secret",
	"HUBSPOT_CLIENT_SECRET": "demo-hubspot-secret",
}

const demoToken = "demo-token"

func newDemo() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: NATS, a simulated Callab, signed webhooks, each step shown",
		Long: "demo runs everything in this process: NATS, a simulator in place of Callab, the\n" +
			"example configuration, and signed webhooks from two CRMs. It shows what becomes of\n" +
			"each, then stays up and says what to send and where to listen. No phone rings.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd.OutOrStdout(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the sample webhooks; exit 1 if one did not end as it should")
	return cmd
}

// demo is the whole show.
func demo(ctx context.Context, out io.Writer, once bool) error {
	dir, err := os.MkdirTemp("", "callbridge-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sim, err := listen("simulator", free("127.0.0.1:8090"), callabsim.New(callabsim.Options{Tokens: []string{demoToken}, MagicNumbers: true}).Server(""))
	if err != nil {
		return err
	}
	defer sim.close()
	go func() { _ = sim.serve() }()

	heard := make(arrivals, 256)
	p, err := startDemo(ctx, dir, sim.url(), slog.New(heard))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()

	show, err := watch(p.bus.ClientURL(), out)
	if err != nil {
		return err
	}
	defer show.close()
	_, _ = fmt.Fprintf(out, "callbridge demo: nothing leaves this machine, no phone rings.\n\n"+
		"  webhooks   %s\n  NATS       %s\n  simulator  %s (in place of https://api.callab.ai)\n\n", p.public.url(), p.bus.ClientURL(), sim.url())
	err = sendSamples(ctx, p.public.url(), show)
	if !once && err == nil {
		show.invite(p.public.url(), p.bus.ClientURL())
		show.follow(ctx, heard)
	}
	cancel()
	return errors.Join(err, <-ended)
}

// startDemo starts the same process that serve runs, set up for the demo. The
// example's routes are in dry_run; the demo makes them live, since only the
// simulator is dialled.
func startDemo(ctx context.Context, dir, simulator string, log *slog.Logger) (*process, error) {
	s, err := loadSettings(ctx, envconfig.MapLookuper(map[string]string{
		"HTTP_ADDR": free("127.0.0.1:8080"), "ADMIN_ADDR": free("127.0.0.1:8081"),
		"NATS_LISTEN": free("127.0.0.1:4222"), "NATS_STORE_DIR": dir, "NATS_SYNC": "interval",
		"CALLAB_URL": simulator + "/v1", "CALLAB_TOKEN": demoToken,
	}))
	if err != nil {
		return nil, err
	}
	config, err := exampleConfig()
	if err != nil {
		return nil, err
	}
	return start(ctx, s, fixed(config.WithMode(mapping.Live)), log)
}

func exampleConfig() (*mapping.Config, error) {
	const file = "example/callbridge.yaml"
	data, err := example.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return mapping.Parse(file, data, mapping.Options{LookupEnv: func(name string) (string, bool) {
		v, ok := demoSecrets[name]
		return v, ok
	}})
}

// free returns the address, or one with a port that the system chooses where
// that one is taken.
func free(address string) string {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = socket.Close()
	return address
}
