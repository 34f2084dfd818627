package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/dispatch/waiting"
)

func newServe() *cobra.Command {
	var restoredFrom string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive webhooks and place calls",
		Long: `serve receives webhooks on HTTP_ADDR and places calls until it gets SIGTERM. It is
configured by environment variables (see the README) and by CONFIG_FILE.

After the NATS streams were restored from a backup, start it once with --restored-from
and the time of the backup: requests from before that have no result are looked for in
Callab's list before they are dialled. The same time given again changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(cmd.Context(), envconfig.OsLookuper())
			if err != nil {
				return err
			}
			if s.restoredFrom, err = restoreTime(restoredFrom, time.Now()); err != nil {
				return err
			}
			config, err := loadConfiguration(s.ConfigFile, waiting.Patience(s.Retention))
			if err != nil {
				return err
			}
			collectEarlier(os.Getenv)
			log := s.logger(os.Stderr)
			logWarnings(log, config.current())
			logZoneData(log)
			return serve(cmd.Context(), s, config, log)
		},
	}
	cmd.Flags().StringVar(&restoredFrom, "restored-from", "", "the time of the backup from which the streams of NATS were restored")
	return cmd
}

// restoreTime reads the time of a backup. None is the zero time.
func restoreTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--restored-from %q is no time: write the time of the backup as 2026-11-29T03:00:00Z", text)
	}
	if at.After(now) {
		return time.Time{}, fmt.Errorf("--restored-from %s is in the future: write the time of the backup", text)
	}
	return at, nil
}

// serve works until ctx ends, which is no error even while the start waits for NATS.
func serve(ctx context.Context, s settings, config *configuration, log *slog.Logger) error {
	p, err := start(ctx, s, config, log)
	if err != nil {
		if ctx.Err() != nil {
			log.Info("process.stopped", "hint", "before it was ready", "error", err)
			return nil
		}
		return err
	}
	log.Info("process.started", "version", version(), "webhooks", p.public.URL(),
		"nats", p.bus.ClientURL(), "config", s.ConfigFile, "config_hash", config.current().Hash())
	return p.run(ctx)
}

// gcPercent is the garbage, in percent of the live heap, at which Go collects. A
// bridge needs less memory with it than with Go's default of 100, and less processor
// time than with 50 (docs/decisions/0010-garbage.md).
const gcPercent = 75

// collectEarlier sets gcPercent, unless the operator has set GOGC or GOMEMLIMIT.
func collectEarlier(getenv func(string) string) {
	if getenv("GOGC") == "" && getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
