package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/cmd/callbridge/output"
	"callbridge/event"
	"callbridge/untrusted"
)

// outcomes are the values of --outcome.
var outcomes = []string{string(event.Accepted), string(event.Rejected), string(event.Skipped), string(event.Failed), string(event.Unknown), string(event.Deferred), string(event.Ended), string(event.Analysed)}

func newResults() *cobra.Command {
	var nats natsClient
	var format, outcome, source string
	var since time.Duration
	var follow bool
	cmd := &cobra.Command{
		Use:   "results",
		Short: "Print the results of events: those that NATS stores, and with -f the new ones",
		Long: `results reads the stream of results from NATS: from NATS_URL, else from NATS_LISTEN
of a process on this machine, with the password in NATS_STORE_DIR. It prints one line per result; -o json prints all of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if outcome != "" && !slices.Contains(outcomes, outcome) {
				return fmt.Errorf("--outcome %s: it is one of %s", outcome, strings.Join(outcomes, ", "))
			}
			config, err := nats.config(cmd.Context())
			if err != nil {
				return err
			}
			q := bus.ResultQuery{Since: time.Now().Add(-since), Outcome: outcome, Source: source, Follow: follow}
			return output.Explain(bus.ReadResults(cmd.Context(), config, q, func(r event.Result) error {
				return printResult(cmd.OutOrStdout(), r, format)
			}))
		},
	}
	nats.addTo(cmd)
	cmd.Flags().DurationVar(&since, "since", time.Hour, "age of the oldest result to print")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "keep running and print new results")
	cmd.Flags().StringVar(&outcome, "outcome", "", "only this outcome: "+strings.Join(outcomes, ", "))
	cmd.Flags().StringVar(&source, "source", "", "only this source")
	output.Flag(cmd, &format, "text", "json")
	return cmd
}

func printResult(w io.Writer, r event.Result, format string) error {
	if format == "json" {
		return json.NewEncoder(w).Encode(r)
	}
	var line bytes.Buffer
	untrusted.Fprintf(&line, "%s  %-8s %-14s %s %s", r.Time.Local().Format(time.DateTime), r.Outcome, r.Reason, r.Event.Source, untrusted.Redact(r.Event.Key))
	until := ""
	if !r.Until.IsZero() {
		until = "until " + r.Until.Local().Format(time.DateTime)
	}
	for _, part := range []string{r.Route, r.Field, r.Detail, until, "request " + r.RequestID.String()} {
		if part != "" {
			untrusted.Fprintf(&line, "  %s", part)
		}
	}
	line.WriteByte('\n')
	_, err := line.WriteTo(w)
	return err
}
