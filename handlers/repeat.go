package handlers

import (
	"context"

	"callbridge/event"
)

// repeat is an item that the bus did not store, because something is stored under its
// identity.
type repeat struct {
	item  event.Item
	owner *eventAnswer
}

// compare finds out what the repeats of a webhook are: the same event again,
// or an event whose lookup ended with a rejection and is
// made again. A new event never gets here.
func (in Intake) compare(ctx context.Context, repeats []repeat, trace string) error {
	items := make([]event.Item, len(repeats))
	for i, r := range repeats {
		items[i] = r.item
	}
	earlier, err := in.Bus.Earlier(ctx, items)
	if err != nil {
		return err
	}
	for i, r := range repeats {
		before := earlier[i]
		if before.Open {
			renewed, err := in.Bus.Renew(ctx, trace, r.item.Pending, before)
			if err != nil {
				return err
			}
			if renewed {
				r.owner.existing--
				r.owner.Status = pending
			}
			continue
		}
		if r.owner.Was == "" {
			r.owner.Was = was(r.item, before.Was)
		}
	}
	return nil
}

// was is the reason of an earlier result. A result of the mapping that was not
// compared has the reason that it has again.
func was(item event.Item, stored event.Reason) event.Reason {
	if stored == "" && item.Result != nil {
		return item.Result.Reason
	}
	return stored
}
