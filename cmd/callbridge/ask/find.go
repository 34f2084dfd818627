package ask

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus/archive"
	"callbridge/bus/role"
	"callbridge/cmd/callbridge/output"
	"callbridge/event"
	"callbridge/history"
	"callbridge/untrusted"
)

// NewFind makes the command find.
func NewFind(o Options) *cobra.Command {
	f := &finder{question: question{Options: o}}
	cmd := &cobra.Command{
		Use:   "find",
		Short: "Find events by what became of them, the newest first",
		Long: `find lists the results of events that all flags select, the newest first, or counts them
by a field. --where is a condition in CEL over result and data (the payload of the event):
data.email == "ada@example.com". With it, find reads at most 20,000 results or 2 seconds,
says how far it got, and goes on with --before or, with --all, to the end. It needs the role
reader.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f.addTo(cmd, "text", "json", "csv")
	f.addReveal(cmd)
	f.addSelection(cmd)
	cmd.Flags().StringVar(&f.query.CountBy, "count-by", "", "count by "+strings.Join(history.Columns(), ", "))
	cmd.Flags().Uint64Var(&f.query.Before, "before", 0, "go on where an earlier answer has ended")
	cmd.Flags().IntVar(&f.query.Limit, "limit", 100, "how many rows")
	cmd.Flags().BoolVar(&f.query.Unbounded, "all", false, "read to the end, however long it takes; no limit of rows")
	return cmd
}

type finder struct {
	question
	query               history.Query
	since, until, where string
}

// addSelection adds the flags that select results.
func (f *finder) addSelection(cmd *cobra.Command) {
	for name, flag := range map[string]struct {
		value *string
		help  string
	}{
		"since": {&f.since, "the oldest: a time, a day, or an age (default 24h)"}, "until": {&f.until, "the end, without it: a time, a day, or an age"},
		"source": {&f.query.Source, "only this source"}, "route": {&f.query.Route, "only this route"},
		"outcome": {&f.query.Outcome, "only this outcome"}, "reason": {&f.query.Reason, "only this reason"},
		"where": {&f.where, "a condition in CEL over result and data"},
	} {
		cmd.Flags().StringVar(flag.value, name, "", flag.help)
	}
}

// run checks the flags, asks and prints.
func (f *finder) run(ctx context.Context, w io.Writer) error {
	if err := f.check(time.Now()); err != nil {
		return err
	}
	var found history.Found
	err := f.read(ctx, "callbridge find", role.Reader, func(ctx context.Context, s archive.Archive) (err error) {
		found, err = history.Find(ctx, s, f.query)
		return err
	})
	if err != nil {
		return err
	}
	return f.print(w, found)
}

func (f *finder) check(now time.Time) (err error) {
	if f.query.CountBy != "" && !slices.Contains(history.Columns(), f.query.CountBy) {
		return fmt.Errorf("--count-by %s: it is one of %s", f.query.CountBy, strings.Join(history.Columns(), ", "))
	}
	if strings.ContainsAny(f.query.Source+f.query.Outcome, ".*> ") {
		return errors.New("--source and --outcome are single words")
	}
	if f.query.Limit < 0 {
		return errors.New("--limit must not be negative")
	}
	if f.query.Unbounded {
		f.query.Limit = 0
	}
	if f.since == "" {
		f.since = "24h"
	}
	if f.query.Since, err = since("since", f.since, now); err != nil {
		return err
	}
	if f.query.Until, err = since("until", f.until, now); err != nil {
		return err
	}
	f.query.Where, err = history.CompileWhere(f.where)
	return err
}

// row is a result as it is printed.
type row struct {
	Time    string `json:"time"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Source  string `json:"source"`
	Route   string `json:"route"`
	Key     string `json:"key"`
	Type    string `json:"type"`
	To      string `json:"to"`
	Field   string `json:"field"`
	Detail  string `json:"detail"`
	Request string `json:"request_id"`
	Event   string `json:"event_id"`
}

func (f *finder) rows(found history.Found) []row {
	rows := make([]row, 0, len(found.Rows))
	for _, r := range found.Rows {
		result := r.Result
		one := row{
			clock(r.Stored), string(result.Outcome), string(result.Reason), result.Event.Source, result.Route, f.key(result.Event), result.Event.Type, "",
			result.Field, result.Detail, result.RequestID.String(), result.Event.ID.String(),
		}
		if to := (event.Item{Result: &result}).CallTo(); to != "" {
			one.To = f.to(event.Phone(to))
		}
		rows = append(rows, one)
	}
	return rows
}

func (f *finder) print(w io.Writer, found history.Found) error {
	rows := f.rows(found)
	switch {
	case f.output == "json":
		return output.JSON(w, struct {
			Rows   []row           `json:"rows"`
			Counts []history.Count `json:"counts,omitzero"`
			Read   int             `json:"read"`
			Next   uint64          `json:"next,omitzero"`
		}{rows, found.Counts, found.Read, found.Next})
	case f.output == "csv":
		return writeCSV(w, rows, found.Counts)
	}
	for _, r := range rows {
		untrusted.Fprintf(w, "%s  %-8s %-14s %s %s", r.Time, r.Outcome, r.Reason, r.Source, r.Key)
		for _, part := range []string{r.Route, r.To, r.Field, r.Detail, "request " + r.Request} {
			if part != "" {
				untrusted.Fprintf(w, "  %s", part)
			}
		}
		untrusted.Fprintf(w, "\n")
	}
	for _, c := range found.Counts {
		untrusted.Fprintf(w, "%8d  %s\n", c.Count, orNone(c.Value))
	}
	if found.Next > 0 {
		untrusted.Fprintf(w, "%d results read, back to %s; go on with --before %d, or read all with --all\n", found.Read, clock(found.Reached), found.Next)
		return nil
	}
	untrusted.Fprintf(w, "%d results read\n", found.Read)
	return nil
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

// writeCSV writes rows, or counts if there are some, so that a spreadsheet takes no cell for a formula.
func writeCSV(w io.Writer, rows []row, counts []history.Count) error {
	out := csv.NewWriter(w)
	if counts != nil {
		_ = out.Write([]string{"value", "count"})
		for _, c := range counts {
			_ = out.Write([]string{cell(c.Value), fmt.Sprint(c.Count)})
		}
	} else {
		_ = out.Write([]string{"time", "outcome", "reason", "source", "route", "key", "type", "to", "field", "detail", "request_id", "event_id"})
	}
	for _, r := range rows {
		line := []string{r.Time, r.Outcome, r.Reason, r.Source, r.Route, r.Key, r.Type, r.To, r.Field, r.Detail, r.Request, r.Event}
		for i := range line {
			line[i] = cell(line[i])
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

// cell keeps a spreadsheet from taking a text for a formula
// (https://owasp.org/www-community/attacks/CSV_Injection, read in November 2026).
func cell(text string) string {
	text = untrusted.Line(text)
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
