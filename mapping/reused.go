package mapping

import (
	"callbridge/event"
	"callbridge/mapping/field"
)

// A key says that two webhooks are the same event. Where they are not, the second
// person must not vanish as a duplicate, so what both say is compared: never the bytes,
// because a CRM that repeats a webhook may count its attempts in it, but what the
// call would be. Both events are mapped by the configuration in force, so a changed
// configuration makes no difference between them.

// Reused compares an item with the one that was stored under its identity before. If
// they are about different people, or would say something else, the key was used
// twice: Reused returns the rejection of the newer event. It reports false if the
// stored item says too little for a comparison.
func (c *Config) Reused(stored, next event.Item) (event.Item, bool) {
	before, after := c.content(stored), c.content(next)
	if before == "" || after == "" {
		before, after = stored.CallTo(), next.CallTo()
	}
	if before == "" || after == "" || before == after {
		return event.Item{}, false
	}
	detail := "an earlier event with the same key says something else; look at key: of the source"
	if stored.CallTo() != next.CallTo() {
		detail = "an earlier event with the same key names another person; look at key: of the source"
	}
	d := rejected(next.Event(), "", field.Refusal{Reason: event.ReasonKeyReused, Field: field.NameKey, Detail: detail})
	d.Result.RequestID = event.RejectionID(d.Result.Event.ID, "", event.ReasonKeyReused, "", digest(after))
	d.Result.Config = c.hash
	return d.item(), true
}

// content is what the item's event says, as far as the bus keeps it: the call of its
// route without our ids and metadata, or the record that its lookup asks for. It is
// "" if that cannot be made of it.
func (c *Config) content(item event.Item) string {
	if item == (event.Item{}) {
		return ""
	}
	e := item.Event()
	source, ok := c.sources[e.Source]
	if !ok || len(e.Data) == 0 {
		return ""
	}
	if item.Pending != nil {
		return c.pendingContent(source, *item.Pending)
	}
	b, ok := c.binding(e.Source, item.Route())
	if !ok {
		return ""
	}
	values, _ := source.values(Incoming{Event: e})
	call, refused := b.call.Build(values, "")
	if refused != nil {
		return ""
	}
	call.Metadata = nil
	return digest(call)
}

func (c *Config) pendingContent(source *Source, p event.Pending) string {
	in, err := Resume(p)
	if err != nil {
		return ""
	}
	_, request := source.values(in)
	if request == nil {
		return ""
	}
	return digest(request.Object)
}
