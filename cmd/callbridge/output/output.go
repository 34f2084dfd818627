// Package output has what the commands of cmd/callbridge print in the same way: the format
// of -o, JSON, the word of a gate, and the error of a NATS that cannot be reached.
package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"callbridge/bus"
)

// Flag adds -o to a command whose output a program may read. The first format is the
// default; another one than these is refused before the command runs.
func Flag(cmd *cobra.Command, format *string, formats ...string) {
	last := len(formats) - 1
	names := strings.Join(formats[:last], ", ") + " or " + formats[last]
	cmd.Flags().StringVarP(format, "output", "o", formats[0], names)
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(formats, *format) {
			return fmt.Errorf("-o %s: it is %s", *format, names)
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// JSON writes an indented value, without HTML escapes.
func JSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// Says is what a gate of the policy says about a call.
func Says(passes bool) string {
	if passes {
		return "allows"
	}
	return "forbids"
}

// Explain adds what to do about a NATS that cannot be reached to an error.
func Explain(err error) error {
	if errors.Is(err, bus.ErrUnreachable) {
		return fmt.Errorf("NATS %w; is `callbridge serve` running and listening on NATS_LISTEN? Use --nats for another address", err)
	}
	return err
}
