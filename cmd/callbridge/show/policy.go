package show

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/output"
	"callbridge/mapping"
	"callbridge/mapping/permit"
	"callbridge/policy"
	"callbridge/policy/hours"
	"callbridge/policy/place"
	"callbridge/untrusted"
	"callbridge/zonedata"
)

// Load loads the configuration in a file; "" is the file that serve would use.
type Load func(file string) (*mapping.Config, string, error)

// NewPolicy makes the command policy.
func NewPolicy(load Load) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show who may be called and when: policy show",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyShow(load))
	return cmd
}

func newPolicyShow(load Load) *cobra.Command {
	var config, format, at string
	cmd := &cobra.Command{
		Use:   "show [ROUTE]",
		Short: "Print what holds for each route, where it is written, and the hours of each weekday",
		Long: `show prints the policy of each route and of requests that name no route: each key with its
value, and whether it is the route's, the file's or a default. It prints the hours that may
count with their source, and for each country what holds at --at TIME for a person of whom
only the country is known. It needs no NATS and no secrets.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			now, err := Instant(at)
			if err != nil {
				return err
			}
			c, file, err := load(config)
			if err != nil {
				return err
			}
			v, err := viewOf(c, file, args, now)
			if err != nil {
				return err
			}
			if format == "json" {
				return output.JSON(cmd.OutOrStdout(), v)
			}
			v.print(cmd.OutOrStdout())
			return nil
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "callbridge.yaml (default: CONFIG_FILE, then callbridge.yaml)")
	cmd.Flags().StringVar(&at, "at", "", "time for which it is shown, such as 2026-11-30T08:00:00-05:00 (default: now)")
	output.Flag(cmd, &format, "text", "json")
	return cmd
}

// view is what policy show prints.
type view struct {
	File string    `json:"file"`
	At   time.Time `json:"at"`
	// ZoneData is the release of the time zone database.
	ZoneData string `json:"zone_data"`
	// Routes are the routes; one without a name stands for requests that name none.
	Routes []routeView `json:"routes"`
	// Hours are the rules that may count for any of them.
	Hours []ruleView `json:"hours"`
}

type routeView struct {
	Route    string           `json:"route,omitempty"`
	Mode     mapping.Mode     `json:"mode,omitempty"`
	Purpose  policy.Purpose   `json:"purpose"`
	Settings []permit.Setting `json:"settings"`
	// Countries are what holds at the time for a person of whom only the country is known.
	Countries []countryView `json:"countries,omitempty"`
}

type countryView struct {
	Country string        `json:"country"`
	Action  policy.Action `json:"action"`
	Reason  policy.Reason `json:"reason,omitempty"`
	Detail  string        `json:"detail"`
	Until   time.Time     `json:"until,omitzero"`
}

type ruleView struct {
	Name     string `json:"name"`
	Week     string `json:"week"`
	Holidays string `json:"holidays"`
	Source   string `json:"source"`
	Strength string `json:"strength,omitempty"`
	// Checked is the day on which the rule was compared with its source.
	Checked string `json:"checked,omitempty"`
}

// viewOf is the view of all routes, or of the one that is named.
func viewOf(c *mapping.Config, file string, names []string, at time.Time) (view, error) {
	v := view{File: file, At: at, ZoneData: zonedata.Version() + " of " + zonedata.Released().Format(time.DateOnly)}
	var rules []*hours.Rule
	var known []string
	for _, p := range c.Policies() {
		known = append(known, p.Route)
		if len(names) > 0 && p.Route != names[0] {
			continue
		}
		v.Routes = append(v.Routes, routeOf(p, at))
		for _, rule := range p.Rules(p.Purpose) {
			if !slices.Contains(rules, rule) {
				rules = append(rules, rule)
			}
		}
	}
	if len(v.Routes) == 0 {
		return v, fmt.Errorf("there is no route %q in %s: it has %s", names[0], file, strings.Join(known[1:], ", "))
	}
	for _, rule := range rules {
		r := ruleView{Name: rule.Name, Week: rule.Week(), Holidays: rule.OnHolidays(), Source: rule.Source, Strength: rule.Strength}
		if !rule.Checked.IsZero() {
			r.Checked = rule.Checked.Format(time.DateOnly)
		}
		v.Hours = append(v.Hours, r)
	}
	return v, nil
}

func routeOf(p mapping.RoutePolicy, at time.Time) routeView {
	r := routeView{Route: p.Route, Purpose: p.Purpose, Settings: p.Settings(p.Purpose, p.Route != "")}
	if p.Route != "" {
		r.Mode = p.Mode
	}
	for _, country := range p.Countries {
		places, err := place.Of(place.Person{Country: country})
		if err != nil {
			places = nil
		}
		verdict := policy.Decide(p.For(p.Purpose), policy.Facts{Consent: policy.Yes, DoNotCall: policy.No, Places: places}, at)
		view := countryView{Country: country, Action: verdict.Action, Reason: verdict.Reason, Detail: verdict.Detail}
		if verdict.Action == policy.Go {
			view.Detail = verdict.Gates[len(verdict.Gates)-1].Value
		}
		if verdict.Action == policy.Wait && len(places) > 0 {
			view.Until = verdict.Until.In(places[0].Zone)
		}
		r.Countries = append(r.Countries, view)
	}
	return r
}

func (v view) print(w io.Writer) {
	p := func(format string, args ...any) { untrusted.Fprintf(w, format, args...) }
	p("%s, zone data %s\n", v.File, v.ZoneData)
	for _, r := range v.Routes {
		if r.Route == "" {
			p("\nrequests that name no route (%s)\n", r.Purpose)
		} else {
			p("\nroute %s (%s, %s)\n", r.Route, r.Mode, r.Purpose)
		}
		for _, s := range r.Settings {
			from := s.From
			if s.At != "" {
				from += ", " + s.At
			}
			p("  %-18s %-36s %s\n", s.Key, s.Value, from)
		}
		for _, c := range r.Countries {
			p("  at %s in %s, if only the country is known: %s\n", v.At.UTC().Format("2006-01-02 15:04 UTC"), c.Country, c.text())
		}
	}
	if len(v.Hours) > 0 {
		p("\nhours, by the clock of the person\n")
	}
	for _, r := range v.Hours {
		p("  %-16s %s; public holidays %s\n  %-16s %s\n", r.Name, r.Week, r.Holidays, "", r.origin())
	}
}

// text says what happens in the country.
func (c countryView) text() string {
	switch {
	case c.Action == policy.Go:
		return "called, " + c.Detail
	case c.Action == policy.Wait && !c.Until.IsZero():
		return "waits until " + c.Until.Format("Mon 2006-01-02 15:04 (-07:00)") + ", " + c.Detail
	}
	return fmt.Sprintf("no call, %s: %s", c.Reason, c.Detail)
}

// origin says where the hours come from.
func (r ruleView) origin() string {
	text := r.Source
	if r.Strength != "" {
		text += " (" + r.Strength + ")"
	}
	if r.Checked != "" {
		text += ", checked " + r.Checked
	}
	return text
}
