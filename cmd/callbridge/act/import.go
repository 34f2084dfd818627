package act

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/dnc"
	"callbridge/cmd/callbridge/numberfile"
	"callbridge/cmd/callbridge/output"
	"callbridge/internal/wait"
	"callbridge/untrusted"
)

func newDNCImport(settings Settings, configuration Configuration) *cobra.Command {
	i := &importer{people: people{actor: actor{settings: settings}, names: named{configuration: configuration}}}
	cmd := &cobra.Command{
		Use:   "import FILE --why TEXT",
		Short: "Put the numbers of a file on the list",
		Long: `import puts the people of a CSV file on the list: one number a line, in the first column. It
reads the whole file first, and refuses one with lines that hold no number unless
--skip-bad is given; it lists those lines. It can be interrupted and run again: who is on
the list already stays there. Progress goes to standard error. A file of "export" is put
back as it was, into a list with the same person key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return i.run(cmd, args[0]) },
	}
	i.addScope(cmd)
	i.names.addTo(cmd)
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
	// exported: the file is one of "export".
	exported bool
}

// line is a line of a file that has a number, or an entry with its key, or should.
type line struct {
	at     int
	number string
	listed dnc.Listed
	key    string
	// err is why it has none.
	err error
}

// scan calls fn with each line of a file, and stops at its error.
func (i *importer) scan(r io.Reader, fn func(line) error) error {
	if i.exported {
		return scanExported(r, fn)
	}
	return numberfile.Scan(r, i.region, func(l numberfile.Line) error {
		return fn(line{at: l.At, number: l.Number.Reveal(), err: l.Err})
	})
}

// open opens the file, and finds out of which kind it is.
func (i *importer) open(name string) (*os.File, int64, error) {
	file, size, err := openFile(name)
	if err != nil {
		return nil, 0, err
	}
	i.exported = isExported(bufio.NewReader(file))
	if _, err = file.Seek(0, io.SeekStart); err == nil && i.exported && (i.scope != dnc.Scope{} || i.region != "" || i.until != "") {
		err = errors.New("its lines have their own scopes and times: leave out --source, --route, --until and --region")
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("read %s: %w", name, err), file.Close())
	}
	return file, size, nil
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
	if err == nil {
		err = i.names.warn(cmd.ErrOrStderr(), i.scope.Source, i.scope.Route)
	}
	if err != nil {
		return err
	}
	file, size, err := i.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	total, err := i.check(cmd.Context(), file, size, cmd.ErrOrStderr())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(total.Bad) > 0 && !i.skipBad {
		return fmt.Errorf("%s has %d lines that hold no %s, so nothing was imported: %s, or use --skip-bad", name, len(total.Bad), i.noun(), i.correct())
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s again: %w", name, err)
	}
	config, err := i.config(cmd.Context())
	if err != nil {
		return err
	}
	err = bus.AskDNC(cmd.Context(), config, func(ctx context.Context, c dnc.Client) error {
		return i.send(ctx, c, file, size, &total, until)
	})
	if err != nil {
		return output.Explain(fmt.Errorf("%d of %d lines are on the list; run the command again for the rest: %w", total.Added+total.Unchanged, total.Lines, err))
	}
	return i.print(cmd.OutOrStdout(), total, func(w io.Writer) {
		untrusted.Fprintf(w, "%d lines: %d added, %d were on the list already; %d lines without a %s\n", total.Lines, total.Added, total.Unchanged, len(total.Bad), i.noun())
	})
}

func (i *importer) noun() string {
	if i.exported {
		return "valid entry"
	}
	return "number"
}

func (i *importer) correct() string {
	if i.exported {
		return "export it again"
	}
	return "correct them, name the country of numbers without a country code with --region"
}

// check reads the whole file, and lists the lines that hold no number.
func (i *importer) check(ctx context.Context, r io.Reader, size int64, errs io.Writer) (total imported, err error) {
	counted := &counter{r: r}
	bar := progress{size: size, act: "checked"}
	var list bytes.Buffer
	err = i.scan(counted, func(l line) error {
		bar.show(counted.n, total.Lines)
		if l.err == nil {
			total.Lines++
		} else if total.Bad = append(total.Bad, l.at); len(total.Bad) <= mostListed {
			untrusted.Fprintf(&list, "line %d: %s\n", l.at, l.err)
		}
		return context.Cause(ctx)
	})
	bar.end(counted.n, total.Lines)
	_, _ = errs.Write(list.Bytes())
	if more := len(total.Bad) - mostListed; more > 0 {
		untrusted.Fprintf(errs, "and %d more lines; -o json lists all with --skip-bad\n", more)
	}
	return total, err
}

// send adds the numbers in batches. Each is on the disk when it is answered.
func (i *importer) send(ctx context.Context, c dnc.Client, r io.Reader, size int64, total *imported, until time.Time) error {
	counted := &counter{r: r}
	bar := progress{size: size, act: "on the list"}
	request := dnc.Request{Scope: i.scope, Until: until, By: i.by, Why: i.why}
	flush := func() error {
		if len(request.Numbers)+len(request.Listed) == 0 {
			return nil
		}
		answer, err := ask(ctx, c, request, total.Added+total.Unchanged > 0)
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
		request.Numbers, request.Listed = request.Numbers[:0], request.Listed[:0]
		bar.show(counted.n, total.Added+total.Unchanged)
		return nil
	}
	err := i.scan(counted, func(l line) error {
		switch {
		case l.err != nil:
			return nil
		case i.exported:
			request.Listed, request.Key = append(request.Listed, l.listed), l.key
		default:
			request.Numbers = append(request.Numbers, l.number)
		}
		if len(request.Numbers)+len(request.Listed) < dnc.MaxNumbers {
			return nil
		}
		return flush()
	})
	err = errors.Join(err, ctx.Err())
	if err == nil {
		err = flush()
	}
	bar.end(counted.n, total.Added+total.Unchanged)
	return err
}

const (
	// tries is how often a batch after the first is sent: the process that has answered so
	// far may end.
	tries = 3
	// retryPause is the pause between them.
	retryPause = 2 * time.Second
)

func ask(ctx context.Context, c dnc.Client, r dnc.Request, again bool) (answer dnc.Answer, err error) {
	for try := 1; ; try++ {
		if answer, err = c.Ask(ctx, dnc.VerbAdd, r); err == nil || !again || try == tries || wait.For(ctx, retryPause) != nil {
			return answer, err
		}
	}
}

// counter counts the bytes that were read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// progress is a line on standard error that says how far an import is, if that is a
// terminal. It writes there directly: it goes back to the beginning of its line, which no
// text of others may do.
type progress struct {
	size int64
	// act is what was done to the lines.
	act   string
	last  time.Time
	shown bool
}

// progressEvery is how often the line changes.
const progressEvery = 200 * time.Millisecond

func (p *progress) show(read int64, lines int) {
	if time.Since(p.last) < progressEvery {
		return
	}
	if p.last = time.Now(); isTerminal() {
		p.shown = true
		p.write(read, lines)
	}
}

func (p *progress) write(read int64, lines int) {
	const width = 30
	part := min(float64(read)/float64(max(p.size, 1)), 1)
	bar := strings.Repeat("=", int(width*part))
	_, _ = fmt.Fprintf(os.Stderr, "\r[%-*s] %3.0f%%  %d lines %s", width, bar, math.Floor(100*part), lines, p.act)
}

// end leaves the last state on its line.
func (p *progress) end(read int64, lines int) {
	if p.shown {
		p.write(read, lines)
		_, _ = fmt.Fprintln(os.Stderr)
	}
}

// isTerminal reports whether standard error is a terminal.
func isTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
