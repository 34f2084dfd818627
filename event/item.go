package event

// Item is one thing that the bus stores because of an event. Exactly one field
// is set.
type Item struct {
	// Request is a call to make.
	Request *Request
	// Result says why there is no call.
	Result *Result
	// Pending is the event itself, to be mapped after a look-up in its CRM.
	Pending *Pending
}

// Event returns the event that the item is about.
func (i Item) Event() Event {
	switch {
	case i.Request != nil:
		return i.Request.Event
	case i.Pending != nil:
		return i.Pending.Event
	default:
		return i.Result.Event
	}
}

// Route returns the route that decided the item, or "" for the event as a whole.
func (i Item) Route() string {
	switch {
	case i.Request != nil:
		return i.Request.Route
	case i.Result != nil:
		return i.Result.Route
	default:
		return ""
	}
}
