package ask

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus/archive"
	"callbridge/bus/audit"
	"callbridge/bus/role"
	"callbridge/untrusted"
)

// NewAudit makes the command audit.
func NewAudit(o Options) *cobra.Command {
	q := &question{Options: o}
	var begin, verb string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Print who has stopped, resumed or forbidden calls, when and why",
		Long: `audit prints who did what, the oldest first: stop, resume, dnc-add and dnc-remove. It has no
numbers: with -o json it names each person by the hash that "dnc export" prints, one JSON
object a line. It needs the role reader.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if verb != "" && !slices.Contains(audit.Verbs(), verb) {
				return fmt.Errorf("--verb %s is none: it is %s", verb, strings.Join(audit.Verbs(), ", "))
			}
			from, err := since("since", begin, time.Now())
			if err != nil {
				return err
			}
			return q.audit(cmd.Context(), untrusted.NewWriter(cmd.OutOrStdout()), verb, from)
		},
	}
	q.addTo(cmd, "text", "json")
	cmd.Flags().StringVar(&begin, "since", "", "the oldest: a time, a day, or an age such as 48h (default: all)")
	cmd.Flags().StringVar(&verb, "verb", "", "only "+strings.Join(audit.Verbs(), ", "))
	return cmd
}

func (q *question) audit(ctx context.Context, w io.Writer, verb string, from time.Time) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	show := func(e audit.Entry) error {
		if q.output == "json" {
			return lines.Encode(e)
		}
		people := ""
		if e.Asked > 0 {
			people = fmt.Sprintf(", %d of %d people", len(e.Persons), e.Asked)
		}
		return untrusted.Fprintf(w, "%s  %-10s  by %s: %s%s: %s\n", e.At.UTC().Format(time.RFC3339), e.Verb, orNone(e.By), e.What, people, orNone(e.Why))
	}
	return q.read(ctx, "callbridge audit", role.Reader, func(ctx context.Context, a archive.Archive) error {
		return a.Acts(ctx, verb, from, show)
	})
}
