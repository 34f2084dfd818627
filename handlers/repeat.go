package handlers

import (
	"context"

	"callbridge/event"
	"callbridge/mapping"
)

// repeat is an item that the bus did not store, because something is stored under its
// identity.
type repeat struct {
	item  event.Item
	owner *eventAnswer
}

// compare finds out what the repeats of a webhook are: the same event again, another
// event under the same key, or an event whose lookup ended with a rejection and is
// made again. A new event never gets here.
func (in Intake) compare(ctx context.Context, config *mapping.Config, repeats []repeat, trace string) error {
	items := make([]event.Item, len(repeats))
	for i, r := range repeats {
		items[i] = r.item
	}
	earlier, err := in.Bus.Earlier(ctx, items)
	if err != nil {
		return err
	}
	var reused []event.Item
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
		if r.owner.Status == duplicate && r.owner.Was == "" {
			r.owner.Was = was(r.item, before.Was)
		}
		rejection, differs := config.Reused(before.Item, r.item)
		if differs && r.owner.Reason != event.ReasonKeyReused {
			r.owner.reuse(rejection)
			reused = append(reused, rejection)
		}
	}
	if len(reused) == 0 {
		return nil
	}
	_, err = in.Bus.Store(ctx, trace, reused...)
	return err
}

// was is the reason of an earlier result. A result of the mapping that was not
// compared has the reason that it has again.
func was(item event.Item, stored event.Reason) event.Reason {
	if stored == "" && item.Result != nil {
		return item.Result.Reason
	}
	return stored
}

// reuse says that another event has the event's key. A call that the webhook did lead
// to counts more.
func (a *eventAnswer) reuse(rejection event.Item) {
	a.Was = ""
	if a.Status == requested || a.Status == deferred {
		return
	}
	a.Status, a.Requests = rejected, nil
	a.Reason, a.Field = rejection.Result.Reason, rejection.Result.Field
}
