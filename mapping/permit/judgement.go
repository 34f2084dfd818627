package permit

import (
	"time"

	"callbridge/policy"
)

// Judgement is what the policy says about a call, for people.
type Judgement struct {
	Route string `json:"route"`
	// Action is go, wait or skip.
	Action policy.Action `json:"action"`
	// Until is when a call that waits is judged again, by the clock of the person.
	Until time.Time `json:"until,omitzero"`
	// Gates are those that depend on the event alone. The others are asked right before
	// the call: stops, the do-not-call list, and what depends on earlier calls.
	Gates []policy.Finding `json:"gates"`
}

// Judged is the judgement of a verdict by the event alone, or nil for none.
func Judged(route string, v policy.Verdict) *Judgement {
	if v.Action == "" {
		return nil
	}
	j := &Judgement{Route: route, Action: v.Action, Until: v.Until}
	for _, found := range v.Gates {
		switch found.Gate {
		case policy.DoNotCall:
			found.Value = "the fields of the CRM do not forbid it"
		case policy.Expired, policy.NoConsent, policy.NoZone, policy.OutsideHours, policy.Holiday, policy.PolicyDataOld:
		default:
			continue
		}
		j.Gates = append(j.Gates, found)
	}
	return j
}
