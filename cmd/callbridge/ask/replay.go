package ask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus/archive"
	"callbridge/bus/role"
	"callbridge/cmd/callbridge/output"
	"callbridge/history/replay"
	"callbridge/mapping"
	"callbridge/untrusted"
	"callbridge/zonedata"
)

// ExitError ends the program with another code than 1.
type ExitError struct {
	error
	Code int
}

// ExitCode is the code.
func (e ExitError) ExitCode() int { return e.Code }

// moreCalls is the exit code of --exit-code.
const moreCalls = 2

// NewReplay makes the command replay.
func NewReplay(o Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Compare what was decided about stored events with what a configuration decides now",
		Args:  cobra.NoArgs,
	}
	p := &planner{finder: finder{question: question{Options: o}}}
	plan := &cobra.Command{
		Use:   "plan",
		Short: "Say who would be called, who not any more, and who was called already",
		Long: `plan maps stored events through a configuration and compares the decisions with those that
were made: would_call, waits_until, call_changes, already_called, blocked, would_not_call,
now_invalid, same. It calls nobody. Events are selected by their results, as with "find".
The policy is that of now, by the time of the event, without the memory of people and the
do-not-call list, which are asked before each call. Fields of a lookup are missing: the
CRM's answer is not stored. It needs the role operator.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.plan(cmd.Context(), cmd.OutOrStdout()) },
	}
	p.addTo(plan, "text", "json")
	p.addConfig(plan)
	p.addSelection(plan)
	plan.Flags().IntVar(&p.query.Limit, "limit", 1000, "how many results are compared; 0 for all")
	plan.Flags().StringVar(&p.out, "out", "", "file to write the plan to; only its owner may read it")
	plan.Flags().BoolVar(&p.exitCode, "exit-code", false, "end with the code 2 if somebody would be called")
	cmd.AddCommand(plan)
	return cmd
}

type planner struct {
	finder
	out      string
	exitCode bool
}

func (p *planner) plan(ctx context.Context, w io.Writer) error {
	if err := p.check(time.Now()); err != nil {
		return err
	}
	p.query.Unbounded = p.query.Limit == 0
	config, err := p.Configuration(p.file)
	if err != nil {
		return err
	}
	made, err := p.make(ctx, config)
	if err != nil {
		return err
	}
	if p.out != "" {
		if err := save(p.out, made); err != nil {
			return err
		}
	}
	if p.output == "json" {
		err = output.JSON(w, made)
	} else {
		writePlan(w, made)
	}
	if n := made.People(); err == nil && p.exitCode && n > 0 {
		return ExitError{fmt.Errorf("%d calls would be placed that were not", n), moreCalls}
	}
	return err
}

func (p *planner) make(ctx context.Context, config *mapping.Config) (made replay.Plan, err error) {
	err = p.read(ctx, "callbridge replay plan", role.Operator, func(ctx context.Context, s archive.Archive) error {
		made, err = replay.Make(ctx, s, config, names(config), p.query, time.Now())
		return err
	})
	made.Config, made.ZoneData, made.Version = config.Hash(), zonedata.Version(), p.Version
	return made, err
}

// save writes a plan that only its owner may read. It replaces no file.
func save(file string, p replay.Plan) (err error) {
	out, err := os.OpenFile(filepath.Clean(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return errors.Join(output.JSON(out, p), out.Close())
}

func writePlan(w io.Writer, p replay.Plan) {
	for _, i := range p.Items {
		untrusted.Fprintf(w, "%-14s  %s  %-14s %-10s -> %s", i.Verdict, i.Source, cmp.Or(i.Route, "(the event)"), before(i.Old), i.Outcome)
		until := ""
		if !i.Until.IsZero() {
			until = "until " + clock(i.Until)
		}
		for _, part := range []string{string(i.Reason), i.Field, i.To, strings.Join(i.Changed, ","), i.Gate, until, "event " + i.Event.String()} {
			if part != "" {
				untrusted.Fprintf(w, "  %s", part)
			}
		}
		untrusted.Fprintf(w, "\n")
	}
	counts := p.Counts()
	untrusted.Fprintf(w, "\n")
	for _, v := range replay.Verdicts {
		if counts[v] > 0 {
			untrusted.Fprintf(w, "%8d  %s\n", counts[v], v)
		}
	}
	untrusted.Fprintf(w, "%d results compared with the configuration %s", p.Read, p.Config)
	if p.Partly {
		untrusted.Fprintf(w, "; there are older ones: --limit 0 reads all, --since and --until select")
	}
	untrusted.Fprintf(w, "\n")
}

// before is what became of a request before the replay.
func before(o replay.Old) string {
	switch {
	case o.Open:
		return "open"
	case o.Outcome == "":
		return "-"
	}
	return string(o.Outcome)
}
