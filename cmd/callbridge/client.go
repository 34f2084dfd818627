package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/cmd/callbridge/ask"
	"callbridge/mapping"
)

// natsClient is what the commands share that connect to the NATS of a running process.
type natsClient struct{ url string }

// addTo adds --nats to a command.
func (n *natsClient) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.url, "nats", "", "address of NATS (default: NATS_URL, else NATS_LISTEN)")
}

// config follows from the environment and --nats.
func (n *natsClient) config(ctx context.Context) (bus.Config, error) {
	s, err := loadSettings(ctx, envconfig.OsLookuper())
	if err != nil {
		return bus.Config{}, err
	}
	config := s.client()
	if n.url != "" {
		config.URL = n.url
	}
	return config, nil
}

// client is the configuration of a command that connects to NATS. It logs nothing.
func (s settings) client() bus.Config {
	return s.bus(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

// actSettings is the configuration of the commands of package act.
func actSettings(ctx context.Context) (bus.Config, error) { return new(natsClient).config(ctx) }

// asking is what the commands of package ask need.
var asking = ask.Options{
	Settings: actSettings, Version: version(),
	Configuration: func(file string) (*mapping.Config, error) {
		return mapping.Load(configFile(nonEmpty(file)), mapping.Options{WithoutSecrets: true})
	},
}
