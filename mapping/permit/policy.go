// Package permit reads what callbridge.yaml says about who may be called and when: policy:
// of the file and of its routes, consent: and do_not_call:. It prepares what package policy
// judges by, and judges nothing itself. It is part of the mapping step.
//
//   - policy.go: policy:, and what the file and a route say together
//   - hours.go: hours: and holidays:
//   - check.go: settings that contradict each other
//   - fact.go: what a request says about the person and about its time
//   - consent.go: the fields that say whether a person may be called at all
//   - setting.go: what holds, and where it is written, for people
//   - judgement.go: what the policy says about a call, for people
package permit

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/policy"
)

// Policy is what the file and a route say about who may be called and when. The zero
// value has no hours and no limits.
type Policy struct {
	// Countries are the ISO 3166 codes of the countries whose numbers may be dialled,
	// as in phone.Options.Regions. Empty means all: that is allowed only for routes
	// that are not live.
	Countries []string
	// Expire is how long after the event a call may be made; 0 is no limit.
	Expire time.Duration

	hours    written
	holidays holidays
	from     []string
	// limits has the caps, the cool-downs and the storm.
	limits policy.Policy
	// at has the value of each key that is written, such as caps.day.
	at map[string]config.Node
	// own are the keys that the route has itself.
	own map[string]bool
}

// What says where a person is; the values of zone.from.
const fromTimezone, fromAddress, fromNumber = "timezone", "address", "number"

const (
	// maxMargin is longer than the hours of any day that make sense.
	maxMargin = 12 * time.Hour
	// maxGap is as long as calls are remembered for caps.
	maxGap = 30 * 24 * time.Hour
	// maxCoolDown is as long as people are remembered.
	maxCoolDown = 400 * 24 * time.Hour
	// maxStorm is as long as calls are counted.
	maxStorm = 24 * time.Hour
)

const aDayIs = "for example 24h; there is no unit for days"

// Read reads policy: of the file. Its problems are those of the reader of the node.
func Read(at config.Node) Policy { return Policy{}.read(at) }

// Override returns the policy of the file with the keys of a route's policy: in place of
// its own. The members of caps, cool_down, zone, holidays and storm are replaced one by one.
func (p Policy) Override(at config.Node) Policy { return p.read(at) }

// OfRoute is the policy of the file for a route that has none of its own.
func (p Policy) OfRoute() Policy {
	p.own = nil
	return p
}

// read reads a policy over p.
func (p Policy) read(at config.Node) Policy {
	p.at, p.own = maps.Clone(p.at), map[string]bool{}
	if p.at == nil {
		p.at = map[string]config.Node{}
	}
	keys, ok := at.Known(config.PolicyKeys)
	if !ok {
		return p
	}
	before := at.Problems()
	p.readCountries(keys)
	if n, ok := p.get(keys, "hours", "hours"); ok {
		p.hours = readHours(n)
	}
	if n, ok := p.get(keys, "close_margin", "close_margin"); ok {
		p.limits.CloseMargin = readMargin(n)
	}
	if n, ok := p.get(keys, "expire", "expire"); ok {
		p.Expire = n.DurationOrNone(0, aDayIs)
	}
	p.readZone(keys)
	p.readHolidays(keys)
	p.readCaps(keys)
	p.readCoolDown(keys)
	p.readStorm(keys)
	if at.Problems() == before {
		p.check(at)
	}
	return p
}

// get returns the value of a key, and notes where it is written.
func (p *Policy) get(keys config.Object, key, path string) (config.Node, bool) {
	n, ok := keys.Get(key)
	if ok {
		p.at[path], p.own[path] = n, true
	}
	return n, ok
}

// section returns a key with members of its own.
func section(keys config.Object, key string, table []config.Key) config.Object {
	n, ok := keys.Get(key)
	if !ok {
		return config.Object{}
	}
	members, _ := n.Known(table)
	if ok && len(members.Keys) == 0 && n.Kind() == config.Mapping {
		n.Problem("is empty", "write at least one of its keys, or leave it out")
	}
	return members
}

func (p *Policy) readCountries(keys config.Object) {
	n, ok := p.get(keys, "countries", "countries")
	if !ok {
		return
	}
	p.Countries = nil
	for _, item := range n.Items() {
		p.Countries = append(p.Countries, field.ReadRegion(item))
	}
	if len(p.Countries) == 0 {
		n.Problem("names no country", "for example [US, CA]")
	}
}

func (p *Policy) readZone(keys config.Object) {
	zone := section(keys, "zone", config.PolicyZoneKeys)
	if n, ok := p.get(zone, "from", "zone.from"); ok {
		p.from = nil
		for _, item := range n.Items() {
			p.from = append(p.from, item.OneOf([]string{fromTimezone, fromAddress, fromNumber}))
		}
		if len(p.from) == 0 {
			n.Problem("names nothing, so nobody could ever be called", "write [timezone, address, number]")
		}
	}
	if n, ok := p.get(zone, "unknown", "zone.unknown"); ok {
		n.OneOf([]string{"hold"})
	}
}

func (p *Policy) readCaps(keys config.Object) {
	caps := section(keys, "caps", config.CapsKeys)
	if n, ok := p.get(caps, "day", "caps.day"); ok {
		p.limits.DayCap = n.CountOrNone()
	}
	if n, ok := p.get(caps, "30d", "caps.30d"); ok {
		p.limits.MonthCap = n.CountOrNone()
	}
	if n, ok := p.get(caps, "gap", "caps.gap"); ok {
		p.limits.Gap = n.DurationOrNone(maxGap, "for example 1h")
	}
}

func (p *Policy) readCoolDown(keys config.Object) {
	classes := section(keys, "cool_down", config.CoolDownKeys)
	p.limits.CoolDown = maps.Clone(p.limits.CoolDown)
	for _, class := range classes.Keys {
		n, _ := p.get(classes, class, "cool_down."+class)
		if p.limits.CoolDown == nil {
			p.limits.CoolDown = map[string]time.Duration{}
		}
		p.limits.CoolDown[class] = n.DurationOrNone(maxCoolDown, "for example 168h, which is a week; there is no unit for days")
	}
}

func (p *Policy) readStorm(keys config.Object) {
	n, ok := keys.Get("storm")
	if !ok {
		return
	}
	if n.Raw() == config.None {
		p.get(keys, "storm", "storm")
		p.limits.Storm = policy.Storm{}
		return
	}
	storm := section(keys, "storm", config.StormKeys)
	for _, key := range []string{"calls", "within"} {
		if _, has := storm.Get(key); !storm.IsZero() && !has {
			n.Problem(strconv.Quote(key)+" is missing", "write storm: {calls: 200, within: 10m}")
		}
	}
	p.get(keys, "storm", "storm")
	if n, ok := storm.Get("calls"); ok {
		p.limits.Storm.Calls = n.Count("write storm: none for no limit")
	}
	if n, ok := storm.Get("within"); ok {
		p.limits.Storm.Within = n.Duration(maxStorm, "for example 10m")
	}
}

// asks reports whether one of the things that say where a person is counts.
func (p Policy) asks(what string) bool { return len(p.from) == 0 || slices.Contains(p.from, what) }
