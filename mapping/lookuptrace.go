package mapping

import "callbridge/event"

// LookupTrace is the look-up of an event, for people.
type LookupTrace struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"`
	// State is made, awaited, or needless: no route hangs on it.
	State string `json:"state"`

	revealed *LookupRequest
}

func (c *Config) traceLookup(in Incoming, r *reader) *LookupTrace {
	if r.request == nil {
		return nil
	}
	t := &LookupTrace{Method: r.request.Method, State: "needless", revealed: r.request}
	t.URL, t.Body = event.Redact(r.request.URL), event.Redact(string(r.request.Body))
	switch {
	case in.answered:
		t.State = "made"
	case c.awaits(r):
		t.State = "awaited"
	}
	return t
}

// reveal returns the trace with whole numbers.
func (t *LookupTrace) reveal() *LookupTrace {
	if t == nil {
		return nil
	}
	whole := *t
	whole.URL, whole.Body = t.revealed.URL, string(t.revealed.Body)
	return &whole
}
