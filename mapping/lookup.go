package mapping

import (
	"errors"
	"fmt"
	"slices"

	"callbridge/event"
	"callbridge/mapping/payload"
)

// Lookup returns the request that has to be made to the CRM's API before the
// event can be mapped. There is none if the source asks nothing about such an
// event, if what would be asked is there already, and if no route hangs on it:
// an event that nobody is called about costs the CRM nothing.
func (c *Config) Lookup(in Incoming) (*LookupRequest, bool) {
	source, ok := c.sources[in.Event.Source]
	if !ok || in.Err != nil || in.answered || len(source.inquiries) == 0 {
		return nil, false
	}
	r := source.reader(in)
	return r.request, r.request != nil && c.awaits(r)
}

// WithLookup returns the event with what the CRM's API answered: JSON, a form
// or XML, as contentType says; JSON also under a name that is not JSON's, since
// some APIs call it text. The error is that of payload.Decode.
func (in Incoming) WithLookup(answer []byte, contentType string) (Incoming, error) {
	tree, err := payload.Decode(contentType, payload.Auto, answer)
	if errors.Is(err, payload.ErrUnsupported) {
		tree, err = payload.Decode("", payload.JSON, answer)
	}
	if err != nil {
		return in, fmt.Errorf("read the look-up's answer: %w", err)
	}
	in.answer, in.answered = tree, true
	return in, nil
}

// Items returns what the bus stores of an event: the event itself (Pending) if
// its look-up has to be made first, else one request or result per Decision of
// Map. It is never empty, unless Waiting's error is returned.
func (c *Config) Items(in Incoming) ([]event.Item, error) {
	if _, needed := c.Lookup(in); needed {
		p, err := c.Waiting(in)
		if err != nil {
			return nil, err
		}
		return []event.Item{{Pending: &p}}, nil
	}
	decisions := c.Map(in)
	items := make([]event.Item, len(decisions))
	for i, d := range decisions {
		items[i] = d.item()
	}
	return items, nil
}

// Waiting returns what has to be kept of an event until its look-up is made:
// the event, and what its fields need of the rest of the delivery.
func (c *Config) Waiting(in Incoming) (event.Pending, error) {
	p := event.Pending{Event: in.Event}
	source, ok := c.sources[in.Event.Source]
	if !ok || in.material == nil {
		return p, nil
	}
	kept := map[string]any{}
	for _, place := range source.beside() {
		if place.many {
			kept[place.String()] = place.all(in.material)
		} else if value, ok := place.find(in.material); ok {
			kept[place.String()] = value
		}
	}
	text, err := payload.Encode(kept)
	if err != nil {
		return p, fmt.Errorf("keep the delivery of event %s: %w", in.Event.ID, err)
	}
	p.Delivery = text
	return p, nil
}

// Resume takes up an event that has waited for its look-up.
func Resume(p event.Pending) (Incoming, error) {
	in := Incoming{Event: p.Event, kept: map[string]any{}}
	if len(p.Delivery) == 0 {
		return in, nil
	}
	tree, err := payload.Decode("application/json", payload.JSON, p.Delivery)
	if err != nil {
		return in, fmt.Errorf("read the delivery of event %s: %w", p.Event.ID, err)
	}
	in.kept, _ = tree.(map[string]any)
	return in, nil
}

// Rejected returns the item of an event that cannot be mapped for a reason
// outside of the mapping, such as a failed look-up.
func (in Incoming) Rejected(reason event.Reason, detail string) event.Item {
	return rejected(in.Event, "", refusal{reason: reason, detail: detail}).item()
}

// Skipped returns the item of an event that is not to be mapped.
func (in Incoming) Skipped(reason event.Reason, detail string) event.Item {
	return skipped(in.Event, "", reason, detail).item()
}

// beside are the places of fields that lie outside of the event.
func (s *Source) beside() []lookup {
	var places []lookup
	add := func(all []lookup) {
		for _, place := range all {
			if slices.Contains([]string{fromRoot, fromHeader, fromQuery}, place.origin) {
				places = append(places, place)
			}
		}
	}
	for _, name := range s.order {
		add(s.fields[name].places)
		add(s.fields[name].country)
	}
	for _, parts := range s.version {
		add(parts)
	}
	return places
}
