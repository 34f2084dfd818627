package act

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/dnc"
	"callbridge/cmd/callbridge/numberfile"
	"callbridge/cmd/callbridge/output"
	"callbridge/event"
	"callbridge/mapping/phone"
	"callbridge/untrusted"
)

// NewDNC makes the command dnc.
func NewDNC(settings Settings, configuration Configuration) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dnc",
		Short: "Change and read the list of people who must not be called",
		Long: `dnc changes the list of people who must not be called. A person who was added is on the
disk before the command ends, and is not called from the next claim of any process on.
The list holds no numbers, but keyed hashes of them: only a running "callbridge serve"
has the key, so add, remove, check and import need one. All need the role operator.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newDNCAdd(settings, configuration), newDNCRemove(settings), newDNCCheck(settings), newDNCImport(settings, configuration), newDNCExport(settings))
	return cmd
}

// people holds the flags of the commands about people.
type people struct {
	actor
	names  named
	scope  dnc.Scope
	region string
	until  string
}

func (p *people) addScope(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.scope.Source, "source", "", "only for calls of this source")
	cmd.Flags().StringVar(&p.scope.Route, "route", "", "only for calls of this route")
}

func (p *people) addRegion(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.region, "region", "", "country of numbers without a country code, such as US")
}

func (p *people) checkRegion() error {
	if iso2, ok := phone.Country(p.region); p.region != "" && (!ok || iso2 != p.region) {
		return fmt.Errorf("--region %s is no country: write its two capital letters, such as US", p.region)
	}
	return nil
}

// read reads the numbers of the arguments.
func (p *people) read(args []string) ([]string, error) {
	if err := p.checkRegion(); err != nil {
		return nil, err
	}
	if len(args) > dnc.MaxNumbers {
		return nil, fmt.Errorf("%d numbers are too many for one command: write them into a file, and run `callbridge dnc import FILE`", len(args))
	}
	numbers := make([]string, len(args))
	for i, text := range args {
		number, err := numberfile.Parse(text, p.region)
		if err != nil {
			return nil, fmt.Errorf("number %d cannot be read: %w; write it with its country code, such as +12025550142, or name its country with --region", i+1, err)
		}
		numbers[i] = number.Reveal()
	}
	return numbers, nil
}

// ask sends one request.
func (p *people) ask(ctx context.Context, verb string, r dnc.Request) (answer dnc.Answer, err error) {
	config, err := p.config(ctx)
	if err != nil {
		return answer, err
	}
	err = bus.AskDNC(ctx, config, func(ctx context.Context, c dnc.Client) (err error) {
		answer, err = c.Ask(ctx, verb, r)
		return err
	})
	return answer, output.Explain(err)
}

// listedPerson is what the commands print of one person as JSON.
type listedPerson struct {
	// Number is masked.
	Number  string      `json:"number"`
	Changed bool        `json:"changed"`
	Entries []dnc.Entry `json:"entries,omitempty"`
}

func persons(numbers []string, answer dnc.Answer) []listedPerson {
	all := make([]listedPerson, len(numbers))
	for i, s := range answer.Persons {
		all[i] = listedPerson{event.Phone(numbers[i]).String(), s.Changed, s.Entries}
	}
	return all
}

func newDNCAdd(settings Settings, configuration Configuration) *cobra.Command {
	p := &people{actor: actor{settings: settings}, names: named{configuration: configuration}}
	cmd := &cobra.Command{
		Use:   "add NUMBER... --why TEXT",
		Short: "Put people on the list",
		Long: `add puts the people of numbers on the list, for all calls or for those of a source or a
route. It ends when that is on the disk. Adding somebody again changes nothing.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.needWhy("asked by e-mail not to be called"); err != nil {
				return err
			}
			until, err := instant("--until", p.until, time.Now())
			if err != nil {
				return err
			}
			numbers, err := p.read(args)
			if err == nil {
				err = p.names.warn(cmd.ErrOrStderr(), p.scope.Source, p.scope.Route)
			}
			if err != nil {
				return err
			}
			answer, err := p.ask(cmd.Context(), dnc.VerbAdd, dnc.Request{Numbers: numbers, Scope: p.scope, Until: until, By: p.by, Why: p.why})
			if err != nil {
				return err
			}
			return p.printChanged(cmd, persons(numbers, answer), "added", "was on the list already")
		},
	}
	p.addScope(cmd)
	p.names.addTo(cmd)
	p.addRegion(cmd)
	cmd.Flags().StringVar(&p.until, "until", "", "when the entry ends by itself: a time, or a duration such as 720h (default: never)")
	p.addPerson(cmd, "the reason (required)")
	p.addTo(cmd)
	return cmd
}

