package act

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/dnc"
	"callbridge/cmd/callbridge/numberfile"
	"callbridge/untrusted"
)

func newDNCImport(settings Settings) *cobra.Command {
	i := &importer{people: people{actor: actor{settings: settings}}}
	cmd := &cobra.Command{
		Use:   "import FILE --why TEXT",
		Short: "Put the numbers of a file on the list",
		Long: `import puts the people of a CSV file on the list: one number a line, in the first column. It
reads the whole file first, and refuses one with lines that hold no number unless
--skip-bad is given; it lists those lines. It can be interrupted and run again: who is on
the list already stays there. Progress goes to standard error.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return i.run(cmd, args[0]) },
	}
	i.addScope(cmd)
	i.addRegion(cmd)
	cmd.Flags().StringVar(&i.until, "until", "", "when the entries end by themselves: a time, or a duration such as 720h (default: never)")
	cmd.Flags().BoolVar(&i.skipBad, "skip-bad", false, "import the other lines if some hold no number")
	i.addPerson(cmd, "the reason (required)")
	i.addTo(cmd)
	return cmd
}

type importer struct {
	people
	skipBad bool
}

// imported is what the command prints as JSON.
type imported struct {
	Lines     int `json:"lines"`
	Added     int `json:"added"`
	Unchanged int `json:"unchanged"`
	// Bad are the lines that hold no number.
	Bad []int `json:"bad,omitempty"`
}

// mostListed is how many bad lines are printed with their reason.
const mostListed = 1000

func (i *importer) run(cmd *cobra.Command, name string) error {
	if err := errors.Join(i.needWhy("list of the regulator of November"), i.checkRegion()); err != nil {
		return err
	}
	until, err := instant("--until", i.until, time.Now())
	if err != nil {
		return err
	}
	file, size, err := openFile(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	total, err := i.check(file, cmd.ErrOrStderr())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(total.Bad) > 0 && !i.skipBad {
		return fmt.Errorf("%s has %d lines that hold no number, so nothing was imported: correct them, name the country of numbers without a country code with --region, or use --skip-bad", name, len(total.Bad))
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s again: %w", name, err)
	}
	config, err := i.config(cmd.Context())
	if err != nil {
		return err
	}
	err = bus.AskPeople(cmd.Context(), config, func(ctx context.Context, c dnc.Client) error {
		return i.send(ctx, c, file, size, &total, until)
	})
	if err != nil {
		return explain(fmt.Errorf("%d of %d numbers are on the list; run the command again for the rest: %w", total.Added+total.Unchanged, total.Lines, err))
	}
	return i.print(cmd.OutOrStdout(), total, func(w io.Writer) {
		untrusted.Fprintf(w, "%d numbers: %d added, %d were on the list already, %d lines without a number\n", total.Lines, total.Added, total.Unchanged, len(total.Bad))
	})
}

// check reads the whole file, and lists the lines that hold no number.
func (i *importer) check(r io.Reader, errs io.Writer) (total imported, err error) {
	err = numberfile.Scan(r, i.region, func(l numberfile.Line) error {
		if l.Err == nil {
			total.Lines++
			return nil
		}
		if total.Bad = append(total.Bad, l.At); len(total.Bad) <= mostListed {
			untrusted.Fprintf(errs, "line %d: %s\n", l.At, l.Err)
		}
		return nil
	})
	if more := len(total.Bad) - mostListed; more > 0 {
		untrusted.Fprintf(errs, "and %d more lines; -o json lists all with --skip-bad\n", more)
	}
	return total, err
}

// send adds the numbers in batches. Each is on the disk when it is answered.
func (i *importer) send(ctx context.Context, c dnc.Client, r io.Reader, size int64, total *imported, until time.Time) error {
	counted := &counter{r: r}
	bar := progress{size: size}
	request := dnc.Request{Scope: i.scope, Until: until, By: i.by, Why: i.why}
	flush := func() error {
		if len(request.Numbers) == 0 {
			return nil
		}
		answer, err := c.Ask(ctx, dnc.VerbAdd, request)
		if err != nil {
			return err
		}
		for _, s := range answer.Persons {
			if s.Changed {
				total.Added++
			} else {
				total.Unchanged++
			}
		}
		request.Numbers = request.Numbers[:0]
		bar.show(counted.n.Load(), total.Added+total.Unchanged)
		return nil
	}
	err := numberfile.Scan(counted, i.region, func(l numberfile.Line) error {
		if l.Err != nil {
			return nil
		}
		request.Numbers = append(request.Numbers, l.Number.Reveal())
		if len(request.Numbers) < dnc.MaxNumbers {
			return nil
		}
		return flush()
	})
	err = errors.Join(err, ctx.Err())
	if err == nil {
		err = flush()
	}
	bar.end()
	return err
}

// counter counts the bytes that were read.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// progress is a line on standard error that says how far an import is, if that is a
// terminal. It writes there directly: it goes back to the beginning of its line, which no
// text of others may do.
type progress struct {
	size  int64
	last  time.Time
	shown bool
}

// progressEvery is how often the line changes.
const progressEvery = 200 * time.Millisecond

func (p *progress) show(read int64, numbers int) {
	if !isTerminal() || time.Since(p.last) < progressEvery {
		return
	}
	const width = 30
	done := int(width * min(read, p.size) / max(p.size, 1))
	bar := make([]byte, width)
	for at := range bar {
		bar[at] = ' '
		if at < done {
			bar[at] = '='
		}
	}
	_, _ = fmt.Fprintf(os.Stderr, "\r[%s] %3d%%  %d numbers", bar, 100*min(read, p.size)/max(p.size, 1), numbers)
	p.last, p.shown = time.Now(), true
}

func (p *progress) end() {
	if p.shown {
		_, _ = fmt.Fprintln(os.Stderr)
	}
}

// isTerminal reports whether standard error is a terminal.
func isTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
