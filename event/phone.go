package event

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"callbridge/untrusted"
)

// Phone is a telephone number in E.164 form ("+12025550142"). Printed, logged or
// marshalled it shows only its first two and last two digits. Reveal returns the
// whole number, so uses of it can be found by searching for the name.
type Phone string

// IsE164 reports whether text has the form that Callab requires: + and 7 to 15
// digits, of which the first is not 0. It does not check that the number exists.
func IsE164(text string) bool {
	digits, plus := strings.CutPrefix(text, "+")
	return plus && len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0' &&
		strings.Trim(digits, "0123456789") == ""
}

// Reveal returns the whole number. Only the call itself needs it.
func (p Phone) Reveal() string { return string(p) }

// String returns the masked number: "+12•••••••42".
func (p Phone) String() string { return untrusted.Mask(string(p)) }

// Format masks the number under every verb of fmt, %d and %x included.
func (p Phone) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue masks the number in every slog handler.
func (p Phone) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText masks the number in JSON and YAML.
func (p Phone) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