func newDNCRemove(settings Settings) *cobra.Command {
	p := &people{actor: actor{settings: settings}}
	var all bool
	cmd := &cobra.Command{
		Use:   "remove NUMBER... --why TEXT",
		Short: "Take people off the list",
		Long: `remove takes away the entry for all calls, or that of exactly the --source and --route
that are named, or with --all every entry. Numbers of DNC_FILE and what the CRM says stay.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.needWhy("has agreed again in the contract of May"); err != nil {
				return err
			}
			if all && p.scope != (dnc.Scope{}) {
				return errors.New("--all takes every entry away: leave it out to take the one of --source or --route")
			}
			numbers, err := p.read(args)
			if err != nil {
				return err
			}
			answer, err := p.ask(cmd.Context(), dnc.VerbRemove, dnc.Request{Numbers: numbers, Scope: p.scope, All: all, By: p.by, Why: p.why})
			if err != nil {
				return err
			}
			return p.printChanged(cmd, persons(numbers, answer), "removed", "has no such entry")
		},
	}
	p.addScope(cmd)
	p.addRegion(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "take every entry away")
	p.addPerson(cmd, "the reason (required)")
	p.addTo(cmd)
	return cmd
}

func (p *people) printChanged(cmd *cobra.Command, all []listedPerson, changed, unchanged string) error {
	return p.print(cmd.OutOrStdout(), all, func(w io.Writer) {
		for _, one := range all {
			if one.Changed {
				untrusted.Fprintf(w, "%s: %s, %s\n", changed, one.Number, p.scope)
			} else {
				untrusted.Fprintf(w, "%s %s\n", one.Number, unchanged)
			}
		}
	})
}

func newDNCCheck(settings Settings) *cobra.Command {
	p := &people{actor: actor{settings: settings}}
	cmd := &cobra.Command{
		Use:   "check NUMBER...",
		Short: "Say whether people are on the list, and why",
		Long:  `check prints the entries of the people of numbers. It does not read DNC_FILE or the CRM.`,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			numbers, err := p.read(args)
			if err != nil {
				return err
			}
			answer, err := p.ask(cmd.Context(), dnc.VerbCheck, dnc.Request{Numbers: numbers})
			if err != nil {
				return err
			}
			all := persons(numbers, answer)
			return p.print(cmd.OutOrStdout(), all, func(w io.Writer) { writeEntries(w, all) })
		},
	}
	p.addRegion(cmd)
	p.addTo(cmd)
	return cmd
}

func writeEntries(w io.Writer, all []listedPerson) {
	for _, one := range all {
		if len(one.Entries) == 0 {
			untrusted.Fprintf(w, "%s is not on the list\n", one.Number)
		}
		for _, e := range one.Entries {
			until := ""
			if !e.Until.IsZero() {
				until = " until " + e.Until.UTC().Format(time.RFC3339)
			}
			untrusted.Fprintf(w, "%s must not be called: %s, by %s since %s%s: %s\n", one.Number, e.Scope, e.By, e.Since.UTC().Format(time.RFC3339), until, e.Why)
		}
	}
}

func newDNCExport(settings Settings) *cobra.Command {
	p := &people{actor: actor{settings: settings}}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print the list, with a hash for each number",
		Long: `export prints one line for each entry: the hash of the number, the scope, since, until, by,
why, and the check value of the person key. The numbers are not known to callbridge. "import"
reads the file again, into a list with the same person key. With -o json it prints one JSON
object a line for each person.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := p.config(cmd.Context())
			if err != nil {
				return err
			}
			out := untrusted.NewWriter(cmd.OutOrStdout())
			if p.output == "json" {
				encoder := json.NewEncoder(out)
				return output.Explain(bus.ExportDNC(cmd.Context(), config, func(one dnc.Person) error { return encoder.Encode(one) }))
			}
			return output.Explain(exportCSV(cmd.Context(), config, out))
		},
	}
	p.addTo(cmd)
	return cmd
}

func openFile(name string) (*os.File, int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("read numbers: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("read numbers: %w", err), file.Close())
	}
	return file, info.Size(), nil
}
