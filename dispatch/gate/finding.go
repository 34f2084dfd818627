package gate

import (
	"log/slog"

	"callbridge/event"
	"callbridge/policy"
)

// Findings are what the gates found, for a result: never a number or a name.
func Findings(v policy.Verdict) []event.Gate {
	findings := make([]event.Gate, len(v.Gates))
	for i, f := range v.Gates {
		findings[i] = event.Gate{Gate: event.Reason(f.Gate), Passes: f.Passes, Value: f.Value, Until: f.Until}
	}
	return findings
}

// Attributes are what the gates found, for the log.
func (j Judgement) Attributes() []slog.Attr {
	attributes := []slog.Attr{
		slog.String("verdict", string(j.Action)), slog.String("reason", string(j.Reason)), slog.String("detail", j.Detail), slog.Time("until", j.Until),
	}
	for _, f := range j.Gates {
		attributes = append(attributes, slog.Group(string(f.Gate), slog.Bool("passes", f.Passes), slog.String("value", f.Value)))
	}
	return attributes
}
