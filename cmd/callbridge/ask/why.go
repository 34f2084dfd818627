package ask

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus/archive"
	"callbridge/bus/role"
	"callbridge/cmd/callbridge/output"
	"callbridge/event"
	"callbridge/history"
	"callbridge/mapping"
	"callbridge/untrusted"
)

// NewWhy makes the command why.
func NewWhy(o Options) *cobra.Command {
	q := &question{Options: o}
	cmd := &cobra.Command{
		Use:   "why ID|KEY|NUMBER",
		Short: "Say why somebody was or was not called: all that is stored about an event",
		Long: `why tells the story of an event in the order of time: the webhook, what each route made
of it, every attempt, and what became of it; then what the configuration at hand would
decide today. It takes the id of a request, an event, a trace or a call of Callab, the CRM's own key of an
event, or a telephone number with its country (+1 202 555 0142). It needs the role operator,
and changes nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := q.Configuration(q.file)
			if err != nil {
				return err
			}
			var a answer
			err = q.read(cmd.Context(), "callbridge why", role.Operator, func(ctx context.Context, s archive.Archive) (err error) {
				a, err = tell(ctx, s, config, e164(args[0]))
				return err
			})
			if err != nil {
				return err
			}
			return q.print(cmd.OutOrStdout(), a)
		},
	}
	q.addTo(cmd, "text", "json")
	q.addReveal(cmd)
	q.addConfig(cmd)
	return cmd
}

// answer is what why prints.
type answer struct {
	Stories []told `json:"events"`
	// Read is how many results were looked at one after another, and Partly that there are
	// older ones.
	Read   int  `json:"read,omitzero"`
	Partly bool `json:"partly,omitzero"`
}

type told struct {
	history.Story
	// Today is what the configuration at hand decides about the event.
	Today *mapping.Explanation `json:"today,omitzero"`
	// Hash is that of the configuration at hand.
	Hash string `json:"config_today"`
}

func tell(ctx context.Context, s history.Store, config *mapping.Config, text string) (answer, error) {
	found, err := history.Locate(ctx, s, names(config), text)
	if err != nil {
		return answer{}, err
	}
	a := answer{Stories: []told{}, Read: found.Read, Partly: found.Partly}
	for _, e := range found.Events {
		story, err := history.Why(ctx, s, names(config), e)
		if err != nil {
			return answer{}, err
		}
		one := told{Story: story, Hash: config.Hash()}
		if in, err := mapping.Resume(event.Pending{Event: e.Event}); err == nil && len(e.Data) > 0 {
			x := config.Explain(in)
			one.Today = &x
		}
		one.Event.Data = nil // it has numbers
		a.Stories = append(a.Stories, one)
	}
	return a, nil
}

func (q *question) print(w io.Writer, a answer) error {
	if q.output == "json" {
		for i := range a.Stories {
			a.Stories[i].Event.Key = q.key(a.Stories[i].Event)
			if q.reveal && a.Stories[i].Today != nil {
				x := a.Stories[i].Today.Reveal()
				a.Stories[i].Today = &x
			}
		}
		return output.JSON(w, a)
	}
	if len(a.Stories) == 0 {
		if a.Partly {
			return fmt.Errorf("%w in the newest %d results; give the id of the request or of the event", errNothing, a.Read)
		}
		return fmt.Errorf("%w; look at --config for the names of the sources, and at RETENTION for how long events are kept", errNothing)
	}
	for _, one := range a.Stories {
		q.printHead(w, one)
		if len(a.Stories) == 1 {
			q.printSteps(w, one)
		}
	}
	if n := len(a.Stories); n > 1 {
		untrusted.Fprintf(w, "\n%d events; for the whole story of one: callbridge why ID\n", n)
	}
	if a.Partly {
		untrusted.Fprintf(w, "\nOnly the newest %d results were looked at.\n", a.Read)
	}
	return nil
}

func (q *question) printHead(w io.Writer, one told) {
	e := one.Event
	untrusted.Fprintf(w, "%s  key %s  type %s  received %s\n  event %s\n", e.Source, q.key(e), e.Type, clock(e.Received), e.ID)
	for _, r := range one.Requests {
		name := r.Route
		if name == "" {
			name = "(the event)"
		}
		untrusted.Fprintf(w, "  %-16s %s\n", name, r.Sentence)
		untrusted.Fprintf(w, "  %-16s request %s", "", r.ID)
		if r.To != "" {
			untrusted.Fprintf(w, "  to %s", q.to(r.To))
		}
		if r.Config != "" {
			untrusted.Fprintf(w, "  configuration %s", r.Config)
		}
		untrusted.Fprintf(w, "\n")
	}
}

func (q *question) printSteps(w io.Writer, one told) {
	untrusted.Fprintf(w, "\n")
	for _, step := range one.Steps {
		untrusted.Fprintf(w, "%s  %-9s %-14s %s\n", clock(step.At), step.Kind, step.Route, step.Text)
		for _, g := range step.Gates {
			untrusted.Fprintf(w, "%24s  %-9s %-14s %-7s %s\n", "", "gate", g.Gate, output.Says(g.Passes), g.Value)
		}
	}
	if one.Today == nil {
		return
	}
	untrusted.Fprintf(w, "\nthe configuration of today (%s) decides\n", one.Hash)
	for _, d := range one.Today.Decisions {
		name := d.Route
		if name == "" {
			name = "(the event)"
		}
		untrusted.Fprintf(w, "  %-16s %s", name, d.Outcome)
		for _, part := range []string{string(d.Reason), d.Field, d.Detail} {
			if part != "" {
				untrusted.Fprintf(w, "  %s", part)
			}
		}
		untrusted.Fprintf(w, "\n")
	}
	for _, route := range one.Today.Routes {
		for _, part := range route.Parts {
			untrusted.Fprintf(w, "  %-16s %-9s %s\n", route.Route, part.Value, part.Text)
		}
	}
	if one.Today.Lookup != nil {
		untrusted.Fprintf(w, "  fields of the CRM's answer are not known here: it is not stored\n")
	}
}

// clock is a time in UTC, to the millisecond.
func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000Z") }
