package mapping

import (
	"time"

	"callbridge/event"
	"callbridge/mapping/call"
	"callbridge/mapping/permit"
	"callbridge/policy"
)

// Policy returns what holds for a request by the configuration in force, and what the
// request itself says. A request without a route is one for a service, judged by the
// file's policy. For a route that is gone the policy allows nothing; Permits ends its
// requests.
func (c *Config) Policy(r *event.Request) (policy.Policy, policy.Facts) {
	to, err := call.ToDial(r.Call)
	if err != nil {
		return policy.Policy{}, policy.Facts{Request: r.ID.String()}
	}
	if r.Route == "" {
		return c.policy.For(policy.Service), c.policy.Facts(r, event.Phone(to))
	}
	route := c.routeOf(r.Event.Source, r.Route)
	if route == nil {
		return policy.Policy{}, policy.Facts{Request: r.ID.String()}
	}
	return route.Policy.For(route.purpose()), route.Policy.Facts(r, event.Phone(to))
}

// Within returns as Problems each expire above most: NATS does not keep a request for longer.
func (c *Config) Within(most time.Duration) error {
	policies := []permit.Policy{c.policy}
	for _, route := range c.routes {
		policies = append(policies, route.Policy)
	}
	return permit.Within(most, policies)
}

// purpose is why the route calls. A route that does not say it is not live, and is judged
// like one for a service.
func (r *Route) purpose() policy.Purpose {
	if r.Purpose == "" {
		return policy.Service
	}
	return r.Purpose
}

// judge returns what the policy says about a request at an instant, by what the request
// itself says: the gates that depend on earlier calls, stops and the do-not-call list are
// asked before the call. A request whose time is not known is judged only then.
func (r *Route) judge(request *event.Request, to event.Phone, now time.Time) policy.Verdict {
	if now.IsZero() {
		return policy.Verdict{}
	}
	f := r.Policy.Facts(request, to)
	v := policy.Decide(r.Policy.For(r.purpose()), f, now)
	if len(f.Places) > 0 && !v.Until.IsZero() {
		v.Until = v.Until.In(f.Places[0].Zone)
	}
	return v
}

// Judgement is what the policy says about a call, for people.
type Judgement = permit.Judgement

// Judged is what the policy said about the call of the decision, or nil if it was not
// asked.
func (d Decision) Judged() *Judgement { return permit.Judged(d.Route, d.Verdict) }

// would says what the policy would do with a call that the mode of the route does not make.
func would(v policy.Verdict) string {
	if v.Action != policy.Wait {
		return ""
	}
	return "; the call would wait until " + v.Until.UTC().Format(time.RFC3339) + " (" + string(v.Reason) + ": " + v.Detail + ")"
}

// RoutePolicy is the policy of a route, for people.
type RoutePolicy struct {
	// Route is empty for requests that name no route.
	Route   string
	Mode    Mode
	Purpose policy.Purpose
	permit.Policy
}

// Policies are what holds for requests without a route, and for each route in the order of
// the file.
func (c *Config) Policies() []RoutePolicy {
	all := []RoutePolicy{{Mode: Live, Purpose: policy.Service, Policy: c.policy}}
	for _, r := range c.routes {
		all = append(all, RoutePolicy{Route: r.Name, Mode: r.Mode, Purpose: r.purpose(), Policy: r.Policy})
	}
	return all
}
