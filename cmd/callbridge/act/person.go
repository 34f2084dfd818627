package act

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/dnc"
	memory "callbridge/bus/people"
	"callbridge/cmd/callbridge/output"
	"callbridge/event"
	"callbridge/mapping"
	"callbridge/policy"
	"callbridge/policy/place"
	"callbridge/untrusted"
)

// NewPerson makes the command person.
func NewPerson(settings Settings, configuration Configuration) *cobra.Command {
	p := &people{actor: actor{settings: settings}}
	var file string
	var reveal bool
	cmd := &cobra.Command{
		Use:   "person NUMBER",
		Short: "Show when a person was called, and may be called next",
		Long: `person shows the calls to a person that count for the caps of the policy, the entries of
the do-not-call list, and when each route may call next, as far as the number alone says it:
an address of the CRM, DNC_FILE and stops are not known here. It needs a running "callbridge
serve" and the role operator. Without --reveal the number is masked.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			numbers, err := p.read(args)
			if err != nil {
				return err
			}
			shown, facts, err := p.person(cmd.Context(), numbers[0])
			if err != nil {
				return err
			}
			if reveal {
				shown.Number = numbers[0]
			}
			c, err := configuration(file)
			switch {
			case err == nil:
				shown.Next = next(c, event.Phone(numbers[0]), facts, time.Now())
			case file != "" || !errors.Is(err, fs.ErrNotExist):
				return err
			}
			return p.print(cmd.OutOrStdout(), shown, shown.write)
		},
	}
	p.addRegion(cmd)
	cmd.Flags().StringVarP(&file, "config", "c", "", "callbridge.yaml, for the next allowed time (default: CONFIG_FILE, then callbridge.yaml)")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the whole number")
	p.addTo(cmd)
	return cmd
}

// shownPerson is what is printed of a person.
type shownPerson struct {
	// Number is masked, unless it is to be revealed.
	Number string `json:"number"`
	// Zones are where the person may be, by the number.
	Zones   []string      `json:"zones"`
	Calls   []memory.Call `json:"calls"`
	Entries []dnc.Entry   `json:"do_not_call"`
	// Next is when routes may call.
	Next []nextCall `json:"next,omitempty"`

	zones []*time.Location
}

// nextCall is what the policy of a route says about a call to the person now.
type nextCall struct {
	Source string        `json:"source"`
	Route  string        `json:"route"`
	Action policy.Action `json:"action"`
	Reason policy.Reason `json:"reason,omitempty"`
	Detail string        `json:"detail,omitempty"`
	Until  time.Time     `json:"until,omitzero"`
}

// person asks what NATS has of a person.
func (p *people) person(ctx context.Context, number string) (shown shownPerson, f policy.Facts, err error) {
	config, err := p.config(ctx)
	if err != nil {
		return shown, f, err
	}
	var known memory.Document
	err = bus.AskDNC(ctx, config, func(ctx context.Context, c dnc.Client) error {
		answer, err := c.Ask(ctx, dnc.VerbCheck, dnc.Request{Numbers: []string{number}})
		if err != nil {
			return err
		}
		shown.Entries = answer.Persons[0].Entries
		if name := answer.Persons[0].Person; name != "" {
			known, err = memory.ReadNamed(ctx, c.JS, strings.TrimSuffix(c.Prefix, ".dnc"), name)
		}
		return err
	})
	if err != nil {
		return shown, f, output.Explain(err)
	}
	shown.Number, shown.Calls = event.Phone(number).String(), known.Calls
	places, err := place.Of(place.Person{Number: number, NumberCountry: mapping.CountryOf(event.Phone(number))})
	for _, at := range places {
		shown.zones, shown.Zones = append(shown.zones, at.Zone), append(shown.Zones, at.Zone.String())
	}
	if err != nil {
		shown.zones, shown.Zones = nil, nil // it is not known where the person is
	}
	for _, c := range known.Calls {
		f.Calls = append(f.Calls, policy.Call{Request: c.Request.String(), At: c.At, Class: c.Class, Open: c.Open})
	}
	for _, e := range shown.Entries {
		if e.Scope == (dnc.Scope{}) {
			f.Suppressed = append(f.Suppressed, policy.Suppression{Reason: e.Why, By: e.By, Until: e.Until})
		}
	}
	return shown, f, nil
}

// next judges a call of each route, by the number and what NATS has of the person.
func next(c *mapping.Config, number event.Phone, known policy.Facts, now time.Time) (all []nextCall) {
	body, err := json.Marshal(map[string]string{"call_to": number.Reveal()})
	if err != nil {
		return nil
	}
	for _, route := range c.Routes() {
		for _, source := range route.Sources {
			// A request that has come in now, with consent.
			p, f := c.Policy(&event.Request{Route: route.Name, Event: event.Event{Source: source, Received: now}, Call: body, Consent: string(policy.Yes)})
			f.Calls, f.Suppressed = known.Calls, known.Suppressed
			v := policy.Decide(p, f, now)
			all = append(all, nextCall{source, route.Name, v.Action, v.Reason, v.Detail, v.Until})
		}
	}
	return all
}

func (s shownPerson) write(w io.Writer) {
	untrusted.Fprintf(w, "%s", s.Number)
	if s.Zones != nil {
		untrusted.Fprintf(w, ", by the number in %s", strings.Join(s.Zones, " or "))
	}
	untrusted.Fprintf(w, "\n%d calls are remembered\n", len(s.Calls))
	for _, c := range s.Calls {
		untrusted.Fprintf(w, "  %s, request %s, attempt %d %s\n", s.clocks(c.At), c.Request, c.Attempt, c.Class)
	}
	writeEntries(w, []listedPerson{{Number: s.Number, Entries: s.Entries}})
	for _, n := range s.Next {
		untrusted.Fprintf(w, "route %s of source %s: ", n.Route, n.Source)
		switch {
		case n.Action == policy.Go:
			untrusted.Fprintf(w, "may call now\n")
		case n.Action == policy.Wait && !n.Until.IsZero():
			untrusted.Fprintf(w, "waits until %s (%s: %s)\n", s.clocks(n.Until), n.Reason, n.Detail)
		default:
			untrusted.Fprintf(w, "does not call (%s: %s)\n", n.Reason, n.Detail)
		}
	}
}

// clocks is an instant in UTC and where the person may be.
func (s shownPerson) clocks(at time.Time) string {
	texts := []string{at.UTC().Format(time.RFC3339)}
	for _, zone := range s.zones {
		texts = append(texts, fmt.Sprint(at.In(zone).Format("Mon 15:04 -07:00")))
	}
	return strings.Join(texts, ", ")
}
