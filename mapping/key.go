package mapping

import "strconv"

// Key is one key of callbridge.yaml. The loader knows no other keys than
// these, so what is made of them (a JSON schema, a page of documentation)
// cannot drift from what is read.
type Key struct {
	Name string
	// Kind is how the value is written: text, bool, number, duration, list
	// (one text or a list of texts), object, or any.
	Kind string
	// Values are the only texts allowed, where there are such.
	Values []string
	Doc    string
}

// Section is a part of callbridge.yaml with its keys.
type Section struct {
	Name string
	Keys []Key
}

// Sections returns every part of callbridge.yaml with the keys it may have:
// the file itself, a source, a field, a route and a call. The keys of a
// verifier belong to the package signature.
func Sections() []Section {
	return []Section{
		{"file", fileKeys}, {"source", sourceKeys}, {"field", fieldKeys},
		{"route", routeKeys}, {"call", callSectionKeys()},
	}
}

var fileKeys = []Key{
	{Name: "public_url", Kind: "text", Doc: "Base URL under which CRMs reach this bridge; needed where a CRM signs the URL."},
	{Name: "sources", Kind: "object", Doc: "Who may send webhooks: name → source. The name is the last part of /webhooks/<source>."},
	{Name: "routes", Kind: "list", Doc: "Which event leads to which call, in order."},
}

var sourceKeys = []Key{
	{Name: "preset", Kind: "text", Doc: "The CRM this source starts from; every key here replaces the preset's, fields one by one."},
	{Name: "secret", Kind: "list", Doc: "Fills the verifiers of the preset: ${ENV} or ${file:/path}; two of them while a secret is changed."},
	{Name: "verify", Kind: "any", Doc: "Verifiers; all of them must be content with a webhook."},
	{Name: "body", Kind: "text", Values: bodyForms, Doc: "Form of the body; without it the Content-Type says."},
	{Name: "split", Kind: "text", Doc: "Path with [*] to the events of a batch; without it a delivery is one event."},
	{Name: "max_events", Kind: "number", Doc: "Most events in one delivery; 1000 without it. A larger delivery is refused whole."},
	{Name: "key", Kind: "any", Doc: "Identity of an event: the first value that is there. A list in the list is one value made of all its parts."},
	{Name: "type", Kind: "any", Doc: "What happened, in the CRM's words."},
	{Name: "time", Kind: "any", Doc: "When it happened, as the CRM says."},
	{Name: "time_format", Kind: "list", Doc: "How time is written; see format of a field."},
	{Name: "max_age", Kind: "duration", Doc: "An event older than this by its time leads to no call (too_old). Without it age does not matter."},
	{Name: "null_words", Kind: "list", Doc: "Words that this CRM writes for nothing, such as null or n/a."},
	{Name: "fields", Kind: "object", Doc: "The only names that rules and calls may use: name → field."},
}

var fieldKeys = []Key{
	{Name: "path", Kind: "list", Doc: "Where the value is; of a list the first that is there."},
	{Name: "type", Kind: "text", Values: fieldTypes, Doc: "What the value is; string without it."},
	{Name: "optional", Kind: "bool", Doc: "The field may be missing."},
	{Name: "default", Kind: "text", Doc: "The value if the field is missing. Not if it is unreadable."},
	{Name: "region", Kind: "text", Doc: "phone: country (US, DE) of numbers written without one."},
	{Name: "country", Kind: "list", Doc: "phone: where the contact's country is; it goes before region."},
	{Name: "join", Kind: "text", Doc: "string: all values of a path with [*], with this between them."},
	{Name: "separator", Kind: "text", Doc: "list: a text is cut at this."},
	{Name: "format", Kind: "list", Doc: "time: rfc3339, unix, unix_ms, date, or an example in Go's reference time (02.01.2006 15:04)."},
}

var routeKeys = []Key{
	{Name: "name", Kind: "text", Doc: "Unique, [a-z0-9-]. It is part of a call's identity: a renamed route calls again."},
	{Name: "source", Kind: "list", Doc: "The source or sources whose events this route looks at."},
	{Name: "enabled", Kind: "bool", Doc: "false switches the route off; true without it."},
	{Name: "mode", Kind: "text", Values: modes, Doc: "dry_run without it: nobody is dialled until this says live."},
	{Name: "allow", Kind: "list", Doc: "mode allow_list: the numbers that may be dialled."},
	{Name: "regions", Kind: "list", Doc: "Countries (US, CA) that may be dialled; without it every one."},
	{Name: "allow_extension", Kind: "bool", Doc: "Dial the main number of a number with an extension."},
	{Name: "stop", Kind: "bool", Doc: "If this route takes an event, later routes do not see it."},
	{Name: "when", Kind: "text", Doc: "The rule, in CEL; without it every event of the source."},
	{Name: "call", Kind: "object", Doc: "The call to make: the body of Callab's create call."},
}

func keyNames(keys []Key) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = key.Name
	}
	return names
}

func quote(s string) string { return strconv.Quote(s) }
