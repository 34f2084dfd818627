package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/policy"
)

// Configuration is what decides: mapping.Config.
type Configuration interface {
	Map(in mapping.Incoming) []mapping.Decision
	Permits(r *event.Request) (event.Outcome, event.Reason, string)
	Policy(r *event.Request) (policy.Policy, policy.Facts)
}

// compare judges an event: olds are what was decided about it by the name of the route, and
// the empty name for the event as a whole. The policy is that of now without the memory
// of people and the lists, which are asked before each call anyway.
func compare(c Configuration, e event.Event, olds map[string]Old, now time.Time) []Item {
	in, err := mapping.Resume(event.Pending{Event: e})
	if err != nil {
		return nil
	}
	var items []Item
	decided := map[string]bool{}
	for _, d := range c.Map(in) {
		item := Item{Source: e.Source, Event: e.ID, Route: d.Route, Old: olds[d.Route]}
		decided[d.Route] = true
		if d.Request != nil {
			item.request(c, d.Request, olds, now)
		} else {
			item.refuse(d.Result)
		}
		items = append(items, item)
	}
	for _, route := range slices.Sorted(maps.Keys(olds)) {
		if old := olds[route]; !decided[route] && route != "" {
			item := Item{Source: e.Source, Event: e.ID, Route: route, Old: old, Verdict: Same, Outcome: string(event.Skipped), Reason: event.ReasonNoRoute}
			if old.Open {
				item.Verdict = WouldNotCall
			}
			items = append(items, item)
		}
	}
	return items
}

// request judges a new call.
func (i *Item) request(c Configuration, r *event.Request, olds map[string]Old, now time.Time) {
	to := event.Phone(event.Item{Request: r}.CallTo())
	i.Outcome, i.To, i.Digest = "requested", to.String(), digest(r.Call)
	for _, old := range olds {
		// One event rings a person once, whichever route did.
		if old.called() && (old.Request == r.ID || old.to == to) {
			i.Verdict, i.Old = AlreadyCalled, old
			return
		}
	}
	if i.Old.Open {
		i.Changed = changed(i.Old.call, r.Call)
		i.Verdict = Same
		if len(i.Changed) > 0 {
			i.Verdict = CallChanges
		}
		return
	}
	i.Verdict = WouldCall
	if outcome, reason, _ := c.Permits(r); outcome != "" {
		i.Verdict, i.Gate = Blocked, string(reason)
		return
	}
	p, facts := c.Policy(r)
	switch v := policy.Decide(p, facts, now); v.Action {
	case policy.Go:
	case policy.Wait:
		i.Verdict, i.Until, i.Gate = WaitsUntil, v.Until, string(v.Reason)
	default:
		i.Verdict, i.Gate = Blocked, string(v.Reason)
	}
}

// refuse judges a decision for no call.
func (i *Item) refuse(r *event.Result) {
	i.Outcome, i.Reason, i.Field, i.Verdict = string(r.Outcome), r.Reason, r.Field, Same
	switch {
	case i.Old.Open:
		i.Verdict = WouldNotCall
	case r.Outcome == event.Rejected && i.Old.Outcome != event.Rejected:
		i.Verdict = NowInvalid
	}
}

// digest identifies the body of a call.
func digest(call []byte) string {
	sum := sha256.Sum256(call)
	return hex.EncodeToString(sum[:8])
}

// changed are the names of the members in which two calls differ: name, or variable.name.
func changed(before, after []byte) (names []string) {
	var a, b map[string]jsontext.Value
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return []string{"call"}
	}
	for name := range maps.Keys(union(a, b)) {
		if !same(a[name], b[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func union(a, b map[string]jsontext.Value) map[string]jsontext.Value {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// same reports whether two values are the same, however they are written.
func same(a, b jsontext.Value) bool {
	if a.Canonicalize() != nil || b.Canonicalize() != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(a, b)
}
