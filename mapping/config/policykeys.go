package config

import "time"

// None is the value that switches a limit of a policy off, for a route whose file sets it.
const None = "none"

// PolicyKeys are the keys of a policy, of the file and of a route.
var PolicyKeys = []Key{
	{Name: "countries", Kind: "list", Doc: "Countries (US, CA) whose numbers may be dialled. Required once a route is live."},
	{Name: "hours", Kind: "any", Doc: "When people may be called, by their own clock: a profile such as local-law or business-hours, your own hours {mon-fri: [\"09:00-17:00\"]}, or a list of them, which all have to allow the call; any for calls at any hour. Required for purpose marketing."},
	{Name: "close_margin", Kind: "duration or none", Doc: "No call begins so shortly before the end of the hours; whole minutes. Default: none."},
	{Name: "zone", Kind: "object", Doc: "How the person's time zone is found."},
	{Name: "holidays", Kind: "object", Doc: "What holds on public holidays."},
	{Name: "expire", Kind: "duration or none", Doc: "How long after the event a call may be made. Default: none, which is as long as RETENTION keeps the request."},
	{Name: "caps", Kind: "object", Doc: "How often a person may be called, by all routes and sources together."},
	{Name: "cool_down", Kind: "object", Doc: "How long a person is not called after a call that ended in a certain way: class → duration."},
	{Name: "storm", Kind: "object", Doc: "More calls of one source than this within a time stop the source: a bulk import is no storm of leads. none switches it off."},
}

// PolicyZoneKeys are the keys of zone: of a policy.
var PolicyZoneKeys = []Key{
	{Name: "from", Kind: "list", Values: []string{"timezone", "address", "number"}, Doc: "What says where the person is: timezone and address (person: of the source), number. Several may be true, and the hours of all of them count. Default: all three."},
	{Name: "unknown", Kind: "text", Values: []string{"hold"}, Doc: "A person whose zone is not known is not called (no_zone). hold is the only value."},
}

// PolicyHolidaysKeys are the keys of holidays: of a policy.
var PolicyHolidaysKeys = []Key{
	{Name: "observe", Kind: "bool", Doc: "true: no calls on public holidays at all; false: holidays are days like others. Default: what the profile says; your own hours are closed."},
	{Name: "missing", Kind: "text", Values: []string{"hold"}, Doc: "Where the holidays of a year are not known, nobody is called for marketing (policy_data_old). hold is the only value."},
}

// CapsKeys are the keys of caps: of a policy.
var CapsKeys = []Key{
	{Name: "day", Kind: "count or none", Doc: "Calls on one day of the person's own calendar."},
	{Name: "30d", Kind: "count or none", Doc: "Calls within 30 days."},
	{Name: "gap", Kind: "duration or none", Doc: "Time between two calls."},
}

// CoolDownKeys are the keys of cool_down: of a policy: how a call may have ended.
var CoolDownKeys = []Key{
	{Name: "reached", Kind: "duration or none", Doc: "A person answered."},
	{Name: "voicemail", Kind: "duration or none", Doc: "A voicemail answered."},
	{Name: "no_answer", Kind: "duration or none", Doc: "Nobody answered."},
	{Name: "busy", Kind: "duration or none", Doc: "The line was busy."},
	{Name: "declined", Kind: "duration or none", Doc: "The person wants no such call."},
	{Name: "screened", Kind: "duration or none", Doc: "A program screened the call."},
	{Name: "invalid_number", Kind: "duration or none", Doc: "The number does not exist."},
	{Name: "blocked", Kind: "duration or none", Doc: "The call was blocked on its way."},
	{Name: "provider_failed", Kind: "duration or none", Doc: "The telephony provider failed."},
	{Name: "cancelled", Kind: "duration or none", Doc: "The call was cancelled."},
	{Name: "unclassified", Kind: "duration or none", Doc: "It is not known how the call ended."},
	{Name: "unresolved", Kind: "duration or none", Doc: "The end of the call was never reported."},
}

// StormKeys are the keys of storm: of a policy.
var StormKeys = []Key{
	{Name: "calls", Kind: "number", Doc: "The most calls of a source within the time."},
	{Name: "within", Kind: "duration", Doc: "The time."},
}

// DurationOrNone is Duration for a key that may be none, which is 0.
func (n Node) DurationOrNone(most time.Duration, hint string) time.Duration {
	if n.Raw() == None {
		return 0
	}
	return n.Duration(most, hint)
}

// CountOrNone is Count for a key that may be none, which is 0.
func (n Node) CountOrNone() int {
	if n.Raw() == None {
		return 0
	}
	return n.Count("write none for no limit")
}
