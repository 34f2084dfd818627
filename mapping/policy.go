package mapping

import (
	"time"

	"callbridge/event"
	"callbridge/mapping/call"
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
	return policy.Decide(r.Policy.For(r.purpose()), r.Policy.Facts(request, to), now)
}

// would says what the policy would do with a call that the mode of the route does not make.
func would(v policy.Verdict) string {
	if v.Action != policy.Wait {
		return ""
	}
	return "; the call would wait until " + v.Until.UTC().Format(time.RFC3339) + " (" + string(v.Reason) + ": " + v.Detail + ")"
}
