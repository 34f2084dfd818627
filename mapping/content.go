package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"callbridge/event"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
)

// identify gives each rejection an id with a digest of what was rejected.
func (c *Config) identify(decisions []Decision, values *field.Values) {
	for i := range decisions {
		r := decisions[i].Result
		if r == nil || r.Outcome != event.Rejected {
			continue
		}
		r.RequestID = event.RejectionID(r.Event.ID, r.Route, r.Reason, r.Field, c.rejectedContent(values, r))
	}
}

// rejectedContent is a digest of the values that the route uses, as they were sent.
func (c *Config) rejectedContent(values *field.Values, r *event.Result) string {
	names := []string{r.Field}
	if b, ok := c.binding(r.Event.Source, r.Route); ok {
		names = append(append(names, b.rule.Names()...), b.call.Names()...)
	}
	slices.Sort(names)
	var found []any
	for _, name := range slices.Compact(names) {
		found = append(found, name, values.Raw(name))
	}
	return digest(found)
}

func (c *Config) binding(source, route string) (*binding, bool) {
	for _, b := range c.bySource[source] {
		if b.route.Name == route {
			return b, true
		}
	}
	return nil, false
}

func digest(value payload.Value) string {
	text, err := payload.Encode(value)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
