package mapping

import (
	"strconv"

	"callbridge/event"
	"callbridge/mapping/rule"
)

// settle returns the decision of a route beside those of earlier routes about the same
// event: one event rings a person once. If an earlier route calls the same number, this
// one is skipped, unless it says also: true. A dry run gives way to an earlier dry run
// too, because it shows what would happen if both were live; a call that is made does
// not give way to a dry run.
func (b *binding) settle(d Decision, earlier []Decision) Decision {
	if b.route.Also || !d.dials() && !d.isDryRun() {
		return d
	}
	for _, before := range earlier {
		if before.To != d.To || !before.dials() && !(before.isDryRun() && d.isDryRun()) {
			continue
		}
		calls := " calls "
		if before.isDryRun() {
			calls = " would call "
		}
		after := skipped(d.event(), d.Route, event.ReasonSameEvent,
			"the route "+strconv.Quote(before.Route)+calls+d.To.String()+" for this event already")
		after.To, after.Cuts, after.Result.Request = d.To, d.Cuts, d.call()
		return after
	}
	return d
}

// dials reports whether the decision requests a call.
func (d Decision) dials() bool { return d.Request != nil }

func (d Decision) isDryRun() bool { return d.Result != nil && d.Result.Reason == event.ReasonDryRun }

func (d Decision) event() event.Event {
	if d.Request != nil {
		return d.Request.Event
	}
	return d.Result.Event
}

// call is the body of the call that the decision makes, or would make.
func (d Decision) call() []byte {
	if d.Request != nil {
		return d.Request.Call
	}
	return d.Result.Request
}

// warnSameNumber warns about a route that takes the same number from the same source as
// an earlier one, where an event may match both.
func (l *loader) warnSameNumber(bindings []*binding) {
	for i, b := range bindings {
		if !b.route.Enabled || b.route.Also || b.call.To() == "" {
			continue
		}
		for _, before := range bindings[:i] {
			if !before.route.Enabled || before.route.Stop || before.call.To() != b.call.To() || rule.Exclude(before.rule, b.rule) {
				continue
			}
			b.route.at.Warn("an event that matches this route and "+strconv.Quote(before.route.Name)+" calls the number in "+
				strconv.Quote(b.call.To())+" once: "+strconv.Quote(before.route.Name)+" makes the call, and this route is skipped (same_event)",
				`write also: true to call a second time, or stop: true at "`+before.route.Name+`" if one call is meant`)
			break
		}
	}
}
