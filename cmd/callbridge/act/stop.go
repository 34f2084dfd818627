package act

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/control"
	"callbridge/cmd/callbridge/output"
	"callbridge/mapping/phone"
	"callbridge/untrusted"
)

// NewStop makes the command stop.
func NewStop(settings Settings, configuration Configuration) *cobra.Command {
	a, names := &actor{settings: settings}, &named{configuration: configuration}
	var scope control.Scope
	var until string
	cmd := &cobra.Command{
		Use:   "stop --why TEXT",
		Short: "Stop placing calls: all, or those of a source, a route or a country",
		Long: `stop ends the placing of calls in every process before their next claim, within a second. Running
calls are not cut. What waits is kept, and is placed after "resume", or at --until. With
several of --source, --route and --country, only calls that have all of them are stopped.
It connects to NATS_URL, else to NATS_LISTEN of a process on this machine, and needs the
role operator.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.needWhy("the agent says the wrong price"); err != nil {
				return err
			}
			now := time.Now().UTC()
			end, err := instant("--until", until, now)
			if err == nil {
				err = checkCountry(scope.Country)
			}
			if err == nil {
				err = names.warn(cmd.ErrOrStderr(), scope.Source, scope.Route)
			}
			if err != nil {
				return err
			}
			config, err := a.config(cmd.Context())
			if err != nil {
				return err
			}
			active, err := bus.Stop(cmd.Context(), config, control.Stop{Scope: scope, By: a.by, Why: a.why, Since: now, Until: end})
			if err != nil {
				return output.Explain(err)
			}
			return a.print(cmd.OutOrStdout(), stops{Stopped: active}, func(w io.Writer) { writeStops(w, active) })
		},
	}
	addScope(cmd, &scope)
	names.addTo(cmd)
	cmd.Flags().StringVar(&until, "until", "", "when the stop ends by itself: a time, or a duration such as 2h (default: never)")
	a.addPerson(cmd, "the reason (required)")
	a.addTo(cmd)
	cmd.AddCommand(newStopList(settings))
	return cmd
}

// NewResume makes the command resume.
func NewResume(settings Settings) *cobra.Command {
	a := &actor{settings: settings}
	var scope control.Scope
	var all bool
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Place calls again that were stopped, beginning with a quarter of DIAL_RATE",
		Long: `resume ends the only stop, the stop of exactly the scope that is named, or with --all every
stop. Calls that have waited are judged again before they are placed. They begin with a
quarter of DIAL_RATE, and reach all of it after five minutes. It needs the role operator.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all && scope != (control.Scope{}) {
				return errors.New("--all ends every stop: leave it out to end the one of --source, --route or --country")
			}
			config, err := a.config(cmd.Context())
			if err != nil {
				return err
			}
			ended, err := bus.Resume(cmd.Context(), config, scope, all, control.Resume{By: a.by, Why: a.why, At: time.Now().UTC()})
			if err != nil {
				return output.Explain(err)
			}
			return a.print(cmd.OutOrStdout(), stops{Resumed: ended}, func(w io.Writer) {
				for _, s := range ended {
					untrusted.Fprintf(w, "resumed: %s, stopped by %s since %s: %s\n", s.Scope, s.By, s.Since.UTC().Format(time.RFC3339), s.Why)
				}
			})
		},
	}
	addScope(cmd, &scope)
	cmd.Flags().BoolVar(&all, "all", false, "end every stop")
	a.addPerson(cmd, "the reason")
	a.addTo(cmd)
	return cmd
}

func newStopList(settings Settings) *cobra.Command {
	a := &actor{settings: settings}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print what is stopped, by whom and why",
		Long:  `list prints the stops that are active, oldest first. It needs the role reader.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := a.config(cmd.Context())
			if err != nil {
				return err
			}
			active, err := bus.ReadStops(cmd.Context(), config)
			if err != nil {
				return output.Explain(err)
			}
			return a.print(cmd.OutOrStdout(), stops{Stopped: active}, func(w io.Writer) { writeStops(w, active) })
		},
	}
	a.addTo(cmd)
	return cmd
}

// stops is what the commands print as JSON.
type stops struct {
	Stopped []control.Stop `json:"stopped,omitempty"`
	Resumed []control.Stop `json:"resumed,omitempty"`
}

func writeStops(w io.Writer, active []control.Stop) {
	if len(active) == 0 {
		untrusted.Fprintf(w, "nothing is stopped\n")
	}
	for _, s := range active {
		until := ""
		if !s.Until.IsZero() {
			until = " until " + s.Until.UTC().Format(time.RFC3339)
		}
		untrusted.Fprintf(w, "stopped: %s, by %s since %s%s: %s\n", s.Scope, s.By, s.Since.UTC().Format(time.RFC3339), until, s.Why)
	}
}

func addScope(cmd *cobra.Command, s *control.Scope) {
	cmd.Flags().StringVar(&s.Source, "source", "", "only calls of this source")
	cmd.Flags().StringVar(&s.Route, "route", "", "only calls of this route")
	cmd.Flags().StringVar(&s.Country, "country", "", "only calls to numbers of this country, such as DE")
}

func checkCountry(code string) error {
	if iso2, ok := phone.Country(code); code != "" && (!ok || iso2 != code) {
		return fmt.Errorf("--country %s is no country: write its two capital letters, such as DE", code)
	}
	return nil
}
